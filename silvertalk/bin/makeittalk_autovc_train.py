"""Train the first model of stage 11: AutoVC, which takes the speaker out of the sound."""

from silvertalk.makeittalk.training.autovc_train import train_autovc
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(train_autovc)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), train_autovc, cmd)


if __name__ == "__main__":
    main()
