"""The ``silvertalk`` command; only the module of the subcommand that is asked for is imported."""

import argparse
import importlib
import sys

from silvertalk import __version__

COMMANDS = {
    "say": "make a face say a text",
    "tts": "speak a text of any length",
    "lipsync": "make a face say the sound of a file",
    "portrait": "make a photo move and say the sound of a file",
    "cartoon": "make a drawing say the sound of a file",
    "puppet": "make a puppet of a drawing",
    "batch": "render many files; goes on where it was stopped",
    "avatar": "prepare a face, so that its first picture comes at once",
    "score": "score generated videos of any system against the real ones",
    "score-voice": "score synthetic speech of any system against recordings",
    "export": "write a trained network in a format that other tools read",
}


def command_module(name: str):
    """The module of a subcommand."""
    return importlib.import_module(f"silvertalk.bin.commands.{name.replace('-', '_')}")


def get_parser():
    """Return the parser of everything but the subcommands' own options."""
    parser = argparse.ArgumentParser(prog="silvertalk", description="From a text to a talking face.")
    parser.add_argument("--version", action="version", version=f"silvertalk {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands (each has its own --help)")
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary)
    return parser


def main(cmd: list[str] | None = None):
    """Run the command line."""
    cmd = sys.argv[1:] if cmd is None else cmd
    if cmd and cmd[0] in COMMANDS:
        return command_module(cmd[0]).main(cmd[1:])
    return get_parser().parse_args(cmd)


if __name__ == "__main__":
    sys.exit(main())
