"""When what was said: captions to read along (SubRip, WebVTT) and the time of every token (TSV, JSON)."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from silvertalk.tts.sentences import break_line, divide
from silvertalk.utils import write_text

LINE = 42  # columns of a caption's line, two lines at once; a Hangul or Chinese character takes two
CAPTION_FORMATS = (".srt", ".vtt")
TIMING_FORMATS = (".tsv", ".json")


@dataclass(frozen=True)
class TimedToken:
    """A phoneme or character."""

    token: str  # as in the voice's token list
    start: float  # seconds from the beginning of the whole sound
    end: float


@dataclass(frozen=True)
class TimedSentence:
    """When a sentence was said."""

    number: int  # from 1, of the whole text
    text: str  # as it is written
    spoken: str  # what the voice read: words or phonemes; empty when it was left out
    start: float  # seconds from the beginning of the whole sound
    end: float
    tokens: tuple[TimedToken, ...] = ()  # none if the model does not say
    problem: str = ""  # why it was left out
    language: str = ""  # in which it was said, as "ko"


@dataclass(frozen=True)
class Cue:
    """A caption."""

    start: float  # seconds
    end: float
    lines: tuple[str, ...]  # one or two


def make_cues(sentence: TimedSentence, count_tokens: Callable[[str], int], line: int = LINE) -> list[Cue]:
    """Cut a sentence into captions of at most two lines.

    A caption that is a part of a sentence begins when its first token is said: the parts are laid over the sentence's
    tokens in proportion to the tokens that each makes alone, since normalised text has other words than written text.

    Args:
        sentence: The sentence; one that was left out has no caption.
        count_tokens: Number of tokens that a text becomes.
        line: Columns of a line.
    """
    if sentence.problem:
        return []
    parts = [text for text, _ in divide(sentence.text, "", lambda text: break_line(text, line) is not None)]
    counts = [max(1, count_tokens(part)) for part in parts] if len(parts) > 1 else [1]
    starts = [_time(sentence, sum(counts[:k]) / sum(counts)) for k in range(len(parts))]
    return [
        Cue(start, end, tuple(break_line(part, line) or [part]))
        for part, start, end in zip(parts, starts, [*starts[1:], sentence.end], strict=True)
    ]


def _time(sentence: TimedSentence, share: float) -> float:
    """When a share (0 to 1) of the tokens was said."""
    if not sentence.tokens:
        return sentence.start + share * (sentence.end - sentence.start)
    return sentence.tokens[round(share * len(sentence.tokens))].start if share else sentence.start


def check_names(captions: Sequence[str | os.PathLike], timings: str | os.PathLike | None) -> None:
    """Refuse names of files that cannot be written, before anything is spoken.

    Raises:
        ValueError: Another suffix.
    """
    wanted = [("--captions", path, CAPTION_FORMATS) for path in captions]
    wanted += [("--timings", timings, TIMING_FORMATS)] if timings else []
    for option, path, formats in wanted:
        if Path(path).suffix.lower() not in formats:
            raise ValueError(f"{option} {path}: let it end in {' or '.join(formats)}")


def write_captions(path: str | os.PathLike, cues: Sequence[Cue]) -> None:
    """Write captions; the suffix chooses SubRip (.srt) or WebVTT (.vtt)."""
    check_names([path], None)
    is_vtt = Path(path).suffix.lower() == ".vtt"
    point = "." if is_vtt else ","
    blocks = ["WEBVTT\n"] if is_vtt else []
    for number, cue in enumerate(cues, 1):
        times = f"{_clock(cue.start, point)} --> {_clock(cue.end, point)}"
        lines = [escape(line, quote=False) if is_vtt else line for line in cue.lines]
        blocks.append("\n".join([str(number), times, *lines]) + "\n")
    write_text(path, "\n".join(blocks))


def _clock(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and thousandths."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def write_timings(path: str | os.PathLike, sentences: Sequence[TimedSentence]) -> None:
    """Write the time of every token; the suffix chooses the format.

    ``.tsv`` has the columns sentence, token, start, end (seconds), ``.json`` the sentences with their text
    and language, too.
    """
    check_names([], path)
    if Path(path).suffix.lower() == ".json":
        entries = [_rounded(asdict(sentence)) for sentence in sentences]
        write_text(path, json.dumps(entries, ensure_ascii=False, indent=1) + "\n")
        return
    table = io.StringIO()
    rows = csv.writer(table, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
    rows.writerow(["sentence", "token", "start", "end"])
    for sentence in sentences:
        rows.writerows([sentence.number, t.token, f"{t.start:.4f}", f"{t.end:.4f}"] for t in sentence.tokens)
    write_text(path, table.getvalue())


def _rounded(entry):
    """A tenth of a millisecond is finer than any frame."""
    if isinstance(entry, float):
        return round(entry, 4)
    if isinstance(entry, dict):
        return {key: _rounded(value) for key, value in entry.items()}
    return [_rounded(value) for value in entry] if isinstance(entry, list | tuple) else entry
