"""LSE on a list of pairs, as published for LRS2, LRS3 and LRW."""

from pathlib import Path

from silvertalk.bin.commands.common import run_with_talker, talker_parser
from silvertalk.evaluate.protocols import PairScoring, read_pairs, render_pairs
from silvertalk.evaluate.score_folders import run_scoring


def score_pairs(
    pairs: str,
    data_root: str,
    out: str,
    results: str | None = None,
    model: str = "wav2lip",
    syncnet_v2: str | None = None,
    syncnet_exp: str | None = None,
    lse_crop: str = "frame",
    face_backend: str = "auto",
    device: str = "cpu",
    jobs: int = 1,
    setup=None,
) -> None:
    """Score what faces of a list say when they are given the sounds of the list; the real videos are scored beside.

    Args:
        pairs: List with lines "AUDIO VIDEO", names below data_root, suffixes may be left out.
        data_root: Folder of the corpus.
        out: Folder to write: scores.md, lips.tsv, and without --results the videos.
        results: Folder with <line number from 0>.mp4 of any system; leave out to have them made, without loss, in
            out/videos.
        model: The talker that makes them, see ``silvertalk lipsync``.
        syncnet_v2: syncnet_v2.model, or a folder that holds it, for LSE-D and LSE-C.
        syncnet_exp: Folder of a trained expert.
        lse_crop: What LSE looks at: frame (the whole picture, as published for lists) or face.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: cpu or cuda.
        jobs: Processes.
        setup: The talker's options.
    """
    if results is None:
        results = str(Path(out) / "videos")
        render_pairs(read_pairs(pairs, data_root), setup.talker(), setup.rendering(), results)
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


def get_parser(model: str = "wav2lip"):
    """Return the parser, with the options of a talker."""
    return talker_parser(score_pairs, model)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_with_talker(score_pairs, cmd)


if __name__ == "__main__":
    main()
