"""Stage 11: face dump -> content, 3D landmarks, head poses and portraits."""

from silvertalk.makeittalk.training.features import dump_portraits
from silvertalk.utils.cli import worker


def makeittalk_dump(
    data_dir: str,
    out_dir: str,
    autovc: str,
    portrait_size: int = 256,
    statistics: str | None = None,
    awing_weights: str | None = None,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Compute what the networks of a portrait are trained on; dump the training set first, its voice is the target.

    Args:
        data_dir: Face dump of stage 4, e.g. dump/face/tr_no_dev.
        out_dir: Folder to write, e.g. dump/makeittalk/tr_no_dev.
        autovc: Experiment folder or checkpoint of AutoVC.
        portrait_size: Side of the stored portraits (pixels).
        statistics: Those of weights to be fine-tuned: statistics.npz, its folder, or a copy of the published code.
        awing_weights: Weights of the 98-point detector (WFLW_4HG.pth); adds picture_landmarks_74.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    dump_portraits(data_dir, out_dir, job, num_jobs, autovc, portrait_size, statistics, awing_weights)


get_parser, main = worker(makeittalk_dump)


if __name__ == "__main__":
    main()
