"""Stage 4, faces: remove the audio-video offset, drop unusable utterances."""

import logging

from silvertalk.face.prepare.sync import SyncLimits, sync_filter
from silvertalk.utils.cli import worker


def filter_faces(
    org_dir: str, sync_dir: str, out_dir: str, sync_group: str = "spk", limits: SyncLimits = SyncLimits()
) -> None:
    """Correct and filter one face dump.

    Args:
        org_dir: Face dump of stage 3, e.g. dump/face/org/dev.
        sync_dir: Its lag curves (sync_measure), e.g. dump/face/sync/dev.
        out_dir: Folder to write, e.g. dump/face/dev.
        sync_group: One offset per spk (default), per utt, or none.
        limits: What is dropped.
    """
    dropped = sync_filter(org_dir, sync_dir, out_dir, sync_group, limits)
    for utt_id, reason in sorted(dropped.items()):
        logging.warning("dropped %s: %s", utt_id, reason)
    logging.info("%s: %d utterances dropped", out_dir, len(dropped))


get_parser, main = worker(filter_faces)


if __name__ == "__main__":
    main()
