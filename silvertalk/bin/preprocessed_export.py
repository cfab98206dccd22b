"""Face dumps -> the published layout of Wav2Lip's training data."""

import logging

from silvertalk.face.prepare.preprocessed import export_preprocessed
from silvertalk.utils.cli import worker


def preprocessed_export(face_dir: str, preprocessed_root: str, filelists: str, num_jobs: int = 1) -> None:
    """Write face dumps as the original Wav2Lip's trainer reads them; a run that was stopped goes on.

    Args:
        face_dir: Folder of the dumps, e.g. dump/face, or one dump.
        preprocessed_root: Folder to write, <dir>/<clip>/{N.jpg,audio.wav}.
        filelists: Folder to write train.txt, val.txt, test.txt in.
        num_jobs: Processes.
    """
    for name, count in export_preprocessed(face_dir, preprocessed_root, filelists, num_jobs).items():
        logging.info("%s/%s.txt: %d clips", filelists, name, count)


get_parser, main = worker(preprocessed_export)


if __name__ == "__main__":
    main()
