"""KSS: Korean sentences read by one professional voice actress.

12,853 recordings, more than 12 hours, 44.1 kHz; no video.

Source: Kaggle, data set bryanpark/korean-single-speaker-speech-dataset (with a login). Licence: CC BY-NC-SA 4.0,
so no commercial use. Citation: K. Park, "KSS Dataset: Korean Single Speaker Speech Dataset",
https://kaggle.com/bryanpark/korean-single-speaker-speech-dataset, 2018.

Layout that is read (older copies have transcript.v.1.3.txt):

    transcript.v.1.4.txt
    1/1_0000.wav ... 4/4_...wav

A line of the transcript has six fields between "|": the recording, the sentence as written, the sentence with its
numbers spelled out, the same as letters (jamo), seconds, English.
"""

import logging
import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

from silvertalk.data.corpus import Corpus, drop_unreadable, hold_out_utterances, read_text, require, tidy
from silvertalk.data.kaldi import Utterance

HINT = "egs/kss/tts1/README.md says how to get it"
SPEAKER = "kss"
TRANSCRIPT = "transcript.v.*.txt"
FIELDS = {"original": 1, "expanded": 2}  # value of --text -> field


def read(
    db_root: str, nj: int = 1, text: str = "expanded", dev_share: float = 0.02, eval_share: float = 0.02
) -> Corpus:
    """Read KSS.

    Args:
        db_root: Folder that holds the transcript and the folders 1 to 4.
        nj: Recordings checked at a time.
        text: "expanded": numbers are spelled out; "original": as written.
        dev_share: Part held out for dev; the corpus has no sets of its own.
        eval_share: Part held out for eval1.
    """
    if text not in FIELDS:
        raise ValueError(f"--text takes {' or '.join(FIELDS)}, not '{text}'")
    root = require(db_root, {TRANSCRIPT: "the list of sentences"}, HINT)
    transcript = newest_transcript(root)
    logging.info("sentences of %s", transcript)
    skipped: dict[str, str] = {}
    utterances = read_transcript(transcript, FIELDS[text], skipped)
    folders = sorted({str(Path(u.wav).parent.relative_to(root)) for u in utterances})
    require(root, {f"{folder}/*.wav": "the recordings that the transcript names" for folder in folders}, HINT)
    utterances = drop_unreadable(utterances, nj, skipped)
    return Corpus(hold_out_utterances(utterances, dev_share, eval_share), skipped, shares_speakers=True)


def newest_transcript(root: Path) -> Path:
    """Choose among the versions of the transcript."""
    return max(root.glob(TRANSCRIPT), key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)])


def read_transcript(path: str | os.PathLike, field: int, skipped: dict[str, str]) -> list[Utterance]:
    """Read the sentences.

    Args:
        path: The transcript; its fields are never quoted, quotation marks belong to the sentences.
        field: Number of the text's field.
        skipped: Gets the lines that cannot be used.

    Returns:
        Utterances whose ids are ESPnet's, as "kss_1_0000"; whether the recordings are there is not checked.
    """
    root = Path(path).parent
    utterances: dict[str, Utterance] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        fields = line.split("|")
        wav = PurePosixPath(unicodedata.normalize("NFC", fields[0].strip()))
        utt_id = f"{SPEAKER}_{wav.stem}"
        text = tidy(fields[field]) if len(fields) > field else ""
        if wav.suffix != ".wav" or wav.is_absolute() or ".." in wav.parts:
            skipped[f"{path}:{number}"] = f"'{wav}' is not the name of a recording, as 1/1_0000.wav"
        elif not text:
            skipped[utt_id] = f"{path}:{number}: has no text in field {field + 1}"
        elif utt_id in utterances:
            skipped[f"{path}:{number}"] = f"{wav} stands in an earlier line too"
        else:
            utterances[utt_id] = Utterance(utt_id, SPEAKER, text, str(root / wav))
    return list(utterances.values())
