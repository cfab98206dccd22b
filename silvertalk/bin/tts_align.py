"""In stage 6 of FastSpeech 2: durations of the tokens, from a trained voice."""

from silvertalk.tts.training.align import align
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(align)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), align, cmd)


if __name__ == "__main__":
    main()
