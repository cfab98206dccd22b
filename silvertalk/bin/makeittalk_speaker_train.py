"""Train the model of stage 13: the speaker-aware branch of MakeItTalk."""

from silvertalk.makeittalk.training.train import train_speaker
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(train_speaker)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), train_speaker, cmd)


if __name__ == "__main__":
    main()
