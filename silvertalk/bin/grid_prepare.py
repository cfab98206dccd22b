"""Stage 1 of GRID: data directories from the corpus as it was published."""

import logging
from pathlib import Path

from silvertalk.data import grid, validate_data_dir, write_data_dir
from silvertalk.data.download import fetch_zip, zenodo_files
from silvertalk.utils import write_text
from silvertalk.utils.cli import make_parser, run

RECORD_URL = "https://zenodo.org/api/records/3625687"
ALIGNMENTS = "alignments.zip"


def grid_prepare(
    db_root: str,
    out: str = "data",
    spk: str = "",
    download: bool = False,
    quality: str = "normal",
    dev_share: float = 0.05,
    eval_share: float = 0.075,
    min_clips: int = 10,
    num_frames: int = grid.NUM_FRAMES,
    max_skipped: float = 0.5,
    nj: int = 1,
    record_url: str = RECORD_URL,
) -> None:
    """Write data/{tr_no_dev,dev,eval1} of GRID.

    Args:
        db_root: Folder that holds s1, s2, ... and, if there are any, the align files.
        out: Folder for the data directories.
        spk: Speakers to take, as "s1" or "s1,s2,s20"; empty takes all.
        download: Fetch what is missing into db_root first.
        quality: "normal" or "high", where a speaker has both videos.
        dev_share: Part of each speaker's clips held out for dev.
        eval_share: Part held out for eval1.
        min_clips: Speakers with fewer clips are only trained on.
        num_frames: Frames of a whole clip, others are left out; 0 takes any.
        max_skipped: Largest share of unusable clips that is no error.
        nj: Threads that check the clips.
        record_url: The Zenodo record to download from.
    """
    if quality not in ("normal", "high"):
        raise ValueError(f"--quality takes normal or high, not '{quality}'")
    speakers = spk.replace(",", " ").split()
    if not db_root:
        raise ValueError("GRID needs --db_root: the folder that holds it, or in which --download true shall put it")
    if download:
        download_grid(db_root, speakers, record_url)
    clips = grid.find_clips(db_root, speakers or None, quality)
    wrong = grid.disagreeing_aligns(clips)
    grid.log_disagreements(wrong, clips)
    _write_table(Path(out) / "align_mismatch.tsv", wrong)
    skipped = grid.faulty_clips(clips, num_frames, nj)
    _write_table(Path(out) / "skipped.tsv", skipped)
    if len(skipped) > max_skipped * len(clips):
        raise RuntimeError(f"{len(skipped)} of {len(clips)} clips in {db_root} cannot be used; see {out}/skipped.tsv")
    sets = grid.split_clips([c for c in clips if c.utt_id not in skipped], dev_share, eval_share, min_clips)
    _write_sets(sets, Path(out), min_clips)
    logging.info(
        "GRID: %s, %d skipped, %d align files disagree",
        ", ".join(f"{len(own)} in {name}" for name, own in sets.items()), len(skipped), len(wrong),
    )  # fmt: skip


def _write_sets(sets: dict[str, list[grid.GridClip]], out: Path, min_clips: int) -> None:
    for name, clips in sets.items():
        if not clips:
            raise ValueError(
                f"no clip is left for {name}: no speaker has {min_clips} clips; "
                "give a fuller corpus, or change --min_clips, --dev_share and --eval_share"
            )
    for name, clips in sets.items():
        write_data_dir(out / name, map(grid.to_utterance, clips))
        validate_data_dir(out / name)


def _write_table(path: Path, table: dict[str, str]) -> None:
    write_text(path, "".join(f"{key}\t{table[key]}\n" for key in sorted(table)))


def download_grid(db_root: str, speakers: list[str], record_url: str = RECORD_URL) -> None:
    """Fetch the archives of speakers, and the align files; what is there is kept.

    Args:
        db_root: Where to put them.
        speakers: Names, or none for all.
        record_url: The Zenodo record.
    """
    files = zenodo_files(record_url)
    offered = [name.removesuffix(".zip") for name in files if name[0] == "s" and name[1:-4].isdigit()]
    for name in speakers:
        if name not in offered:
            raise ValueError(f"{record_url} has no speaker '{name}'; it has {' '.join(sorted(offered))}")
    for name in ([ALIGNMENTS] if ALIGNMENTS in files else []) + [f"{spk}.zip" for spk in speakers or sorted(offered)]:
        fetch_zip(files[name], db_root)


def get_parser():
    """Make the command line."""
    return make_parser(grid_prepare)


def main(cmd: list[str] | None = None) -> None:
    """Run from the command line."""
    run(get_parser(), grid_prepare, cmd)


if __name__ == "__main__":
    main()
