"""A folder of the user's own videos: people who talk into a camera.

Source: the user. Licence: the user's matter; whoever is filmed has to agree to a
copy of face and voice. Citation: none.

Layouts that are read (``one`` is one speaker, ``many`` one folder for each):

    one/clip.mp4    one/clip.txt    one/transcripts.txt
    many/anna/clip.mp4    many/anna/clip.txt    many/transcripts.txt

A transcript stands beside its video as ``clip.txt``, or in ``transcripts.txt``
as a line ``clip.mp4|text`` (``anna/clip.mp4|text``), or nowhere. Videos that are
longer than an utterance are cut where nobody speaks.
"""

import logging
import os
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from silvertalk.data.corpus import SETS, Corpus, clean_name, hold_out_speakers, make_utt_id, read_text, require, tidy
from silvertalk.data.kaldi import Utterance
from silvertalk.media import probe, read_audio
from silvertalk.media.mel import MELS_PER_SECOND, SAMPLING_RATE
from silvertalk.media.speech import runs_of, speech_mask
from silvertalk.media.whisper import Whisper
from silvertalk.utils import progress

HINT = "egs/own/av1/README.md says how to lay out the videos"
SUFFIXES = {
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
    ".wmv",
}  # fmt: skip
TABLE = "transcripts.txt"
LEAST_VIDEOS, ENOUGH_VIDEOS = 3, 5
LEAST_SPEAKERS = 3  # a set each
TEXT_SHARE = 2 / 3  # of the utterances of a set; stage 2 leaves out the others, and stops where it is more than half
LONGEST_PAUSE = 1.0  # seconds; what is farther apart are two utterances
SHORTEST = 0.6  # seconds; the lips' networks learn from windows of 0.2 s, two of which must not overlap
LEAST_MAX = 2.0  # seconds

Transcriber = Callable[[np.ndarray], str]  # 16 kHz sound -> its words


def read(
    db_root: str,
    nj: int = 1,
    spk: str = "",
    max_seconds: float = 10.0,
    max_text_seconds: float = 20.0,
    dev_share: float = 0.1,
    eval_share: float = 0.1,
    whisper_model: str = "",
    language: str = "",
) -> Corpus:
    """Read a folder of videos.

    Args:
        db_root: Folder that holds the videos of one speaker, or a folder for each speaker.
        nj: Videos read at a time.
        spk: Everything in db_root, however deep, is this speaker's; empty takes the folders' names.
        max_seconds: Longest utterance cut out of a video.
        max_text_seconds: Longest video with a transcript that stays one utterance; the transcript of a longer one
            cannot be divided.
        dev_share: Part held out for dev, in speakers or, where these are fewer than three, in videos.
        eval_share: Part held out for eval1.
        whisper_model: Folder with the weights of a faster-whisper model, which writes the transcripts that are
            missing; empty: none.
        language: What is spoken, for that model ("ko", "en"); empty lets it guess.
    """
    if not LEAST_MAX <= max_seconds <= max_text_seconds:
        raise ValueError(f"--max_seconds {max_seconds:g} is not from {LEAST_MAX:g} to --max_text_seconds")
    transcribe = Whisper(whisper_model, language, "auto", nj) if whisper_model else None
    root = require(db_root, {}, HINT)
    videos = find_videos(root, spk)
    unused = give_texts(root, videos)
    skipped: dict[str, str] = {}
    cut: list[list[Utterance]] = []
    with ThreadPoolExecutor(nj) as pool:
        found = pool.map(lambda video: _cut(video, max_seconds, max_text_seconds, transcribe), videos)
        for video, (own, fault) in progress(zip(videos, found, strict=True), desc="videos", total=len(videos)):
            if fault:
                skipped[video.utt_id] = fault
            else:
                cut.append(own)
                _log_lost_text(video, own)
    check_number(root, len(cut), skipped)
    sets, shares_speakers = hold_out(cut, dev_share, eval_share)
    drop_few_texts(sets)
    return Corpus(sets, skipped, shares_speakers, tables={"unused_transcripts.tsv": unused})


# ---------------------------------------------------------------------------
# Which videos there are, and what is said in them
# ---------------------------------------------------------------------------


@dataclass
class Video:
    """One file."""

    spk: str
    path: Path
    utt_id: str  # of the utterance, if it is one; the beginning of the ids of what is cut from it
    text: str = ""  # "" where there is none


def find_videos(root: Path, spk: str = "") -> list[Video]:
    """List the videos of a folder, sorted by id.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is not clear who speaks in them, or two would have the same id.
    """
    here = [root / name for name in sorted(os.listdir(root)) if not name.startswith(".")]
    folders = {path: list(_walk(path)) for path in here if path.is_dir()}
    files = [path for path in here if path not in folders and path.suffix.lower() in SUFFIXES]
    filled = [folder for folder, inside in folders.items() if inside]
    if not files and not filled:
        raise FileNotFoundError(f"no videos (*.mp4, *.mov, *.webm ...) in {root}; {HINT}")
    if files and filled and not spk:
        raise ValueError(
            f"{root} has videos ({files[0].name}) and folders of videos ({filled[0].name}): move them into a folder "
            "for each speaker, or say --spk NAME if all are of one"
        )
    if spk or files:
        name = clean_name(spk or root.name)
        everything = [*files, *(path for folder in filled for path in folders[folder])]
        return _with_ids([(name, root, path) for path in everything])
    names = {folder: clean_name(folder.name) for folder in filled}
    _check_unique({folder.name: name for folder, name in names.items()}, "folders", root)
    return _with_ids([(names[folder], folder, path) for folder in filled for path in folders[folder]])


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the videos below a folder; hidden files are other programs'."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            Path(parent, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        )


def _with_ids(found: list[tuple[str, Path, Path]]) -> list[Video]:
    """Make the entries of (speaker, folder, video)."""
    # The speaker's name holds no "-", so that all ids of a speaker stand together in a sorted list.
    videos = [
        Video(spk, path, make_utt_id(spk, clean_name(str(path.relative_to(folder).with_suffix("")))))
        for spk, folder, path in found
    ]
    _check_unique({str(v.path): v.utt_id for v in videos}, "videos", videos[0].path.parent)
    return sorted(videos, key=lambda video: video.utt_id.encode())


def _check_unique(ids: dict[str, str], what: str, where: Path) -> None:
    """See that no two things, named by the keys, have one id."""
    taken: dict[str, str] = {}
    for name in sorted(ids):
        if (other := taken.setdefault(ids[name], name)) != name:
            raise ValueError(
                f"{where}: the {what} '{other}' and '{name}' would both be '{ids[name]}'; rename one of them"
            )


def give_texts(root: Path, videos: list[Video]) -> dict[str, str]:
    """Find the videos' transcripts; one beside its video wins over a line of a table.

    Returns:
        Lines of the tables that belong to no video: file -> text.

    Raises:
        ValueError: A table has a line that is not ``file|text``, or a file of text is in no known encoding.
    """
    listed, used = {}, set()
    for folder in sorted({root, *(video.path.parent for video in videos)}):
        listed |= _read_table(folder) if (folder / TABLE).is_file() else {}
    for video in videos:
        beside = video.path.with_suffix(".txt")
        path = unicodedata.normalize("NFC", str(video.path))
        names = [name for name in (path, os.path.splitext(path)[0]) if name in listed]
        used.update(names)
        if beside.name != TABLE and beside.is_file():
            video.text = tidy(read_text(beside))
        elif names:
            video.text = listed[names[0]]
    unused = {name: text for name, text in listed.items() if name not in used}
    if unused:
        logging.warning(
            "%d transcripts are of no video, as that of %s; see unused_transcripts.tsv", len(unused), min(unused)
        )
    return unused


def _read_table(folder: Path) -> dict[str, str]:
    """Read a folder's list of transcripts: path, with or without suffix -> text."""
    table = {}
    for number, line in enumerate(read_text(folder / TABLE).splitlines(), 1):
        name, bar, text = line.partition("|")
        if not line.strip():
            continue
        if not bar or not name.strip():
            raise ValueError(f"{folder / TABLE}:{number}: '{line}' is not 'video.mp4|text'")
        path = os.path.normpath(folder / unicodedata.normalize("NFC", name.strip().replace("\\", "/")))
        table[unicodedata.normalize("NFC", path)] = tidy(text)
    return table


# ---------------------------------------------------------------------------
# What is cut out of them
# ---------------------------------------------------------------------------


def _cut(
    video: Video, max_seconds: float, max_text_seconds: float, transcribe: Transcriber | None
) -> tuple[list[Utterance], str]:
    """Make utterances of a video; returns them, or why there are none."""
    path = str(video.path)
    try:
        info = probe(path)
        if info.width == 0 or info.is_image:
            return [], "has no moving picture"
        wav, _ = read_audio(path, SAMPLING_RATE)
    except (RuntimeError, ValueError, OSError) as error:
        return [], str(error)
    mask, seconds = speech_mask(wav), len(wav) / SAMPLING_RATE
    if not mask.any():
        return [], "nobody is heard to speak"
    if seconds <= (max_text_seconds if video.text else max_seconds):
        spans, text = [(0.0, seconds)], video.text
    else:
        spans, text = find_utterances(wav, mask, max_seconds), ""
    utterances = []
    for start, end in spans:
        utt_id = video.utt_id if len(spans) == 1 else f"{video.utt_id}-{round(100 * start):06d}-{round(100 * end):06d}"
        words = text or (
            transcribe(wav[round(start * SAMPLING_RATE) : round(end * SAMPLING_RATE)]) if transcribe else ""
        )
        utterances.append(Utterance(utt_id, video.spk, tidy(words), path, path, start, end))
    return utterances, "" if utterances else f"nobody speaks for {SHORTEST} s"


def find_utterances(wav: np.ndarray, mask: np.ndarray, max_seconds: float) -> list[tuple[float, float]]:
    """Divide a recording where nobody speaks; speech without a pause is cut where it is softest.

    Args:
        wav: 16 kHz sound, float (T,).
        mask: bool (N,) of ``speech_mask``.
        max_seconds: Longest utterance.

    Returns:
        (start, end) of the utterances, seconds; silence of more than a second is in none.
    """
    longest = int(max_seconds * MELS_PER_SECOND)
    spans: list[tuple[int, int]] = []
    for first, last in runs_of(mask):
        for begin, end in _pieces(wav, first, last, longest):
            if spans and begin - spans[-1][1] <= LONGEST_PAUSE * MELS_PER_SECOND and end - spans[-1][0] <= longest:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((begin, end))
    seconds = len(wav) / SAMPLING_RATE
    times = [(begin / MELS_PER_SECOND, min(end / MELS_PER_SECOND, seconds)) for begin, end in spans]
    return [(start, end) for start, end in times if end - start >= SHORTEST]


def _pieces(wav: np.ndarray, first: int, last: int, longest: int) -> Iterator[tuple[int, int]]:
    """Divide a run of mel columns into pieces that are not too long."""
    hop = SAMPLING_RATE // MELS_PER_SECOND
    while last - first > longest:
        # In the second half, so that pieces are not too short either; over a tenth of a second, as long as a syllable.
        places = np.arange(first + longest // 2, min(first + longest, last - round(SHORTEST * MELS_PER_SECOND)))
        levels = [np.square(wav[max(place - 4, 0) * hop : (place + 4) * hop]).sum() for place in places]
        place = int(places[np.argmin(levels)])
        yield first, place
        first = place
    yield first, last


def _log_lost_text(video: Video, own: list[Utterance]) -> None:
    """Warn where a transcript cannot be used."""
    if video.text and not any(u.text for u in own):
        logging.warning(
            "%s is too long for its transcript to be divided, so the voice does not learn from it; cut the video into "
            "sentences with a transcript each, raise --max_text_seconds, or let --whisper_model write transcripts",
            video.path,
        )


# ---------------------------------------------------------------------------
# Which go where
# ---------------------------------------------------------------------------


def check_number(root: Path, number: int, skipped: dict[str, str]) -> None:
    """Say what to expect of few videos.

    Raises:
        ValueError: There are too few for three sets.
    """
    left_out = "".join(f"; '{name}' cannot be used: {skipped[name]}" for name in sorted(skipped)[:3])
    if number < LEAST_VIDEOS:
        raise ValueError(
            f"{root}: {number} videos can be used, and one each is needed to train, to choose and to test{left_out}; "
            f"add videos (or cut a long one into files) until there are at least {LEAST_VIDEOS}, better {ENOUGH_VIDEOS}"
        )
    if number < ENOUGH_VIDEOS:
        logging.warning(
            "%d videos are few: all stages run, but two of them are held out, the networks learn the others by heart, "
            "and the scores say little; give at least %d, together ten minutes or more, or take trained models "
            "(--wav2lip_exp, --tts_exp)",
            number, ENOUGH_VIDEOS,
        )  # fmt: skip


def hold_out(
    cut: list[list[Utterance]], dev_share: float, eval_share: float
) -> tuple[dict[str, list[Utterance]], bool]:
    """Give dev and eval1 speakers of their own or, of one or two speakers, whole videos.

    Where only some have transcripts, the choice is among those, so that the voice can be tested.

    Args:
        cut: Utterances of each video.
        dev_share: Part of the utterances for dev.
        eval_share: Part for eval1.

    Returns:
        Set name -> utterances, and whether the sets share speakers.
    """
    by_speaker = len({own[0].spk for own in cut}) >= LEAST_SPEAKERS
    groups: dict[str, list[Utterance]] = {}
    for own in cut:
        groups.setdefault(own[0].spk if by_speaker else min(u.utt_id for u in own), []).extend(own)
    with_text = [name for name, own in groups.items() if has_texts(own)]
    candidates = with_text if len(with_text) >= LEAST_SPEAKERS else list(groups)
    # hold_out_speakers chooses among groups under any name.
    choice = hold_out_speakers(
        (replace(u, spk=name) for name in candidates for u in groups[name]), {"dev": dev_share, "eval1": eval_share}
    )
    where = {u.spk: name for name, own in choice.items() for u in own}
    sets: dict[str, list[Utterance]] = {name: [] for name in SETS}
    for name, own in groups.items():
        sets[where.get(name, "tr_no_dev")] += own
    return sets, not by_speaker


def has_texts(utterances: list[Utterance]) -> bool:
    """Whether enough of some utterances have a transcript for a voice to be trained or tested on them."""
    return sum(bool(u.text) for u in utterances) >= TEXT_SHARE * len(utterances)


def drop_few_texts(sets: dict[str, list[Utterance]]) -> None:
    """See that every set has transcripts or none has; a single utterance without one has an empty one."""
    if all(map(has_texts, sets.values())):
        return
    if any(u.text for own in sets.values() for u in own):
        logging.warning(
            "transcripts of %s: too few for a voice, so none is used; write them for two thirds of the utterances and "
            "at least %d videos, let --whisper_model write them, or leave the videos without any out",
            ", ".join(f"{sum(bool(u.text) for u in own)} of {len(own)} in {name}" for name, own in sets.items()),
            LEAST_VIDEOS,
        )
    for own in sets.values():
        for utterance in own:
            utterance.text = None
