"""Kaldi data directories: ``wav.scp video.scp text utt2spk spk2utt [segments] [utt2lang] [utt2face]``.

Format: https://kaldi-asr.org/doc/data_prep.html. ``video.scp`` and ``utt2face`` are ours: the first has the
form of ``wav.scp``, the second says whose face is meant where a picture shows several.

Tables are read and written as streams, so that a corpus of millions of utterances takes no more memory than a
small one; only what has to be looked up in any order is held (``read_scp``).
"""

import collections
import contextlib
import itertools
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from silvertalk.utils import atomic_path, write_text

SEPARATOR = re.compile(r"[ \t]+")  # not every Unicode space: a no-break space belongs to the text
SORT_MEMORY = "256M"  # what lies beyond goes through temporary files beside the table


@dataclass(slots=True)
class Utterance:
    """One utterance of a data directory."""

    utt_id: str  # starts with the speaker id
    spk: str
    text: str | None = None
    wav: str | None = None  # sound file, or a video whose sound is meant
    video: str | None = None  # video file or folder of pictures, which may end in Kaldi's range of rows, "[0:24]"
    start: float = 0.0  # seconds, from `segments`
    end: float | None = None  # seconds; None: to the end of the file
    face: tuple[float, float] | None = None  # x, y of the middle of the face that is meant, 0..1 of width and height
    lang: str | None = None  # language that is spoken, as "ko"


def iter_lines(path: str | os.PathLike) -> Iterator[tuple[int, str, str]]:
    """Read a two-column Kaldi file (``wav.scp``, ``text``, ``utt2spk``, ...) line by line.

    Args:
        path: The file, UTF-8.

    Yields:
        Number of the line from 1, key, and rest of the line, "" where there is none.

    Raises:
        FileNotFoundError: There is no such file.
    """
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if stripped := line.strip():
                key, *value = SEPARATOR.split(stripped, maxsplit=1)
                yield number, key, value[0] if value else ""


def iter_scp(path: str | os.PathLike) -> Iterator[tuple[str, str]]:
    """Read a two-column Kaldi file as ``iter_lines`` does: key and rest of the line."""
    return ((key, value) for _, key, value in iter_lines(path))


def iter_sorted_lines(path: str | os.PathLike) -> Iterator[tuple[int, str, str]]:
    """Read a two-column Kaldi file as ``iter_lines`` does, and see to its order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not sorted, or a key appears twice.
    """
    last = b""
    for number, key, value in iter_lines(path):
        now = key.encode()
        if now == last:
            raise ValueError(f"{path}: the key '{key}' appears twice (line {number}); keep one line of it")
        if now < last:
            raise ValueError(
                f"{path} is not sorted: '{key}' (line {number}) stands too far down, or twice; sort it under LC_ALL=C"
            )
        yield number, key, value
        last = now


def iter_sorted(path: str | os.PathLike) -> Iterator[tuple[str, str]]:
    """Read a two-column Kaldi file as ``iter_sorted_lines`` does: key and rest of the line."""
    return ((key, value) for _, key, value in iter_sorted_lines(path))


def read_scp(path: str | os.PathLike) -> dict[str, str]:
    """Read a two-column Kaldi file to look things up in it.

    Example:
        ``s1-bbaf2n bin blue at f two now`` -> ``{"s1-bbaf2n": "bin blue at f two now"}``

    Args:
        path: The file, UTF-8.

    Returns:
        key -> rest of the line, in file order. A key without a value maps to "".

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A key appears twice.
    """
    entries: dict[str, str] = {}
    for number, key, value in iter_lines(path):
        if key in entries:
            raise ValueError(f"{path}: the key '{key}' appears twice (line {number}); keep one line of it")
        entries[key] = value
    return entries


@contextlib.contextmanager
def sorted_table(path: str | os.PathLike) -> Iterator[Callable[[str, object], None]]:
    """Write a two-column Kaldi file whose entries come in any order.

    Yields:
        A function that takes key and value. The file appears when the block
        has succeeded, sorted as ``LC_ALL=C sort`` does (by it, beyond memory).
    """
    last, in_order = b"", True
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as out:

            def add(key: str, value: object) -> None:
                nonlocal last, in_order
                now = key.encode()
                in_order, last = in_order and now >= last, now
                out.write(f"{key} {value}".rstrip() + "\n")

            yield add
        if not in_order:
            command = ["sort", "-S", SORT_MEMORY, "-T", str(temporary.parent), "-o", str(temporary), str(temporary)]
            sorting = subprocess.run(command, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True)
            if sorting.returncode:
                raise OSError(f"cannot sort {path} ({sorting.stderr.strip()}); free disk space")


def write_scp(path: str | os.PathLike, entries: dict[str, object]) -> None:
    """Write a two-column Kaldi file, sorted, atomically."""
    with sorted_table(path) as add:
        for key, value in entries.items():
            add(key, value)


def write_spk2utt(data_dir: str | os.PathLike) -> None:
    """Write ``spk2utt`` of the ``utt2spk`` beside it: speaker, then its utterances."""
    with sorted_table(Path(data_dir) / "spk2utt") as add:
        for spk, own in _by_speaker(data_dir):
            add(spk, " ".join(own))


def _by_speaker(data_dir) -> Iterator[tuple[str, Iterator[str]]]:
    """Group the utterance ids of ``utt2spk``, where those of one speaker stand together."""
    for spk, lines in itertools.groupby(iter_scp(Path(data_dir) / "utt2spk"), key=lambda line: line[1]):
        yield spk, (utt_id for utt_id, _ in lines)


def iter_data_dir(data_dir: str | os.PathLike) -> Iterator[Utterance]:
    """Read a data directory, ``segments`` included, one utterance at a time.

    Args:
        data_dir: Folder with ``utt2spk`` and at least one of ``wav.scp`` and
            ``video.scp``. With ``segments`` their keys are recording ids.

    Yields:
        The utterances in the order of ``utt2spk``. A missing file leaves its
        field None; an utterance that ``text`` does not have has the text "".

    Raises:
        FileNotFoundError: No ``utt2spk``.
        ValueError: A table is not sorted.
    """
    data_dir = Path(data_dir)
    if not (data_dir / "utt2spk").is_file():
        raise FileNotFoundError(f"no {data_dir}/utt2spk; run stage 1")
    columns = [SortedColumn(data_dir / name) for name in ("text", "segments", "utt2face", "utt2lang")]
    recordings = [data_dir / name for name in ("wav.scp", "video.scp")]
    if (data_dir / "segments").is_file():  # utterances share recordings, and ask for them in any order
        wav, video = (dict(_optional(path)) for path in recordings)
    else:
        columns += map(SortedColumn, recordings)
        wav, video = columns[-2:]
    text, segments, face, lang = columns[:4]
    untold = "" if (data_dir / "text").is_file() else None
    for utt_id, spk in iter_sorted(data_dir / "utt2spk"):
        recording, start, end = utt_id, 0.0, None
        if (segment := segments.get(utt_id)) is not None:
            recording, *times = segment.split()
            start, end = map(float, times)
        where = tuple(map(float, point.split())) if (point := face.get(utt_id)) else None
        told, sound, picture = text.get(utt_id), wav.get(recording), video.get(recording)
        yield Utterance(
            utt_id, spk, untold if told is None else told, sound, picture, start, end, where, lang.get(utt_id)
        )
    for column in columns:
        column.finish()


def read_data_dir(data_dir: str | os.PathLike, job: int = 1, num_jobs: int = 1) -> list[Utterance]:
    """Read a data directory, or one job's share of it; see ``iter_data_dir`` and ``shard``."""
    return list(shard(iter_data_dir(data_dir), job, num_jobs))


class SortedColumn:
    """A sorted table, where there is one, in which one reads on; keys are to be asked for in order.

    Args:
        path: The table.

    Raises:
        ValueError: It is not sorted; see ``iter_sorted``.
    """

    def __init__(self, path: Path):
        self._lines = iter_sorted(path) if path.is_file() else iter(())
        self._now = next(self._lines, None)

    def get(self, key: str) -> str | None:
        """Return a key's value, None where there is none."""
        wanted = key.encode()
        while self._now is not None and self._now[0].encode() < wanted:
            self._now = next(self._lines, None)
        return self._now[1] if self._now is not None and self._now[0] == key else None

    def finish(self) -> None:
        """Read the rest, which raises where the order is wrong: then keys were missed."""
        collections.deque(self._lines, 0)


def write_data_dir(data_dir: str | os.PathLike, utterances: Iterable[Utterance]) -> None:
    """Write a data directory with the files for which the utterances have entries.

    Utterances with an end are written through ``segments``, one recording for
    each. Files of an earlier call that no longer have entries are removed.

    Raises:
        ValueError: An utterance has a start and no end, which ``segments`` cannot say.
    """
    data_dir = Path(data_dir)
    with contextlib.ExitStack() as stack:
        tables: dict[str, Callable[[str, object], None]] = {}
        for u in utterances:
            for name, value in _entries(u).items():
                if name not in tables:
                    tables[name] = stack.enter_context(sorted_table(data_dir / name))
                tables[name](u.utt_id, value)
    for name in {"wav.scp", "video.scp", "text", "segments", "utt2face", "utt2lang", "utt2spk", "spk2utt"} - set(
        tables
    ):
        (data_dir / name).unlink(missing_ok=True)
    if "utt2spk" in tables:
        write_spk2utt(data_dir)


def _entries(u: Utterance) -> dict[str, object]:
    """What the tables say of an utterance."""
    if u.start and u.end is None:
        raise ValueError(f"utterance '{u.utt_id}' starts at {u.start} s and has no end; give its end")
    entries = {
        "wav.scp": u.wav,
        "video.scp": u.video,
        "text": u.text,
        "segments": None if u.end is None else f"{u.utt_id} {u.start:.4f} {u.end:.4f}",
        "utt2face": None if u.face is None else f"{u.face[0]:.4f} {u.face[1]:.4f}",
        "utt2lang": u.lang,
        "utt2spk": u.spk,
    }
    return {name: value for name, value in entries.items() if value is not None}


def validate_data_dir(data_dir: str | os.PathLike) -> None:
    """Check what Kaldi's ``validate_data_dir.sh --no-feats`` checks, and say where it fails.

    Raises:
        FileNotFoundError: A needed file is missing.
        ValueError: A file is empty, unsorted, or its keys differ from those of ``utt2spk``.
    """
    data_dir = Path(data_dir)
    for name in ("utt2spk", "spk2utt"):
        if not (data_dir / name).is_file():
            raise FileNotFoundError(f"no {data_dir}/{name}; run stage 1")
    last = b""
    for utt_id, spk in iter_sorted(data_dir / "utt2spk"):
        if not utt_id.startswith(spk):
            raise ValueError(f"{data_dir}/utt2spk: utterance '{utt_id}' does not start with its speaker '{spk}'")
        if spk.encode() < last:
            raise ValueError(
                f"{data_dir}/utt2spk: sorted by utterance it is not sorted by speaker; "
                "put '-' between speaker and utterance, which sorts before letters and digits"
            )
        last = spk.encode()
    if not last:
        raise ValueError(f"{data_dir}/utt2spk is empty: the corpus gave no utterance for this set")
    _check_spk2utt(data_dir)
    for name in ("text", "segments", "utt2lang"):
        _check_keys(data_dir / name, (key for key, _ in iter_scp(data_dir / "utt2spk")))
    for name in ("wav.scp", "video.scp"):
        _check_keys(data_dir / name, _recordings(data_dir))
    for _, point in _optional(data_dir / "utt2face"):
        if len(point.split()) != 2:
            raise ValueError(f"{data_dir}/utt2face: '{point}' is not 'x y', parts of width and height")


def _check_spk2utt(data_dir: Path) -> None:
    """Check that ``spk2utt`` is ``utt2spk`` turned round."""
    for own, listed in itertools.zip_longest(_by_speaker(data_dir), iter_sorted(data_dir / "spk2utt")):
        if own is None or listed is None or own[0] != listed[0] or " ".join(own[1]) != listed[1]:
            raise ValueError(f"{data_dir}/spk2utt does not match utt2spk; make it anew from utt2spk")


def _optional(path: Path) -> Iterator[tuple[str, str]]:
    return iter_sorted(path) if path.is_file() else iter(())


def _recordings(data_dir: Path) -> Iterable[str]:
    """Keys that ``wav.scp`` must have: utterances, or what ``segments`` are cut from."""
    if (data_dir / "segments").is_file():
        return sorted({line.split()[0] for _, line in iter_scp(data_dir / "segments")}, key=str.encode)
    return (key for key, _ in iter_scp(data_dir / "utt2spk"))


def _check_keys(path: Path, expected: Iterable[str]) -> None:
    """Check that a table, where there is one, is sorted and has exactly the expected keys."""
    if not path.is_file():
        return
    lines = iter_sorted(path)
    for line, wanted in itertools.zip_longest(lines, expected):
        key = line[0] if line else None
        if key != wanted:
            collections.deque(lines, 0)  # that it is not sorted explains more
            missing = key is None or wanted is not None and wanted.encode() < key.encode()
            odd, where = (wanted, "missing, the other tables have it") if missing else (key, "not in the other tables")
            raise ValueError(f"{path}: '{odd}' is {where}; make the tables anew")


def subset_data_dir(
    source: str | os.PathLike,
    target: str | os.PathLike,
    dropped: dict[str, str],
    replaced: dict[str, dict[str, object]] | None = None,
) -> int:
    """Copy a folder of Kaldi files without some utterances.

    Args:
        source: Folder with ``utt2spk``; every file in it keyed by the same utterances is copied.
        target: Folder to write; also gets ``dropped.tsv`` (utterance, reason).
        dropped: utterance -> why it is left out.
        replaced: file name -> utterance -> new value.

    Returns:
        Number of utterances kept.

    Raises:
        RuntimeError: Nothing is left.
    """
    source, target, replaced = Path(source), Path(target), replaced or {}
    write_text(target / "dropped.tsv", "".join(f"{key}\t{dropped[key]}\n" for key in sorted(dropped)))
    num_kept = sum(1 for utt_id, _ in iter_scp(source / "utt2spk") if utt_id not in dropped)
    if not num_kept:
        first = sorted(dropped)[0]
        raise RuntimeError(
            f"{source}: no utterance is left (first dropped: '{first}': {dropped[first]}); see {target}/dropped.tsv"
        )
    if (source / "feats_type").is_file():
        write_text(target / "feats_type", (source / "feats_type").read_text())
    present = {path.name for path in source.iterdir() if path.is_file() and _is_table(path)}
    for name in sorted(present | set(replaced)):
        new, kept = replaced.get(name, {}), 0
        # A new table goes through the utterances; an old one keeps what is not replaced.
        with sorted_table(target / name) as add:
            for utt_id, value in iter_scp(source / (name if name in present else "utt2spk")):
                if utt_id not in dropped:
                    add(utt_id, new.get(utt_id, value) if name in present else new[utt_id])
                    kept += 1
        if kept != num_kept:
            raise RuntimeError(f"{source}/{name} has {kept} of the {num_kept} utterances of utt2spk; make it anew")
    write_spk2utt(target)
    return num_kept


def _is_table(path: Path) -> bool:
    return path.suffix != ".tsv" and path.name not in ("spk2utt", "feats_type") and path.name[0] != "."


def shard(items: Iterable, job: int, num_jobs: int) -> Sequence | Iterator:
    """Return the share of one job: a part of a sequence, or an iterator of part of what comes.

    Args:
        items: Everything.
        job: 1-based, as in ``JOB=1:N``.
        num_jobs: N.
    """
    if not 1 <= job <= num_jobs:
        raise ValueError(f"job {job} is not in 1..{num_jobs}")
    if isinstance(items, Sequence):
        return items[job - 1 :: num_jobs]
    return itertools.islice(items, job - 1, None, num_jobs)
