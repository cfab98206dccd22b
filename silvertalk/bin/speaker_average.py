"""Stage 5, voices of several speakers: one embedding for each speaker."""

import logging

from silvertalk.data.speaker_dump import average_embeddings
from silvertalk.utils.cli import make_parser, run


def speaker_average(data_dir: str, out_dir: str) -> None:
    """Average the embeddings of each speaker's utterances.

    Args:
        data_dir: Audio dump of stage 4, e.g. dump/raw/dev.
        out_dir: Folder with its embeddings, e.g. dump/spk_embed/dev.
    """
    logging.info("%s: %d speakers", out_dir, average_embeddings(data_dir, out_dir))


def get_parser():
    """Return the parser."""
    return make_parser(speaker_average)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), speaker_average, cmd)


if __name__ == "__main__":
    main()
