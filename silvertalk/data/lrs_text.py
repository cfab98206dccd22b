"""What LRS2 and LRS3 share: text files, clips of talks that are to be cut, and sets that share no speaker.

A text file names its parts, and later parts may be missing:

    Text:  AND WE NEED TO LOOK
    Conf:  3

    FRAME X Y W H               LRS3 only: where the clip was cut from the talk
    001143 0.425 0.195 0.185 0.329

    WORD START END ASDSCORE     seconds from the clip's beginning
    AND 0.04 0.21 3.2
"""

import itertools
import logging
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from silvertalk.data.corpus import make_utt_id, read_text
from silvertalk.data.kaldi import Utterance
from silvertalk.media import probe
from silvertalk.utils import progress

Word = tuple[float, float, str]  # start and end (seconds), what is said
MARK = re.compile(r"\{[^}]*\}")  # a noise in braces, not a word
MIDDLE = (0.5, 0.5)  # both corpora cut their pictures around the face of who speaks


@dataclass
class ClipText:
    """What a text file says."""

    text: str  # without marks; "" where nothing is said
    words: list[Word] = field(default_factory=list)  # in the order of the file; empty where it has no times


@dataclass(slots=True)
class Clip:
    """One video with its text file."""

    spk: str
    name: str  # what names it among the speaker's clips
    video: Path
    text: Path
    is_talk: bool = False  # whether it may be long, and is cut then
    view: str = ""  # LRS2's mark in test.txt, NF or MV

    @property
    def utt_id(self) -> str:
        """Id of the clip; those of its parts go on from it."""
        return make_utt_id(self.spk, self.name)


@dataclass
class Cutting:
    """How long clips are cut."""

    max_seconds: float = 15.0  # shorter clips stay whole
    min_gap: float = 0.4  # seconds; cuts are made in longer pauses

    def __post_init__(self):
        if self.max_seconds <= 0 or self.min_gap < 0:
            raise ValueError(
                f"--max_seconds {self.max_seconds} --min_gap {self.min_gap}: give more than 0, and not less than 0"
            )


def read_clip_text(path: str | os.PathLike) -> ClipText:
    """Read a text file.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is not of the form above.
    """
    text, words, header = None, [], ""
    for number, line in enumerate(read_text(path, ["utf-8-sig"]).splitlines(), 1):
        fields = line.split()
        if fields[:3] == ["WORD", "START", "END"] or fields[:2] == ["FRAME", "X"]:
            header = fields[0]
        elif line.startswith("Text:"):
            text = without_marks(line.removeprefix("Text:"))
        elif header == "WORD" and fields:
            words.append(_word(fields, f"{path}:{number}"))
    if text is None:
        raise ValueError(f"{path}: has no line 'Text: ...'; get the file again")
    return ClipText(text, [word for word in words if without_marks(word[2])])


def _word(fields: list[str], where: str) -> Word:
    try:
        word, start, end = fields[0], float(fields[1]), float(fields[2])
    except (ValueError, IndexError):
        raise ValueError(f"{where}: '{' '.join(fields)}' is not 'word start end score'; get the file again") from None
    if not 0 <= start <= end:
        raise ValueError(f"{where}: '{word}' is said from {start} to {end} s; get the file again")
    return start, end, word


def without_marks(text: str) -> str:
    """Take the marks out of a text, and needless spaces.

    Example:
        ``without_marks("  SO {NS} WE  WENT")`` is ``"SO WE WENT"``.
    """
    return " ".join(MARK.sub(" ", text).split())


def cut_at_pauses(words: Sequence[Word], cutting: Cutting) -> list[list[Word]]:
    """Cut a talk in pauses, into as few parts as stay shorter than the limit.

    A part in which nobody pauses stays longer than it.

    Args:
        words: At least one, as they follow each other.
        cutting: How long parts may be, and which pauses count.
    """
    phrases: list[list[Word]] = []
    for word in words:
        if phrases and word[0] - phrases[-1][-1][1] <= cutting.min_gap:
            phrases[-1].append(word)
        else:
            phrases.append([word])
    parts = phrases[:1]
    for phrase in phrases[1:]:
        if phrase[-1][1] - parts[-1][0][0] < cutting.max_seconds:
            parts[-1].extend(phrase)
        else:
            parts.append(phrase)
    return parts


def clip_utterances(clip: Clip, cutting: Cutting | None = None) -> list[Utterance]:
    """Make the utterances of a clip: one, or several of a long talk.

    Args:
        clip: The clip; its two files are opened once each.
        cutting: How talks are cut. All utterances say where they end then, for in a data directory either
            all do or none.

    Raises:
        FileNotFoundError: A file is missing.
        RuntimeError: The video cannot be opened.
        ValueError: The text cannot be read, or there is no picture, no sound or nothing said.
    """
    said = read_clip_text(clip.text)
    if not said.text:
        raise ValueError(f"{clip.text}: nothing is said")
    info = probe(clip.video)
    if not info.width or not info.has_audio:
        raise ValueError(f"{clip.video}: has no {'sound' if info.width else 'picture'}")
    whole = Utterance(clip.utt_id, clip.spk, said.text, str(clip.video), str(clip.video), face=MIDDLE)
    if cutting is None:
        return [whole]
    if not info.duration:
        raise ValueError(f"{clip.video}: does not say how long it is; get the file again")
    if clip.is_talk and info.duration >= cutting.max_seconds:
        return list(_parts(whole, said.words, info.duration, cutting))
    whole.end = info.duration
    return [whole]


def _parts(talk: Utterance, words: list[Word], seconds: float, cutting: Cutting) -> Iterator[Utterance]:
    """Cut one talk of so many seconds."""
    words = [word for word in words if word[0] < seconds]
    if not words:
        raise ValueError(f"{talk.video}: lasts {seconds:.1f} s, and its text file has no word times to cut it by")
    margin = cutting.min_gap / 2  # so neighbours meet at most in the middle of a pause
    for number, part in enumerate(cut_at_pauses(words, cutting), 1):
        text = without_marks(" ".join(word for _, _, word in part))
        start, end = max(0.0, part[0][0] - margin), min(seconds, part[-1][1] + margin)
        utt_id = f"{talk.utt_id}-{number:03d}"
        yield Utterance(utt_id, talk.spk, text, talk.wav, talk.video, start, end, talk.face)


def read_sets(
    sets: dict[str, list[Clip]],
    sources: dict[str, str],
    nj: int,
    skipped: dict[str, str],
    cutting: Cutting | None,
    lower: bool,
) -> dict[str, list[Utterance]]:
    """Make the utterances of all sets; see ``read_clips``.

    Args:
        sets: Set name -> its clips.
        sources: Set name -> the list or folder that names them.
        nj: Clips opened at a time.
        skipped: Gets the ids of the clips that cannot be used, with reasons.
        cutting: How talks of the training set are cut; None leaves all whole.
        lower: Write the sentences in small letters.
    """
    utterances = {
        name: read_clips(clips, sources[name], nj, skipped, cutting if name == "tr_no_dev" else None)
        for name, clips in sets.items()
    }
    if lower:
        for u in itertools.chain.from_iterable(utterances.values()):
            u.text = u.text.lower()
    return utterances


def read_clips(
    clips: Sequence[Clip], where: str, nj: int, skipped: dict[str, str], cutting: Cutting | None = None
) -> list[Utterance]:
    """Make the utterances of many clips, ``nj`` at a time.

    Args:
        clips: The clips of one set.
        where: The list or folder that names them, for the error.
        nj: Clips opened at a time.
        skipped: Gets the ids of the clips that cannot be used, with reasons.
        cutting: How talks are cut; None leaves all whole.

    Returns:
        The utterances in the order of the clips.

    Raises:
        FileNotFoundError: There are clips, and none can be used.
    """

    def load(clip: Clip) -> list[Utterance] | str:
        try:
            return clip_utterances(clip, cutting)
        except (RuntimeError, ValueError, OSError) as error:
            return str(error)

    utterances: list[Utterance] = []
    reasons: dict[str, str] = {}
    with ThreadPoolExecutor(nj) as pool:
        found = progress(pool.map(load, clips), desc=Path(where).name, total=len(clips))
        for clip, own in zip(clips, found, strict=True):
            if isinstance(own, str):
                reasons[clip.utt_id] = own
            else:
                utterances += own
    if reasons and not utterances:
        first = next(iter(reasons.values()))
        raise FileNotFoundError(
            f"{where}: none of its {len(clips)} clips can be used ({first}); unpack the corpus fully"
        )
    skipped.update(reasons)
    return utterances


def keep_apart(clips: dict[str, list[Clip]]) -> dict[str, str]:
    """Take the speakers of eval1 out of the other sets, those of dev out of what is trained on, and repeated clips.

    Args:
        clips: Set name -> its clips, which this changes.

    Returns:
        Ids of the clips taken out -> why.
    """
    owner: dict[str, str] = {}
    out: dict[str, str] = {}
    for name in ("eval1", "dev", "tr_no_dev"):
        kept: dict[str, Clip] = {}
        for clip in clips[name]:
            if owner.get(clip.spk, name) != name:
                out[clip.utt_id] = f"'{clip.spk}' is in {owner[clip.spk]}"
            elif clip.utt_id in kept:
                out[clip.utt_id] = f"is listed twice for {name}, and taken once"
            else:
                kept[clip.utt_id] = clip
        clips[name] = list(kept.values())
        owner.update({clip.spk: name for clip in clips[name]})
    if out:
        logging.info("%d clips are left out, because others of their speakers are in dev or eval1", len(out))
    return out
