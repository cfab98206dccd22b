"""The published layout of Wav2Lip's training data -> face dumps."""

import logging

from silvertalk.face.prepare.preprocessed import import_preprocessed
from silvertalk.utils.cli import worker


def preprocessed_import(
    preprocessed_root: str,
    filelists: str,
    out_dir: str = "dump/face",
    face_size: int = 96,
    num_jobs: int = 1,
    skip_missing: bool = False,
    max_skipped: float = 0.5,
) -> None:
    """Make face dumps of faces that the original Wav2Lip's preprocess.py cut out; a run that was stopped goes on.

    Args:
        preprocessed_root: Its output, <dir>/<clip>/{N.jpg,audio.wav}.
        filelists: Folder with train.txt, val.txt, test.txt; a <dir>/<clip> a line.
        out_dir: Folder of the dumps: train becomes tr_no_dev, val dev, test eval1.
        face_size: Side of the stored face pictures (pixels).
        num_jobs: Processes.
        skip_missing: Leave out clips that are listed and not there; else they are an error.
        max_skipped: Largest share of clips that cannot be used and is not an error.
    """
    sets = import_preprocessed(preprocessed_root, filelists, out_dir, face_size, num_jobs, skip_missing, max_skipped)
    for name, (done, skipped) in sets.items():
        logging.info("%s/%s: %d utterances, %d skipped", out_dir, name, done, len(skipped))


get_parser, main = worker(preprocessed_import)


if __name__ == "__main__":
    main()
