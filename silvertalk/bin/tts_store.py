"""A trained voice as a small folder, as the one that comes with Silvertalk."""

from silvertalk.tts.store import store_voice
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(store_voice)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), store_voice, cmd)


if __name__ == "__main__":
    main()
