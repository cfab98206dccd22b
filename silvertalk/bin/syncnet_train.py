"""Train the model of stage 9: the sync expert."""

from silvertalk.utils.cli import make_parser, run
from silvertalk.wav2lip.train import train_syncnet


def get_parser():
    """Return the parser."""
    return make_parser(train_syncnet)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), train_syncnet, cmd)


if __name__ == "__main__":
    main()
