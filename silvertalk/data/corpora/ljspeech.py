"""LJSpeech: English non-fiction read by one woman for LibriVox.

13,100 recordings, 23:55:17 hours, 22.05 kHz; no video. Texts of 1884 to 1964, recordings of 2016 and 2017.

Source: https://keithito.com/LJ-Speech-Dataset. Licence: public domain, texts and recordings. Citation: K. Ito and
L. Johnson, "The LJ Speech Dataset", https://keithito.com/LJ-Speech-Dataset, 2017.

Layout that is read; db_root may also be the folder in which LJSpeech-1.1 lies:

    metadata.csv
    wavs/LJ001-0001.wav ...        (or .flac)

A line of metadata.csv has three fields between "|": id, sentence as written, sentence with its numbers as words. The
many corpora that others made in this layout are read too.
"""

import logging
import os
from pathlib import Path

from silvertalk.data.corpus import Corpus, drop_unreadable, hold_out_last, make_utt_id, read_text, require, tidy
from silvertalk.data.kaldi import Utterance

HINT = "egs/ljspeech/tts1/README.md says how to get it"
FOLDER = "LJSpeech-1.1"
METADATA = "metadata.csv"
SUFFIXES = (".wav", ".flac")
FIELDS = {"original": 1, "expanded": 2}  # value of --text -> field
NUM_DEV = NUM_EVAL = 250  # ESPnet's sets: the last 500


def read(db_root: str, nj: int = 1, text: str = "expanded", spk: str = "LJ") -> Corpus:
    """Read LJSpeech, or a corpus in its layout.

    Args:
        db_root: Folder that holds metadata.csv and wavs, or LJSpeech-1.1 with them.
        nj: Recordings checked at a time.
        text: "expanded": numbers are words, where the line says them so; "original": as written.
        spk: The speaker; ids that do not begin so, as in other corpora of this layout, get it in front.
    """
    if text not in FIELDS:
        raise ValueError(f"--text takes {' or '.join(FIELDS)}, not '{text}'")
    root = require(db_root, {}, HINT)
    root = root / FOLDER if (root / FOLDER / METADATA).is_file() else root
    require(root, {METADATA: "the list of sentences", "wavs": "the folder of recordings"}, HINT)
    skipped: dict[str, str] = {}
    utterances = read_metadata(root / METADATA, FIELDS[text], spk, skipped)
    utterances = drop_unreadable(utterances, nj, skipped)
    return Corpus(hold_out_last(utterances, NUM_DEV, NUM_EVAL), skipped, shares_speakers=True)


def read_metadata(path: str | os.PathLike, field: int, spk: str, skipped: dict[str, str]) -> list[Utterance]:
    """Read the sentences.

    Args:
        path: metadata.csv. Nothing in it is quoted: a quotation mark is part of the sentence, and some are never
            closed, so a reader of CSV files would swallow lines.
        field: Number of the text's field; where it is missing or empty, the one before.
        spk: The speaker.
        skipped: Gets the lines that cannot be used.

    Returns:
        Utterances, whose files may turn out to be missing.
    """
    wavs = Path(path).parent / "wavs"
    utterances: dict[str, Utterance] = {}
    unexpanded = 0
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        name, *texts = [tidy(part) for part in line.split("|")]
        texts = texts[:field]
        utt_id = name if name.startswith(spk) else make_utt_id(spk, name)
        said = next((each for each in reversed(texts) if each), "")
        if not name or "/" in name or " " in name:
            skipped[f"{path}:{number}"] = f"'{name}' is not the id of a recording, as LJ001-0001"
        elif utt_id in utterances:
            skipped[f"{path}:{number}"] = f"{name} stands in an earlier line too"
        elif not said:
            skipped[utt_id] = f"{path}:{number}: has no text"
        else:
            unexpanded += len(texts) < field or not texts[field - 1]
            utterances[utt_id] = Utterance(utt_id, spk, said, str(find_recording(wavs, name)))
    if unexpanded:
        logging.warning("%d lines of %s have no field %d; the one before is taken", unexpanded, path, field + 1)
    return list(utterances.values())


def find_recording(wavs: Path, name: str) -> Path:
    """Find the file of an id; where there is none, say where it should be."""
    candidates = [wavs / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])
