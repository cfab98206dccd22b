"""Train the model of stage 14: the image translation of MakeItTalk."""

from silvertalk.makeittalk.training.train import train_translation
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(train_translation)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), train_translation, cmd)


if __name__ == "__main__":
    main()
