"""Command lines made from a function's signature and docstring."""

import inspect
import logging
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, get_args

from jsonargparse import ArgumentParser

from silvertalk.utils.log import setup_logging

USER_ERRORS = (ValueError, FileNotFoundError, RuntimeError, OSError)


def make_parser(
    function: Callable, skip: Collection[str] = (), options: type | None = None, **kwargs
) -> ArgumentParser:
    """Make a parser whose options are the function's arguments.

    The help texts come from the Google docstring. ``--config FILE.yaml`` sets
    any of them; unknown keys are errors.

    Args:
        function: The worker's plain function.
        skip: Arguments that are no options.
        options: A dataclass whose fields are options, too, where the function has no argument of the name.
        **kwargs: Passed to ``jsonargparse.ArgumentParser``.
    """
    summary = (function.__doc__ or "").strip().splitlines()[0]
    parser = ArgumentParser(description=kwargs.pop("description", summary), **kwargs)
    parser.add_argument("--config", action="config", help="YAML file that sets any of these options")
    parser.add_function_arguments(function, as_group=False, skip=set(skip))
    if options is not None:
        parser.add_class_arguments(options, as_group=False, skip=set(inspect.signature(function).parameters))
    actions: list[Any] = parser._actions  # some are of kinds that jsonargparse keeps to itself
    for action in actions:
        hint = getattr(action, "_typehint", None)
        if hint is bool:  # --stream alone means --stream true
            action.nargs, action.const = "?", True
        elif list[str] in (hint, *get_args(hint)):  # --speakers A B
            action.nargs, action._typehint = "+", str
    return parser


def make_subcommands(functions: dict[str, Callable], **kwargs) -> ArgumentParser:
    """Make a parser with a subcommand for each function.

    Args:
        functions: By the subcommands' names.
        **kwargs: Passed to ``jsonargparse.ArgumentParser``.
    """
    parser = ArgumentParser(**kwargs)
    subcommands = parser.add_subcommands()
    for name, function in functions.items():
        subcommands.add_subcommand(name, make_parser(function), help=(function.__doc__ or "").splitlines()[0])
    return parser


def run(parser: ArgumentParser, function: Callable, cmd: list[str] | None = None):
    """Parse the command line and call the function."""
    return _call(function, parser, parser.parse_args(cmd))


def worker(function: Callable, **kwargs) -> tuple[Callable[[], ArgumentParser], Callable]:
    """What every worker has: ``get_parser()`` and ``main(cmd)`` of its function.

    Args:
        function: See ``make_parser``.
        **kwargs: Likewise.
    """

    def get_parser() -> ArgumentParser:
        return make_parser(function, **kwargs)

    def main(cmd: list[str] | None = None):
        return run(get_parser(), function, cmd)

    return get_parser, main


def run_subcommand(parser: ArgumentParser, functions: dict[str, Callable], cmd: list[str] | None = None):
    """Parse the command line and call the function of the subcommand it names."""
    arguments = parser.parse_args(cmd)
    return _call(functions[arguments.subcommand], parser, arguments, [arguments.subcommand])


def _call(function: Callable, parser: ArgumentParser, arguments, subcommands: Sequence[str] = ()):
    """Configure logging and call the function.

    An error the user can mend is one line on stderr and exit code 1; any
    other exception is a bug of ours and keeps its traceback.
    """
    arguments = parser.instantiate_classes(arguments)
    for name in subcommands:
        arguments = arguments[name]
    arguments.pop("config", None)
    setup_logging()
    try:
        return function(**arguments.as_dict())
    except USER_ERRORS as error:
        logging.debug("traceback", exc_info=True)
        message = " ".join(str(error).split())
    # Here the exception is gone, and with it the iterators and their threads that its traceback held.
    sys.exit(f"error: {message}")
