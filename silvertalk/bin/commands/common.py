"""What several commands share: where they write, and the options of the talker that ``--model`` names."""

import argparse
import contextlib
import inspect
import logging
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from silvertalk.talker.registry import find_setup, talker_names
from silvertalk.utils.cli import make_parser, run

STANDARD_OUTPUT = "-"


def talker_parser(function: Callable, model: str, **kwargs):
    """A parser of a function's arguments and of the options of a talker.

    Args:
        function: Takes a talker's ``Setup`` as ``setup``, besides what the user gives.
        model: Name of the talker.
        **kwargs: Of ``make_parser``.
    """
    return make_parser(function, skip={"setup"}, options=find_setup(model), **kwargs)


def run_with_talker(function: Callable, cmd: list[str] | None, model: str | None = None, **kwargs):
    """Run a function that takes a talker's ``Setup`` as ``setup``.

    Args:
        function: See ``talker_parser``.
        cmd: The command line.
        model: Name of the talker; None: ``--model`` names it.
        **kwargs: Of ``make_parser``.
    """
    asked = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    asked.add_argument("--model", default="wav2lip")
    name = model or asked.parse_known_args(cmd)[0].model
    own = inspect.signature(function).parameters

    def call(**given):
        mine = {key: value for key, value in given.items() if key in own}
        kind = find_setup(name)
        names = {field.name for field in fields(kind)}
        return function(**mine, setup=kind(**{key: value for key, value in given.items() if key in names}))

    try:
        parser = talker_parser(function, name, **kwargs)
        _refuse_foreign_options(parser, cmd)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    return run(parser, call, cmd)


def _refuse_foreign_options(parser, cmd: list[str] | None) -> None:
    """Name an option that only another talker has."""
    known = {option for action in parser._actions for option in action.option_strings}
    foreign = [word.partition("=")[0] for word in cmd or () if word.startswith("--")]
    for option in (word for word in foreign if word not in known):
        for other in talker_names():
            with contextlib.suppress(ValueError):  # one that cannot be loaded has no options
                if option[2:] in {field.name for field in fields(find_setup(other))}:
                    raise SystemExit(f"error: {option} is an option of --model {other} only")


@contextlib.contextmanager
def target(out: str, stream: bool):
    """What to write to: the name of a file that appears when whole, or a stream."""
    if not stream or out == STANDARD_OUTPUT:
        yield out
        return
    file = _GrowingFile(out)
    try:
        yield file
    finally:
        file.close()


class _GrowingFile:
    """A file that is begun with the first byte, so that an older one outlives whatever fails before."""

    def __init__(self, name: str):
        self.name, self._file = name, None

    def write(self, data: bytes) -> int:
        """Append; nothing waits in a buffer of Python's."""
        if self._file is None:
            Path(self.name).parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.name, "wb", buffering=0)  # noqa: SIM115
        return self._file.write(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def report(result) -> None:
    """Log what was rendered."""
    logging.info("%s: %.2f s at %g fps", result.out, result.num_frames / result.fps, result.fps)
