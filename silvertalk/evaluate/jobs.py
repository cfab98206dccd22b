"""What scoring lips and voices has in common: one job's share, what is scored already, files and pages."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, shard
from silvertalk.evaluate import provenance
from silvertalk.evaluate.tables import Row
from silvertalk.utils import progress, write_text

ERRORS = (ValueError, RuntimeError, FileNotFoundError)  # what a clip itself is to blame for


def score_share(
    folder: Path,
    scored: Iterable[str],
    score: Callable[[str], tuple[list[Row], dict[str, np.ndarray]]],
    job: int = 1,
    num_jobs: int = 1,
    quiet: bool = False,
) -> None:
    """Score one job's share of what is not scored yet.

    Args:
        folder: Gets ``parts``; ``tables.merge_scores`` reads them.
        scored: Ids of all jobs together.
        score: Id -> its rows, and curves for the plots.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
        quiet: Show no bar.
    """
    scored = list(scored)
    write_text(folder / "expected", "".join(f"{utt_id}\n" for utt_id in scored))
    with PartWriter(folder, job) as out:
        todo = [utt_id for utt_id in shard(scored, job, num_jobs) if utt_id not in out.done]
        for utt_id in todo if quiet else progress(todo, desc=f"{folder.name} {job}"):
            rows, curves = score(utt_id)
            out.add(utt_id, curves, {"rows": json.dumps(rows)})


def note(name: object, error: Exception) -> str:
    """Log why something is not scored; returns it as a row's remark."""
    logging.warning("%s: not scored: %s", name, error)
    return " ".join(str(error).split())


def find_files(folder: str | os.PathLike, wanted: Callable[[Path], bool], what: str) -> dict[str, Path]:
    """List files of a folder, at any depth, by their names; those that begin with a dot are left out.

    Args:
        folder: Where they are.
        wanted: Whether a file or folder is one of them.
        what: For messages.

    Returns:
        Path below the folder, without suffix and with ``_`` for spaces -> file; sorted.

    Raises:
        FileNotFoundError: No such folder, or nothing in it.
        ValueError: Two have one name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; name a folder of {what}")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or not wanted(path):
            continue
        name = (path if path.is_dir() else path.with_suffix("")).relative_to(folder).as_posix().replace(" ", "_")
        if name in files:
            raise ValueError(f"{path} and {files[name]} have one name; rename or remove one")
        files[name] = path
    if not files:
        raise FileNotFoundError(f"{folder}: holds no {what}; name another folder")
    return files


def file_stamp(path: Path) -> tuple[int, int]:
    """Size (bytes) and time of change (ns)."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def forget_others(folder: Path, settings: object) -> None:
    """Remove the scores in a folder if they were made of other files or with other options."""
    key, text = folder.parent / "settings.json", json.dumps(settings, ensure_ascii=False, indent=0)
    if folder.is_dir() and not (key.is_file() and key.read_text(encoding="utf-8") == text):
        logging.info("%s: files or options changed; everything is scored again", folder.parent)
        shutil.rmtree(folder)
    write_text(key, text)


def write_page(out_dir: Path, sections: Sequence[str]) -> str:
    """Write the sections of a page that are not empty, and what made it, to ``scores.md``; returns the page."""
    made = f"Silvertalk commit {provenance.git_commit()}; {provenance.machine()}."
    page = "\n\n".join([*filter(None, sections), made]) + "\n"
    write_text(out_dir / "scores.md", page)
    return page
