"""Kaldi data directories: ``wav.scp video.scp text utt2spk spk2utt [segments]``.

Format: https://kaldi-asr.org/doc/data_prep.html. ``video.scp`` is ours and has
the form of ``wav.scp``.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from silvertalk.utils import write_text

SEPARATOR = re.compile(r"[ \t]+")  # not every Unicode space: a no-break space belongs to the text


@dataclass
class Utterance:
    """One utterance of a data directory."""

    utt_id: str  # starts with the speaker id
    spk: str
    text: str | None = None
    wav: str | None = None  # sound file, or a video whose sound is meant
    video: str | None = None  # video file
    start: float = 0.0  # seconds, from `segments`
    end: float | None = None  # seconds; None: to the end of the file


def read_scp(path: str | os.PathLike) -> dict[str, str]:
    """Read a two-column Kaldi file (``wav.scp``, ``text``, ``utt2spk``, ...).

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
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            key, *value = SEPARATOR.split(line.strip(), maxsplit=1)
            if key in entries:
                raise ValueError(f"{path}:{number}: the key '{key}' appears twice; keep one line of it")
            entries[key] = value[0] if value else ""
    return entries


def write_scp(path: str | os.PathLike, entries: dict[str, object]) -> None:
    """Write a two-column Kaldi file, sorted as ``LC_ALL=C sort`` does, atomically."""
    keys = sorted(entries, key=lambda key: key.encode())
    write_text(path, "".join(f"{key} {entries[key]}".rstrip() + "\n" for key in keys))


def read_data_dir(data_dir: str | os.PathLike) -> list[Utterance]:
    """Read a data directory, ``segments`` included.

    Args:
        data_dir: Folder with ``utt2spk`` and at least one of ``wav.scp`` and
            ``video.scp``. With ``segments`` their keys are recording ids.

    Returns:
        The utterances in the order of ``utt2spk``. A missing file leaves its
        field None.

    Raises:
        FileNotFoundError: No ``utt2spk``.
    """
    data_dir = Path(data_dir)
    if not (data_dir / "utt2spk").is_file():
        raise FileNotFoundError(f"no {data_dir}/utt2spk; run stage 1")

    def table(name: str) -> dict[str, str]:
        return read_scp(data_dir / name) if (data_dir / name).is_file() else {}

    wav, video, text, segments = table("wav.scp"), table("video.scp"), table("text"), table("segments")
    utterances = []
    for utt_id, spk in read_scp(data_dir / "utt2spk").items():
        recording, start, end = utt_id, 0.0, None
        if utt_id in segments:
            recording, *times = segments[utt_id].split()
            start, end = map(float, times)
        utterances.append(
            Utterance(utt_id, spk, text.get(utt_id), wav.get(recording), video.get(recording), start, end)
        )
    return utterances


def write_data_dir(data_dir: str | os.PathLike, utterances: Iterable[Utterance]) -> None:
    """Write a data directory with the files for which the utterances have entries.

    Utterances with an end are written through ``segments``, one recording for
    each. Files of an earlier call that no longer have entries are removed.

    Raises:
        ValueError: An utterance has a start and no end, which ``segments`` cannot say.
    """
    data_dir = Path(data_dir)
    utterances = list(utterances)
    for u in utterances:
        if u.start and u.end is None:
            raise ValueError(f"utterance '{u.utt_id}' starts at {u.start} s and has no end; give its end")
    utt2spk = {u.utt_id: u.spk for u in utterances}
    files = {
        "wav.scp": {u.utt_id: u.wav for u in utterances if u.wav},
        "video.scp": {u.utt_id: u.video for u in utterances if u.video},
        "text": {u.utt_id: u.text for u in utterances if u.text is not None},
        "segments": {u.utt_id: f"{u.utt_id} {u.start:.4f} {u.end:.4f}" for u in utterances if u.end is not None},
        "utt2spk": utt2spk,
        "spk2utt": spk2utt(utt2spk),
    }
    for name, entries in files.items():
        if entries:
            write_scp(data_dir / name, entries)
        else:
            (data_dir / name).unlink(missing_ok=True)


def spk2utt(utt2spk: dict[str, str]) -> dict[str, str]:
    """Turn ``utt2spk`` round: speaker -> its utterance ids, sorted, with spaces between."""
    utterances: dict[str, list[str]] = {}
    for utt_id in sorted(utt2spk, key=str.encode):
        utterances.setdefault(utt2spk[utt_id], []).append(utt_id)
    return {spk: " ".join(ids) for spk, ids in utterances.items()}


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
    utt2spk = read_scp(data_dir / "utt2spk")
    if not utt2spk:
        raise ValueError(f"{data_dir}/utt2spk is empty: the corpus gave no utterance for this set")
    for utt_id, spk in utt2spk.items():
        if not utt_id.startswith(spk):
            raise ValueError(f"{data_dir}/utt2spk: utterance '{utt_id}' does not start with its speaker '{spk}'")
    _check_tables(data_dir, utt2spk)
    if list(utt2spk.values()) != sorted(utt2spk.values(), key=str.encode):
        raise ValueError(
            f"{data_dir}/utt2spk: sorted by utterance it is not sorted by speaker; "
            "put '-' between speaker and utterance, which sorts before letters and digits"
        )
    listed = {utt_id: spk for spk, ids in read_scp(data_dir / "spk2utt").items() for utt_id in ids.split()}
    if listed != utt2spk:
        raise ValueError(f"{data_dir}/spk2utt does not match utt2spk; make it anew from utt2spk")


def _check_tables(data_dir: Path, utt2spk: dict[str, str]) -> None:
    """Check that every table is sorted and speaks of the same utterances (or recordings)."""
    utterances, recordings = set(utt2spk), set(utt2spk)
    if (data_dir / "segments").is_file():
        recordings = {line.split()[0] for line in read_scp(data_dir / "segments").values()}
    wanted = {"utt2spk": utterances, "text": utterances, "segments": utterances, "wav.scp": recordings,
              "video.scp": recordings, "spk2utt": set(utt2spk.values())}  # fmt: skip
    for name, expected in wanted.items():
        path = data_dir / name
        if not path.is_file():
            continue
        keys = list(read_scp(path))
        if keys != sorted(keys, key=str.encode):
            raise ValueError(f"{path} is not sorted; sort it under LC_ALL=C")
        if set(keys) != expected:
            odd = min(set(keys) ^ expected)
            where = "not in the other tables" if odd in keys else "missing, the other tables have it"
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
    utt2spk = read_scp(source / "utt2spk")
    kept = [utt_id for utt_id in utt2spk if utt_id not in dropped]
    write_text(target / "dropped.tsv", "".join(f"{key}\t{dropped[key]}\n" for key in sorted(dropped)))
    if not kept:
        first = sorted(dropped)[0]
        raise RuntimeError(
            f"{source}: no utterance is left (first dropped: '{first}': {dropped[first]}); see {target}/dropped.tsv"
        )
    write_scp(target / "spk2utt", spk2utt({utt_id: utt2spk[utt_id] for utt_id in kept}))
    if (source / "feats_type").is_file():
        write_text(target / "feats_type", (source / "feats_type").read_text())
    for path in sorted(source.iterdir()):
        if path.suffix == ".tsv" or path.name in ("spk2utt", "feats_type") or not path.is_file() or path.name[0] == ".":
            continue
        table = {**read_scp(path), **replaced.get(path.name, {})}
        write_scp(target / path.name, {utt_id: table[utt_id] for utt_id in kept})
    for name in set(replaced) - {path.name for path in source.iterdir()}:
        write_scp(target / name, {utt_id: replaced[name][utt_id] for utt_id in kept})
    return len(kept)


def shard(items: Sequence, job: int, num_jobs: int) -> Sequence:
    """Return the share of one job.

    Args:
        items: Everything.
        job: 1-based, as in ``JOB=1:N``.
        num_jobs: N.
    """
    if not 1 <= job <= num_jobs:
        raise ValueError(f"job {job} is not in 1..{num_jobs}")
    return items[job - 1 :: num_jobs]
