"""Before stage 7: the halves of JETS that were trained apart, as one."""

from silvertalk.tts.training.pretrain import join
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(join)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), join, cmd)


if __name__ == "__main__":
    main()
