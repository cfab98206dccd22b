"""Before stage 8: which vocoder speaks, noted in the folder of the voice."""

from silvertalk.tts.vocoder import choose_vocoder
from silvertalk.utils.cli import make_parser, run


def print_vocoder(exp_dir: str, vocoder_file: str = "") -> None:
    """Print the vocoder that a voice speaks with from now on, nothing for Griffin-Lim.

    Args:
        exp_dir: Experiment folder of the voice.
        vocoder_file: ParallelWaveGAN's checkpoint (.pkl), or none: Griffin-Lim; leave out for what vocoder.yaml says.
    """
    print(choose_vocoder(exp_dir, vocoder_file) or "")


def get_parser():
    """Return the parser."""
    return make_parser(print_vocoder)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), print_vocoder, cmd)


if __name__ == "__main__":
    main()
