"""Before stage 7, where it is asked for: the halves of JETS, trained apart."""

from silvertalk.tts.training.pretrain import pretrain
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(pretrain)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), pretrain, cmd)


if __name__ == "__main__":
    main()
