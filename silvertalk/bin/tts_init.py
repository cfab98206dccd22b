"""In stage 7 with --init_tts: a trained voice as the start of a new one."""

from silvertalk.tts.training.finetune import init_weights
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(init_weights)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), init_weights, cmd)


if __name__ == "__main__":
    main()
