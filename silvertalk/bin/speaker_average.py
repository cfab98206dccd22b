"""Stage 5, voices of several speakers: one embedding for each speaker."""

import logging

from silvertalk.data.speaker_dump import average_embeddings
from silvertalk.utils.cli import worker


def speaker_average(data_dir: str, out_dir: str) -> None:
    """Average the embeddings of each speaker's utterances.

    Args:
        data_dir: Audio dump of stage 4, e.g. dump/raw/dev.
        out_dir: Folder with its embeddings, e.g. dump/spk_embed/dev.
    """
    logging.info("%s: %d speakers", out_dir, average_embeddings(data_dir, out_dir))


get_parser, main = worker(speaker_average)


if __name__ == "__main__":
    main()
