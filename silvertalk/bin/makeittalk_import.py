"""The published MakeItTalk's pickles -> stage 11's dump."""

import logging

from silvertalk.makeittalk.published.pickles import import_pickles
from silvertalk.utils.cli import worker


def makeittalk_import(
    pickle_dir: str, name: str, statistics: str, out_dir: str = "dump/makeittalk", max_skipped: float = 0.5
) -> None:
    """Make stage 11's dumps of pickled training data, without running anything they hold.

    Args:
        pickle_dir: Folder of <name>_{train,val,test}_{au,fl}.pickle, and emb.pickle where there is one.
        name: What the names of the files begin with.
        statistics: Those they were made with: statistics.npz, its folder, or a copy of the published code.
        out_dir: Folder of the dumps: train becomes tr_no_dev, val dev, test eval1.
        max_skipped: Largest share of clips that cannot be used and is not an error.
    """
    for set_name, (done, skipped) in import_pickles(pickle_dir, name, out_dir, statistics, max_skipped).items():
        logging.info("%s/%s: %d utterances, %d skipped", out_dir, set_name, done, len(skipped))


get_parser, main = worker(makeittalk_import)


if __name__ == "__main__":
    main()
