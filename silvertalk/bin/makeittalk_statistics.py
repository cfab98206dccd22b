"""Stage 11, last step: statistics of the training set, which all branches and the portrait share."""

import logging
from pathlib import Path

import numpy as np

from silvertalk.makeittalk.statistics import NAME, Statistics, compute_statistics
from silvertalk.makeittalk.training.features import TARGET, shared_speakers
from silvertalk.utils.cli import worker


def makeittalk_statistics(
    train_dir: str,
    other_dirs: list[str] | None = None,
    statistics: str | None = None,
    out: str | None = None,
) -> None:
    """Write statistics.npz beside the sets of stage 11, and warn where sets share speakers.

    Args:
        train_dir: Dump of the training set, e.g. dump/makeittalk/tr_no_dev.
        other_dirs: Dumps of the sets for validation and test.
        statistics: Given to makeittalk_dump, too: statistics that are taken as they are.
        out: File to write; without it statistics.npz beside train_dir.
    """
    folder = Path(train_dir).parent
    if statistics is None:
        result = compute_statistics(train_dir, np.load(folder / TARGET))
    else:
        result = Statistics.load(statistics)
    path = Path(out or folder / NAME)
    result.save(path)
    logging.info("%s: content %.3f +- %.3f", path, result.au_mean.mean(), result.au_std.mean())
    for other in other_dirs or ():
        if shared := shared_speakers(train_dir, other):
            logging.warning(
                "%s: %d speakers are in the training set, too (the first: %s); its scores say how well known people"
                " are imitated, not how well others",
                other,
                len(shared),
                shared[0],
            )


get_parser, main = worker(makeittalk_statistics)


if __name__ == "__main__":
    main()
