"""Train the model of stage 12: the content branch of MakeItTalk."""

from silvertalk.makeittalk.training.train import train_content
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(train_content)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), train_content, cmd)


if __name__ == "__main__":
    main()
