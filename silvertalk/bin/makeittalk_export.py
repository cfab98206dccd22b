"""Stage 11's dump -> the published MakeItTalk's pickles."""

import logging

from silvertalk.makeittalk.published.pickles import export_pickles
from silvertalk.utils.cli import worker


def makeittalk_export(dump_dir: str, pickle_dir: str, name: str) -> None:
    """Write stage 11's dumps as the published trainers read them.

    Args:
        dump_dir: Folder of the dumps, e.g. dump/makeittalk.
        pickle_dir: Folder to write <name>_{train,val,test}_{au,fl,gaze}.pickle and emb.pickle in.
        name: What the names of the files begin with.
    """
    for stem, count in export_pickles(dump_dir, pickle_dir, name).items():
        logging.info("%s/%s_{au,fl,gaze}.pickle: %d clips", pickle_dir, stem, count)


get_parser, main = worker(makeittalk_export)


if __name__ == "__main__":
    main()
