"""In stage 7 before the training: the model, and a trained voice as its start (--init_tts)."""

from silvertalk.tts.training.finetune import init_voice
from silvertalk.utils.cli import make_parser, run


def get_parser():
    """Return the parser."""
    return make_parser(init_voice)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), init_voice, cmd)


if __name__ == "__main__":
    main()
