"""Stage 4, faces: at which lag lips and sound fit best, of every utterance."""

import logging

from silvertalk.face.prepare.offset import measure_offsets
from silvertalk.utils.cli import worker


def measure_sync(
    data_dir: str,
    out_dir: str,
    sync_expert: str = "",
    syncnet_v2: str = "",
    device: str = "cpu",
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Write the lag curves of a face dump.

    Args:
        data_dir: Face dump of stage 3, e.g. dump/face/org/dev.
        out_dir: Folder to write, e.g. dump/face/sync/dev.
        sync_expert: Experiment folder of a trained expert (exp/syncnet_*), which judges too.
        syncnet_v2: Without an expert: syncnet_v2.model, or a folder that may hold it.
        device: cpu or cuda.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    scorer = None
    if sync_expert or syncnet_v2:
        from silvertalk.syncnet.offsets import make_scorer  # torch, which takes seconds and is not needed otherwise

        scorer = make_scorer(sync_expert, syncnet_v2, device)
    logging.info("offsets by mouth opening and sound energy%s", f" and {scorer.name}" if scorer else "")
    measure_offsets(data_dir, out_dir, scorer, job, num_jobs)


get_parser, main = worker(measure_sync)


if __name__ == "__main__":
    main()
