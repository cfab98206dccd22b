"""LRW-1000 (CAS-VSR-W1k): Mandarin words from television, as pictures of mouths.

718,018 samples of 1,000 words, more than 2,000 speakers, 25 fps. The pictures
show the mouth only, so the corpus serves the sync expert and no face.

Source: VIPL, https://vipl.ict.ac.cn/view_database.php?id=14, after a signed
application of a university or research institute. Licence: research only.
Citation: S. Yang, Y. Zhang, D. Feng, M. Yang, C. Wang, J. Xiao, K. Long,
S. Shan, X. Chen, "LRW-1000: A Naturally-Distributed Large-Scale Benchmark for
Lip Reading in the Wild", FG 2019.

Layout that is read, in the folder that is named or in one below it; ``images``
may be called ``lip_images`` and hold a folder of its own name, the lists may
lie beside ``info``, and the sound in further folders below ``audio``:

    images/<video>/1.jpg 2.jpg ...     the whole video, so a word is some rows of it
    audio/<sound>.wav                  the word alone
    info/trn_1000.txt val_1000.txt tst_1000.txt    <video>,<characters>,<pinyin>,<start>,<end>  (seconds)
    info/all_audio_video.txt                       <video>,<sound>,<characters>,<pinyin>,<start>,<end>
"""

import itertools
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

from silvertalk.data.corpus import SETS, Corpus, make_utt_id, read_text, require
from silvertalk.data.kaldi import Utterance
from silvertalk.media.video import folder_pictures
from silvertalk.utils import progress

HINT = "egs/lrw1000/sync1/README.md says how to get and unpack it"
LISTS = dict(zip(SETS, ("trn_1000.txt", "val_1000.txt", "tst_1000.txt"), strict=True))
SOUND_LIST = "all_audio_video.txt"
IMAGES = ("images", "lip_images", "images/images", "lip_images/lip_images")
ENCODINGS = ("utf-8-sig", "gb18030")
TICKS = 100  # a second; times agree to two digits only
TICKS_PER_FRAME = TICKS // 25
MAX_DIFFERENCE = 0.1  # seconds


def read(db_root: str, nj: int = 1, sound_margin: float = 0.0) -> Corpus:
    """Read the corpus; the official train, val and test lists are the sets.

    Args:
        db_root: The folder that holds info, images and audio, or the folder above it.
        nj: Folders and files opened at a time.
        sound_margin: Seconds of sound before and after the word that its file holds.
    """
    place = find_place(db_root)
    skipped: dict[str, str] = {}
    margin = round(sound_margin * TICKS)
    sounds = read_sounds(place.sound_list)
    sets = {}
    for name, path in place.lists.items():
        words = list(_with_sound(read_words(path, skipped), sounds, skipped))
        sets[name] = list(_usable(words, place, margin, nj, skipped))
    return Corpus(sets, skipped, shares_speakers=_shares_videos(sets))


@dataclass(slots=True)
class Place:
    """Where the parts of the corpus lie."""

    images: Path  # holds a folder for each video
    audio: Path  # holds the wav files
    lists: dict[str, Path]  # set name -> list of its words
    sound_list: Path


@dataclass(slots=True)
class Word:
    """One sample."""

    video: str  # name of its video's folder; there are no names of speakers
    pinyin: str  # the class, as "zhong guo"
    start: int  # 1/100 s
    end: int
    sound: str = ""  # name of its wav file

    @property
    def utt_id(self) -> str:
        """Id in data directories; within a video sorted by time."""
        return make_utt_id(self.video, f"{self.start:06d}", f"{self.end:06d}", self.pinyin)

    @property
    def key(self) -> str:
        """What the two kinds of lists have in common."""
        return f"{self.video},{self.pinyin},{self.start},{self.end}"


def find_place(db_root: str | os.PathLike) -> Place:
    """Find lists, pictures and sound.

    Raises:
        FileNotFoundError: The first that is not there.
    """
    root = require(db_root, {}, HINT)
    roots = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    lists = {name: _first(roots, (f"info/{file}", file), f"the list of {name}") for name, file in LISTS.items()}
    sound_list = _first(roots, (f"info/{SOUND_LIST}", SOUND_LIST), "the list of sounds")
    images = _first(roots, IMAGES, "a folder of pictures for each video")
    audio = _first(roots, ("audio",), "the wav files of the words")
    # Some copies were unpacked with their folders, as audio/LRW1000_Public/audio.
    inner = (Path(folder) for folder, _, files in os.walk(audio) if any(f.endswith(".wav") for f in files))
    if (found := next(inner, None)) is None:
        raise FileNotFoundError(f"no {audio}/*.wav: there should be the wav files of the words; {HINT}")
    return Place(images, found, lists, sound_list)


def _first(roots: list[Path], names: Iterable[str], what: str) -> Path:
    """The first of some paths that exists; names of one length are tried in their order, longer ones before."""
    for root in roots:
        for name in sorted(names, key=lambda name: -name.count("/")):
            if (root / name).exists():
                return root / name
    raise FileNotFoundError(f"no {roots[0] / next(iter(names))}: there should be {what}; {HINT}")


def read_words(path: str | os.PathLike, skipped: dict[str, str]) -> Iterator[Word]:
    """Read the list of a set.

    Args:
        path: ``trn_1000.txt`` or one of the others.
        skipped: Gets lines that are not of the form, and words that take no time, with reasons.

    Yields:
        Words in the order of the list.
    """
    for number, fields in _lines(path):
        try:
            video, _, pinyin, start, end = fields
            word = Word(sys.intern(video), sys.intern(pinyin), _ticks(start), _ticks(end))
        except ValueError:
            skipped[f"{Path(path).name}:{number}"] = f"'{','.join(fields)}' is not 'video,characters,pinyin,start,end'"
            continue
        if word.end <= word.start:
            skipped[word.utt_id] = f"{path}:{number}: takes no time"
        else:
            yield word


def read_sounds(path: str | os.PathLike) -> dict[str, str]:
    """Read which wav belongs to which word.

    Returns:
        ``Word.key`` -> name of the wav.

    Raises:
        RuntimeError: A line is not of the form.
    """
    sounds = {}
    for number, fields in _lines(path):
        try:
            video, sound, _, pinyin, start, end = fields
            sounds[Word(video, pinyin, _ticks(start), _ticks(end)).key] = sound
        except ValueError:
            raise RuntimeError(
                f"{path}:{number}: '{','.join(fields)}' is not 'video,sound,characters,pinyin,start,end'; "
                "get the file again or remove the line"
            ) from None
    return sounds


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of the lines that are not empty."""
    for number, line in enumerate(read_text(path, ENCODINGS).splitlines(), 1):
        if line.strip():
            yield number, [field.strip() for field in line.split(",")]


def _ticks(seconds: str) -> int:
    """Time in 1/100 s: the lists write the same time as 1.2 and 1.20, and floating point would part them."""
    return round(float(seconds) * TICKS)


def _with_sound(words: Iterable[Word], sounds: dict[str, str], skipped: dict[str, str]) -> Iterator[Word]:
    """Give every word its wav; those that have none, or were there before, are left out."""
    seen = set()
    for word in words:
        word.sound = sounds.get(word.key, "")
        if not word.sound:
            skipped[word.utt_id] = f"{SOUND_LIST} has no '{word.key}' (times in 1/{TICKS} s)"
        elif word.key not in seen:
            seen.add(word.key)
            yield word


def _usable(words: list[Word], place: Place, margin: int, nj: int, skipped: dict[str, str]) -> Iterator[Utterance]:
    """Make utterances of the words whose pictures and sound are there; every folder is looked into once."""
    words.sort(key=lambda word: (word.video, word.start))
    videos = [list(own) for _, own in itertools.groupby(words, key=lambda word: word.video)]
    with ThreadPoolExecutor(nj) as pool:
        found = pool.map(lambda own: _utterances(own, place, margin), videos)
        for utterances, faults in progress(found, desc="LRW-1000", total=len(videos)):
            skipped.update(faults)
            yield from utterances


def _utterances(words: list[Word], place: Place, margin: int) -> tuple[list[Utterance], dict[str, str]]:
    """Utterances of one video's words, and why others cannot be used."""
    folder = place.images / words[0].video
    try:
        # The picture's number, which the file name has, may lie beyond its row where pictures are missing.
        rows = {path.stem: row for row, path in enumerate(folder_pictures(folder))}
    except (OSError, RuntimeError) as error:
        return [], dict.fromkeys((word.utt_id for word in words), str(error))
    utterances, faults = [], {}
    for word in words:
        wav = f"{place.audio / word.sound}.wav"
        try:
            video = f"{folder}[{find_rows(word, rows, margin)}]"
            check_sound(wav, (word.end - word.start + 2 * margin) / TICKS)
        except RuntimeError as error:
            faults[word.utt_id] = f"{folder}: {error}"
        else:
            utterances.append(Utterance(word.utt_id, word.video, word.pinyin, wav, video))
    return utterances, faults


def find_rows(word: Word, rows: dict[str, int], margin: int = 0) -> str:
    """Find the rows of a word among the pictures of its video.

    Picture 1 is shown at 0 s, so the picture shown at t is ``int(t * 25) + 1``.
    The last one begins where the word ends or before; a video may end there.

    Args:
        word: The sample.
        rows: Name of a picture, without suffix -> its row.
        margin: 1/100 s by which the sound begins before the word and ends after it.

    Returns:
        First and last row, as ``12:37``.

    Raises:
        RuntimeError: A picture is missing.
    """
    first = (word.start - margin) // TICKS_PER_FRAME + 1
    last = (word.end + margin) // TICKS_PER_FRAME + 1
    if str(last) not in rows and last > first:
        last -= 1
    for number in range(first, last + 1):
        if str(number) not in rows:
            raise RuntimeError(f"no {number}.jpg of {first}.jpg to {last}.jpg")
    return f"{rows[str(first)]}:{rows[str(last)]}"


def check_sound(wav: str, seconds: float) -> None:
    """See that a wav is the word, and not the whole recording.

    Raises:
        RuntimeError: It cannot be read, or is longer or shorter than the word.
    """
    try:
        info = soundfile.info(wav)
    except soundfile.LibsndfileError as error:
        reason = f"cannot be read ({error.error_string})" if os.path.exists(wav) else "is missing"
        raise RuntimeError(f"{wav}: {reason}; unpack the sound again") from None
    if abs(info.duration - seconds) > MAX_DIFFERENCE:
        raise RuntimeError(
            f"{wav}: lasts {info.duration:.2f} s instead of {seconds:.2f} s; "
            "--sound_margin says how much is around the word"
        )


def _shares_videos(sets: dict[str, list[Utterance]]) -> bool:
    """Whether a video is in two of the official sets, which is said and accepted."""
    videos = [{u.spk for u in own} for own in sets.values()]
    shared = sum(map(len, videos)) - len(set().union(*videos))
    if shared:
        logging.warning("%d videos are in more than one of the official lists, which are taken as they are", shared)
    return shared > 0
