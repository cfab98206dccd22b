"""Merge the parts that the jobs of a dump stage wrote."""

import logging

from silvertalk.data import combine_parts, iter_scp
from silvertalk.utils.cli import worker


def combine(dir: str, data_dir: str, max_skipped: float = 0.5) -> None:
    """Merge the jobs' parts into scp files, and list the skipped utterances.

    Args:
        dir: The dump folder whose ``parts/`` are merged.
        data_dir: The data directory the jobs read (its utt2spk says what is expected).
        max_skipped: Largest share of skipped utterances that is not an error.
    """
    done, skipped = combine_parts(dir, (utt_id for utt_id, _ in iter_scp(f"{data_dir}/utt2spk")), max_skipped)
    logging.info("%s: %d utterances, %d skipped", dir, done, len(skipped))
    for utt_id, reason in sorted(skipped.items()):
        logging.warning("skipped %s: %s", utt_id, reason)


get_parser, main = worker(combine)


if __name__ == "__main__":
    main()
