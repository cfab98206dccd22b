"""LSE on real-world videos, face by face, as published for ReSyncED."""

from silvertalk.evaluate.protocols import TrackScoring
from silvertalk.evaluate.score_folders import run_scoring
from silvertalk.utils.cli import worker


def score_tracks(
    real: str,
    generated: list[str] | None = None,
    out: str = "scores",
    syncnet_v2: str | None = None,
    syncnet_exp: str | None = None,
    face_backend: str = "auto",
    device: str = "cpu",
    jobs: int = 1,
) -> None:
    """Score the synchrony of every face that is seen for more than 100 frames; names of videos need not match.

    Args:
        real: Folder of real videos, the row to compare with.
        generated: Folders of generated videos, one for each system; leave out to score the real ones only.
        out: Folder to write: scores.md and lips.tsv, a line for each face track.
        syncnet_v2: syncnet_v2.model, or a folder that holds it, for LSE-D and LSE-C.
        syncnet_exp: Folder of a trained expert.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: cpu or cuda.
        jobs: Processes.
    """
    scoring = TrackScoring(
        real=real,
        generated=generated or [],
        out_dir=out,
        syncnet_exp=syncnet_exp,
        syncnet_v2=syncnet_v2,
        face_backend=face_backend,
        device=device,
    )
    print(run_scoring(scoring, jobs))


get_parser, main = worker(score_tracks)


if __name__ == "__main__":
    main()
