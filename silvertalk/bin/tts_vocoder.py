"""Before stage 8: which vocoder speaks, noted in the folder of the voice."""

from silvertalk.tts.vocoder import choose_vocoder
from silvertalk.utils.cli import worker


def print_vocoder(exp_dir: str, vocoder_file: str = "") -> None:
    """Print the vocoder that a voice speaks with from now on, nothing for Griffin-Lim.

    Args:
        exp_dir: Experiment folder of the voice.
        vocoder_file: ParallelWaveGAN's checkpoint (.pkl), or none: Griffin-Lim; leave out for what vocoder.yaml says.
    """
    print(choose_vocoder(exp_dir, vocoder_file) or "")


get_parser, main = worker(print_vocoder)


if __name__ == "__main__":
    main()
