"""CSMSC (also Baker, BZNSYP): Mandarin sentences read by one woman.

10,000 recordings, about 12 hours, 48 kHz; no video.

Source: DataBaker, https://www.data-baker.com/open_source.html. Terms: copyright DataBaker, for non-commercial use only.
Citation: DataBaker Technology, "Chinese Standard Mandarin Speech Corpus", 2017.

Layout that is read; db_root may also be the folder in which BZNSYP or CSMSC lies:

    Wave/000001.wav ...
    ProsodyLabeling/000001-010000.txt
    PhoneLabeling/000001.interval ...        (may be missing)

Two lines of the labels belong to an utterance: id, tab, characters; then a tab and its syllables in pinyin. "#1" to
"#4" mark breaks of rising strength. An interval file is a TextGrid of Praat in the short form, its sounds with their
times; the first and the last are silence ("sil").
"""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from silvertalk.data.corpus import Corpus, drop_unreadable, hold_out_last, look_at, read_text, require, tidy
from silvertalk.data.kaldi import Utterance

HINT = "egs/csmsc/tts1/README.md says how to get it"
SPEAKER = "csmsc"
FOLDERS = ("BZNSYP", "CSMSC")
WAVES, LABELS, INTERVALS = "Wave", "ProsodyLabeling", "PhoneLabeling"
ENCODINGS = ("utf-8-sig", "gb18030")
NUM_DEV = NUM_EVAL = 100  # ESPnet's sets: the last 200
BREAK = re.compile(r"#[1-4]")
SOUND = re.compile(r'([\d.]+)\s+([\d.]+)\s+"([^"]*)"')  # begin and end (seconds), label
SILENCES = {"sil", "sp", ""}


def read(db_root: str, nj: int = 1, cut: bool = True) -> Corpus:
    """Read CSMSC.

    Args:
        db_root: Folder that holds Wave and ProsodyLabeling, or BZNSYP or CSMSC with them.
        nj: Recordings checked at a time.
        cut: Leave out the silence around the sentence where PhoneLabeling says where it is.
    """
    root = require(db_root, {}, HINT)
    root = next((root / name for name in FOLDERS if (root / name / LABELS).is_dir()), root)
    require(root, {f"{LABELS}/*.txt": "the sentences", WAVES: "the folder of recordings"}, HINT)
    skipped: dict[str, str] = {}
    utterances = [u for path in sorted((root / LABELS).glob("*.txt")) for u in read_labels(path, root / WAVES, skipped)]
    utterances = drop_unreadable(utterances, nj, skipped)
    if cut:
        utterances = give_times(utterances, root / INTERVALS)
    return Corpus(hold_out_last(utterances, NUM_DEV, NUM_EVAL), skipped, shares_speakers=True)


def read_labels(path: str | os.PathLike, waves: Path, skipped: dict[str, str]) -> Iterator[Utterance]:
    """Read the sentences of a file, without the marks of breaks.

    Args:
        path: The file.
        waves: Folder of the recordings.
        skipped: Gets the lines that cannot be used.

    Yields:
        Utterances, whose files may turn out to be missing.
    """
    seen = set()
    for number, line in enumerate(read_text(path, ENCODINGS).split("\n"), 1):
        if not line.strip() or line[0].isspace():  # the pinyin
            continue
        name, *text = line.split(maxsplit=1)
        said = tidy(BREAK.sub("", text[0])) if text else ""
        utt_id = f"{SPEAKER}_{name}"
        if not name.isdigit():
            skipped[f"{path}:{number}"] = f"'{name}' is not the number of a recording, as 000001"
        elif name in seen:
            skipped[f"{path}:{number}"] = f"{name} stands in an earlier line too"
        elif not said:
            skipped[utt_id] = f"{path}:{number}: has no text"
        else:
            seen.add(name)
            yield Utterance(utt_id, SPEAKER, said, str(waves / f"{name}.wav"))


def give_times(utterances: list[Utterance], intervals: Path) -> list[Utterance]:
    """Say where the sentences begin and end; one without labels lasts as long as its recording."""
    times = [read_times(intervals / f"{Path(u.wav).stem}.interval") for u in utterances]
    lacking = sum(found is None for found in times)
    if lacking == len(utterances):
        logging.info("no labels in %s: the recordings are taken as they are", intervals)
        return utterances
    if lacking:
        logging.warning("%d of %d utterances have no readable labels in %s", lacking, len(utterances), intervals)
    timed = []
    for u, found in zip(utterances, times, strict=True):
        start, end = found or (0.0, look_at(u.wav).duration)
        timed.append(replace(u, start=start, end=end))
    return timed


def read_times(path: str | os.PathLike) -> tuple[float, float] | None:
    """Read begin and end of the speech (seconds) from an interval file; None without a usable one."""
    if not Path(path).is_file():
        return None
    sounds = SOUND.findall(read_text(path, ENCODINGS))
    spoken = [(float(begin), float(end)) for begin, end, label in sounds if label not in SILENCES]
    return (spoken[0][0], spoken[-1][1]) if spoken and spoken[0][0] < spoken[-1][1] else None
