"""Train the model of stage 10: the Wav2Lip generator."""

from silvertalk.utils.cli import make_parser, run
from silvertalk.wav2lip.train import train_wav2lip


def get_parser():
    """Return the parser."""
    return make_parser(train_wav2lip)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), train_wav2lip, cmd)


if __name__ == "__main__":
    main()
