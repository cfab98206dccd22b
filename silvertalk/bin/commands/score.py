"""``silvertalk score``: generated videos beside the real ones."""

from silvertalk.utils.cli import worker


def score(
    real: str,
    generated: list[str] | None = None,
    out: str = "scores",
    syncnet_exp: str | None = None,
    syncnet_v2: str | None = None,
    lse_crop: str = "face",
    face_backend: str = "auto",
    device: str = "cpu",
    jobs: int = 1,
) -> None:
    """Score generated videos of any system against the real ones; a run that was stopped goes on where it was.

    Args:
        real: Folder of real videos.
        generated: Folders of generated videos, one for each system; files are matched by name without suffix.
        out: Folder to write: scores.md, lips.tsv (a line for each clip and system), unmatched.tsv, offset.png.
        syncnet_exp: Folder of a trained expert (stage 9), for its distance, confidence and offset.
        syncnet_v2: syncnet_v2.model, or a folder that holds it, for LSE-D and LSE-C.
        lse_crop: What LSE looks at: face (tracked and cut out) or frame (the whole picture, as for LRS2 and LRW).
        face_backend: auto, dlib, face_alignment or s3fd.
        device: cpu or cuda, for the networks that judge synchrony.
        jobs: Processes.
    """
    from silvertalk.evaluate.score_folders import FolderScoring, run_scoring

    if not generated:
        raise ValueError("no --generated folder: name one or more")
    scoring = FolderScoring(
        real=real,
        generated=generated,
        out_dir=out,
        syncnet_exp=syncnet_exp,
        syncnet_v2=syncnet_v2,
        lse_crop=lse_crop,
        face_backend=face_backend,
        device=device,
    )
    print(run_scoring(scoring, jobs))


get_parser, main = worker(score, prog="silvertalk score")
