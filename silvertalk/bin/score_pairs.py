"""LSE on a list of pairs, as published for LRS2, LRS3 and LRW."""

from pathlib import Path

from silvertalk.evaluate.protocols import PairScoring, read_pairs, render_pairs
from silvertalk.evaluate.score_folders import run_scoring
from silvertalk.utils.cli import make_parser, run


def score_pairs(
    pairs: str,
    data_root: str,
    out: str,
    results: str | None = None,
    wav2lip_exp: str | None = None,
    syncnet_v2: str | None = None,
    syncnet_exp: str | None = None,
    lse_crop: str = "frame",
    face_backend: str = "auto",
    device: str = "cpu",
    jobs: int = 1,
) -> None:
    """Score what faces of a list say when they are given the sounds of the list; the real videos are scored beside.

    Args:
        pairs: List with lines "AUDIO VIDEO", names below data_root, suffixes may be left out.
        data_root: Folder of the corpus.
        out: Folder to write: scores.md, lips.tsv, and without --results the videos.
        results: Folder with <line number from 0>.mp4 of any system.
        wav2lip_exp: Generator that makes the results, without loss, in out/videos.
        syncnet_v2: syncnet_v2.model, or a folder that holds it, for LSE-D and LSE-C.
        syncnet_exp: Folder of a trained expert.
        lse_crop: What LSE looks at: frame (the whole picture, as published for lists) or face.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: cpu or cuda.
        jobs: Processes.
    """
    if (results is None) == (wav2lip_exp is None):
        raise ValueError("give --results or --wav2lip_exp, one of them")
    if wav2lip_exp is not None:
        from silvertalk.wav2lip.lipsync import LipSync

        results = str(Path(out) / "videos")
        render_pairs(read_pairs(pairs, data_root), LipSync(wav2lip_exp, backend=face_backend, device=device), results)
    scoring = PairScoring(
        pairs=pairs,
        data_root=data_root,
        results=results,
        out_dir=out,
        syncnet_exp=syncnet_exp,
        syncnet_v2=syncnet_v2,
        lse_crop=lse_crop,
        face_backend=face_backend,
        device=device,
    )
    print(run_scoring(scoring, jobs))


def get_parser():
    """Return the parser."""
    return make_parser(score_pairs)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), score_pairs, cmd)


if __name__ == "__main__":
    main()
