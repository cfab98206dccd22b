"""Tables of a data directory that do not fit together, line by line, before hours are spent on them."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from silvertalk.data.kaldi import iter_scp, iter_sorted_lines
from silvertalk.utils import atomic_path


@dataclass(frozen=True)
class OddLine:
    """A line that has no partner in another table, or is not there."""

    place: str  # file and line, "data/dev/text:7"; the file alone where the line is missing
    key: str
    problem: str  # and what is done about it


MISSING = {
    "text": "has no transcript: left out",
    "wav.scp": "has no sound: left out",
    "segments": "has no times: the recording of the same name is taken whole",
    "utt2lang": "has no language: told by the script of its text",
}
EMPTY = {"text": "the transcript is empty: left out", "wav.scp": "names no file: left out"}


def find_odd_lines(data_dir: str | os.PathLike) -> Iterator[OddLine]:
    """Compare the tables of a data directory with its ``utt2spk``.

    Args:
        data_dir: Folder with ``utt2spk`` and any of ``text``, ``wav.scp``, ``segments`` and ``utt2lang``.

    Yields:
        What does not fit, in the order of the tables and their keys.

    Raises:
        ValueError: A table is not sorted, or a key appears twice in it; the message names file and line.
    """
    data_dir = Path(data_dir)
    segmented = (data_dir / "segments").is_file()
    for name in ("text", "segments", "utt2lang", "wav.scp"):
        if not (data_dir / name).is_file():
            continue
        if name == "wav.scp" and segmented:
            recordings = {value.split()[0] for _, value in iter_scp(data_dir / "segments") if value}
            keys, known_by = sorted(recordings, key=str.encode), "segments"
        else:
            keys, known_by = (key for _, key, _ in iter_sorted_lines(data_dir / "utt2spk")), "utt2spk"
        yield from _compare(data_dir / name, keys, known_by)


def _compare(path: Path, keys: Iterable[str], known_by: str) -> Iterator[OddLine]:
    """Read on in a sorted table and in the sorted keys that it should have."""
    lines = iter_sorted_lines(path)
    line = next(lines, None)
    extra = f"is not in {known_by}: not used; add it there, or remove the line"
    for key in keys:
        while line and line[1].encode() < key.encode():
            yield OddLine(f"{path}:{line[0]}", line[1], extra)
            line = next(lines, None)
        if not line or line[1] != key:
            yield OddLine(str(path), key, MISSING[path.name])
            continue
        if not line[2] and path.name in EMPTY:
            yield OddLine(f"{path}:{line[0]}", key, EMPTY[path.name])
        line = next(lines, None)
    while line:
        yield OddLine(f"{path}:{line[0]}", line[1], extra)
        line = next(lines, None)


def write_odd_lines(data_dir: str | os.PathLike, path: str | os.PathLike) -> int:
    """Write what ``find_odd_lines`` finds to a file: place, key and problem, parted by tabs.

    Returns:
        Number of lines.
    """
    number = 0
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        for odd in find_odd_lines(data_dir):
            out.write(f"{odd.place}\t{odd.key}\t{odd.problem}\n")
            number += 1
    return number
