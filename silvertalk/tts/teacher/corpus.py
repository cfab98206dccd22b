"""A corpus that a teacher speaks: utterance by utterance, kept where a recogniser writes down what was to be said."""

import json
import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from silvertalk.data.corpus import clean_name, make_utt_id
from silvertalk.data.kaldi import read_scp
from silvertalk.data.parts import PartWriter, combine_parts
from silvertalk.media import write_audio
from silvertalk.media.audio import sound_info
from silvertalk.tts.normalise import normalise
from silvertalk.tts.teacher.base import Spoken, Teacher
from silvertalk.utils import progress, write_text

SPACE = "<space>"  # how the token of a space is written in tables
DROPPED = "heard:"  # how the reason begins where the recogniser heard something else

# Judges a sound: float32 (T,), Hz, the text -> what was heard, and the share of wrong letters.
Judge = Callable[[np.ndarray, int, str], tuple[str, float]]


@dataclass(frozen=True)
class Order:
    """An utterance that is to be spoken."""

    utt_id: str  # of voice, language, text and speed: the same in every run
    spk: str
    text: str  # as it is written
    voice: str
    speed: float


def make_orders(texts: Iterable[str], language: str, voices: Sequence[str], speeds: Sequence[float]) -> list[Order]:
    """Let every voice say every text at every speed: voice by voice, so that an early stop leaves whole rounds."""
    return [_order(text, language, voice, speed) for voice in voices for speed in speeds for text in texts]


def _order(text: str, language: str, voice: str, speed: float) -> Order:
    spk = clean_name(voice.replace("*", "").replace("0.", ""))
    key = blake2b(text.encode(), digest_size=4).hexdigest()
    return Order(make_utt_id(spk, f"{language}-{key}-{round(100 * speed):03d}"), spk, text, voice, speed)


def read_texts(path: str | os.PathLike) -> list[str]:
    """Read texts, one a line.

    Raises:
        ValueError: There is none, or one twice.
    """
    texts = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    twice = [text for text, number in Counter(texts).items() if number > 1]
    if twice or not texts:
        raise ValueError(f"{path}: {f'{twice[0]!r} stands there twice' if twice else 'no text'}; one text a line")
    return texts


def speak_corpus(
    teacher: Teacher,
    orders: Sequence[Order],
    language: str,
    out_dir: str | os.PathLike,
    job: int,
    judge: Judge,
    max_cer: float,
) -> None:
    """Speak one job's orders; what was done before is kept, what a kill cut is done again.

    Args:
        teacher: Who speaks.
        orders: This job's.
        language: Of the texts.
        out_dir: Sound goes to ``data/<spk>/<utt_id>.flac``, the tables to ``parts``; see ``combine``.
        job: 1-based number of the job.
        judge: Who listens.
        max_cer: Largest share of wrong letters of an utterance that is kept.
    """
    with PartWriter(out_dir, job) as out:
        todo = [order for order in orders if order.utt_id not in out.done]
        logging.info("%d of %d utterances are to be spoken", len(todo), len(orders))
        for order in progress(todo, desc=f"speaking {job}"):
            try:
                spoken = teacher.speak(_tokens(teacher, order.text, language), order.voice, order.speed)
            except ValueError as error:
                out.skip(order.utt_id, f"{order.text}: {error}")
                continue
            heard, cer = judge(spoken.wav, teacher.sampling_rate, order.text)
            if cer > max_cer:
                out.skip(order.utt_id, f"{DROPPED} {cer:.3f} {heard} | {order.text}")
                continue
            path = (Path(out_dir) / "data" / order.spk / f"{order.utt_id}.flac").absolute()
            write_audio(path, spoken.wav, teacher.sampling_rate)
            out.add(order.utt_id, {}, {"wav.scp": path, "utt2spk": order.spk, "utt2lang": language, "text": order.text,
                                       "utt2cer": f"{cer:.3f}", "heard": heard, **_alignment(spoken)})  # fmt: skip


def _tokens(teacher: Teacher, text: str, language: str) -> list[str]:
    words = normalise(text, language)
    if words.unknown:
        raise ValueError(f"no reading for {' '.join(unknown.character for unknown in words.unknown)}")
    return teacher.phonemise(words.text, language)


def _alignment(spoken: Spoken) -> dict[str, object]:
    """The tables that say when which token sounds."""
    return {
        "phonemes": " ".join(token.replace(" ", SPACE) for token in spoken.tokens),
        "durations": " ".join(map(str, spoken.durations)),  # samples
        "utt2num_samples": len(spoken.wav),
    }


def combine(out_dir: str | os.PathLike) -> tuple[int, int]:
    """Merge what all jobs have done so far.

    Writes a Kaldi data directory (``wav.scp text utt2spk ...`` with ``phonemes``, ``durations`` in samples,
    ``utt2cer``, ``heard``), the lists ``kept.tsv`` and ``dropped.tsv``, and ``transcripts.txt``, which makes the folder
    a corpus in the layout of ``egs/custom``.

    Returns:
        Number of kept and of dropped utterances.

    Raises:
        RuntimeError: Nothing was kept.
    """
    out_dir = Path(out_dir)
    kept, dropped = combine_parts(out_dir, _finished(out_dir), max_skipped=1.0)
    if not kept:
        raise RuntimeError(f"{out_dir}: nothing was kept of {len(dropped)} utterances; see {out_dir}/skipped.tsv")
    os.replace(out_dir / "skipped.tsv", out_dir / "dropped.tsv")
    tables = {
        name: read_scp(out_dir / name) for name in ("wav.scp", "text", "utt2spk", "utt2cer", "heard", "utt2num_samples")
    }
    sampling_rate, _ = sound_info(next(iter(tables["wav.scp"].values())))
    seconds = {utt_id: int(number) / sampling_rate for utt_id, number in tables["utt2num_samples"].items()}
    rows = [
        f"{u}\t{tables['utt2cer'][u]}\t{seconds[u]:.2f}\t{tables['text'][u]}\t{tables['heard'][u]}\n" for u in seconds
    ]
    write_text(out_dir / "kept.tsv", "".join(rows))
    lines = [
        f"{Path(tables['wav.scp'][u]).relative_to(out_dir.absolute())}|{tables['text'][u]}|{tables['utt2spk'][u]}\n"
        for u in seconds
    ]
    write_text(out_dir / "transcripts.txt", "".join(lines))
    _log_shares(tables["utt2spk"], seconds, tables["utt2cer"], dropped)
    return kept, len(dropped)


def _finished(out_dir: Path) -> set[str]:
    """Utterances of all whole lines of the manifests; the last line of a running job may be half written."""
    manifests = sorted((out_dir / "parts").glob("part.*.jsonl"))
    lines = [line for path in manifests for line in path.read_text(encoding="utf-8").splitlines(keepends=True)]
    return {json.loads(line)["utt_id"] for line in lines if line.endswith("\n")}


def _log_shares(utt2spk: dict, seconds: dict, utt2cer: dict, dropped: dict[str, str]) -> None:
    """Say of each voice how much of it was kept, and how well all of it was understood."""
    errors: dict[str, list[float]] = defaultdict(list)
    hours: Counter[str] = Counter()
    for utt_id, spk in utt2spk.items():
        errors[spk].append(float(utt2cer[utt_id]))
        hours[spk] += seconds[utt_id] / 3600
    numbers = {spk: len(own) for spk, own in errors.items()}
    for utt_id, reason in dropped.items():
        if match := re.match(rf"{DROPPED} ([\d.]+)", reason):
            errors[utt_id.split("-")[0]].append(float(match[1]))
    for spk, own in sorted(errors.items()):
        number = numbers.get(spk, 0)
        logging.info(
            "%s: kept %d of %d (%.0f %%), %.2f hours; CER of all %.3f",
            *(spk, number, len(own), 100 * number / len(own), hours[spk], sum(own) / len(own)),
        )
