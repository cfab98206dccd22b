"""Before the jobs of stages 6, 7 and 8: what they need, and their arguments."""

from jsonargparse import ArgumentParser

from silvertalk.tts.training.prepare import prepare_decode, prepare_stats, prepare_train
from silvertalk.utils.cli import make_parser, run_subcommand

STEPS = {"stats": prepare_stats, "train": prepare_train, "decode": prepare_decode}


def get_parser():
    """Return the parser."""
    parser = ArgumentParser(description="Prepare a stage of the voice.")
    steps = parser.add_subcommands()
    for name, function in STEPS.items():
        steps.add_subcommand(name, make_parser(function))
    return parser


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_subcommand(get_parser(), STEPS, cmd)


if __name__ == "__main__":
    main()
