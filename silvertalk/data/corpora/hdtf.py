"""HDTF, the High-Definition Talking Face dataset: addresses of politicians on YouTube, filmed from the front.

A list of 370 videos (up to 1080 lines), with the spans in which one face talks,
436 in all and 17.1 h, and a square around that face. No transcripts.

Source: https://github.com/MRzzm/HDTF, folder HDTF_dataset. Licence: the lists CC BY 4.0; the videos belong to
those who published them. Citation: Z. Zhang, L. Li, Y. Ding, C. Fan, "Flow-Guided One-Shot Talking Face
Generation With a High-Resolution Audio-Visual Dataset", CVPR 2021.

Layout that is read, with the lists in db_root or in a folder HDTF_dataset of it, and the videos anywhere below:

    HDTF_dataset/RD_video_url.txt       Radio11 https://www.youtube.com/watch?v=...
    HDTF_dataset/RD_annotion_time.txt   Radio11.mp4 00:30-01:00 01:30-02:30
    HDTF_dataset/RD_resolution.txt      Radio11.mp4 720
    HDTF_dataset/RD_crop_wh.txt         Radio11_0.mp4 412 599 0 599      left, width, top, height
    videos/RD_Radio11.mp4               a whole video, with or without RD_
    RD_Radio11_000.mp4, Radio11_0.mp4   or the spans cut out of it, whole pictures or squares
"""

import itertools
import logging
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from silvertalk.data.corpus import Corpus, hold_out_speakers, make_utt_id, require
from silvertalk.data.download import fetch_list
from silvertalk.data.kaldi import Utterance
from silvertalk.data.youtube import (
    NOT_FETCHED,
    PAUSE,
    VIDEOS,
    fetch_videos,
    iter_videos,
    look_at_videos,
    read_failures,
    within_video,
)
from silvertalk.media import MediaInfo

SUBSETS = ("RD", "WDA", "WRA")  # radio addresses, weekly Democratic, weekly Republican addresses
LISTS = ("video_url", "annotion_time", "resolution", "crop_wh")  # "annotion" is how the files are called
FOLDER = "HDTF_dataset"
MISSING = "missing.tsv"
LIST_URL = f"https://raw.githubusercontent.com/MRzzm/HDTF/main/{FOLDER}"
HINT = "--download true fetches it, egs/hdtf/av1/README.md says how else to get it"
# The radio addresses seem to be his, which no list says. Kept together they cannot be in two sets.
SAME = "RD_Radio=WDA_BarackObama"
USUAL_HEIGHTS = (720, 1080, 2160)  # tried where a square does not fit the height that is listed


def read(
    db_root: str,
    nj: int = 1,
    max_seconds: float = 10.0,
    same: str = SAME,
    dev_share: float = 0.05,
    eval_share: float = 0.05,
) -> Corpus:
    """Read HDTF.

    Args:
        db_root: Folder that holds the lists and the videos.
        nj: Videos looked at at a time.
        max_seconds: Spans, which last up to eight minutes, are cut into equal pieces no longer than this.
        same: Names that are one person, as "RD_Radio=WDA_BarackObama", several joined by commas.
        dev_share: Part of the pieces for dev, of speakers of its own.
        eval_share: Part of the pieces for eval1, of speakers of its own.
    """
    if max_seconds < 1:
        raise ValueError(f"--max_seconds takes 1 or more, not {max_seconds}")
    root = require(db_root, {}, HINT)
    recordings = read_lists(find_lists(root))
    spk = find_speakers(recordings, same)
    whole, cut = find_files(root, recordings)
    found = look_at_videos([path for paths in (*whole.values(), *cut.values()) for path in paths], nj)
    failures = read_failures(root / VIDEOS)
    utterances, skipped, missing = [], {}, {}
    for recording in recordings:
        key = recording.key
        missing |= find_missing(recording, whole, cut, failures.get(key, NOT_FETCHED))
        for clip in _clips_of(recording, whole, cut, found, max_seconds):
            utterance = to_utterance(clip, recording, spk[key])
            if isinstance(utterance, str):
                skipped[clip.utt_id(spk[key])] = utterance
            else:
                utterances.append(utterance)
    if not utterances and not skipped:
        raise FileNotFoundError(f"no video such as {root / VIDEOS / recordings[0].key}.mp4; {HINT}")
    logging.info("%d videos or spans of %d videos are missing, see %s", len(missing), len(recordings), MISSING)
    sets = hold_out_speakers(utterances, {"dev": dev_share, "eval1": eval_share})
    return Corpus(sets, skipped, tables={MISSING: missing})


def download(
    db_root: str,
    nj: int = 1,
    yt_dlp: str = "yt-dlp",
    pause: float = PAUSE,
    max_videos: int = 0,
    max_height: int = 1080,
    list_url: str = LIST_URL,
) -> None:
    """Fetch the lists from HDTF's repository and the videos with yt-dlp; what is there whole is kept.

    Args:
        db_root: Where to put them.
        nj: Videos that are there looked at at a time.
        yt_dlp: The program, by name or path.
        pause: Seconds to wait between two videos.
        max_videos: Only so many, taken from the subsets by turns; 0 takes all.
        max_height: Largest height of the picture that is asked for (pixels).
        list_url: Address of the folder with the lists.
    """
    root = Path(db_root).absolute()
    for subset, name in itertools.product(SUBSETS, LISTS):
        fetch_list(f"{list_url}/{subset}_{name}.txt", root / FOLDER / f"{subset}_{name}.txt")
    recordings = read_lists(root / FOLDER)
    whole, _ = find_files(root, recordings)
    found = look_at_videos([path for paths in whole.values() for path in paths], nj)
    subsets = [[r for r in recordings if r.subset == subset and r.spans and r.url] for subset in SUBSETS]
    by_turns = [r for turn in itertools.zip_longest(*subsets) for r in turn if r is not None]
    wanted = by_turns[: max_videos or None]
    has = {key for key, paths in whole.items() if any(isinstance(found[path], MediaInfo) for path in paths)}
    fetch_videos({r.key: r.url for r in wanted if r.key not in has}, root / VIDEOS, yt_dlp, pause, max_height)


@dataclass
class Recording:
    """One video of the lists."""

    subset: str  # RD, WDA or WRA
    name: str  # Radio11
    url: str | None  # where it is watched
    spans: list[tuple[float, float]] = field(default_factory=list)  # in which one face talks (seconds)
    height: int = 0  # lines of the picture that the squares are of; 0: unknown
    squares: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # span -> left, top, side (pixels)

    @property
    def key(self) -> str:
        """Name of its file."""
        return f"{self.subset}_{self.name}"


@dataclass
class Clip:
    """A piece of a span: what becomes an utterance."""

    name: str  # of the span, Radio11_0
    piece: int
    number: int  # of the span within its recording
    path: str
    start: float  # seconds within the file
    end: float
    found: MediaInfo | str  # the file's header, or why it cannot be used

    def utt_id(self, spk: str) -> str:
        """Id in data directories."""
        return make_utt_id(spk, self.name, f"{self.piece:03d}")


def find_lists(root: Path) -> Path:
    """Find the folder of the lists.

    Raises:
        FileNotFoundError: A list is missing.
    """
    places = (root, root / FOLDER, *sorted(root.glob(f"*/{FOLDER}")))
    there = [place for place in places if (place / f"{SUBSETS[0]}_{LISTS[0]}.txt").is_file()]
    folder = there[0] if there else root / FOLDER
    for subset, name in itertools.product(SUBSETS, LISTS):
        path = folder / f"{subset}_{name}.txt"
        if not path.is_file():
            raise FileNotFoundError(f"no {path}: there should be a list of HDTF's repository; {HINT}")
    return folder


def read_lists(folder: Path) -> list[Recording]:
    """Read the lists: the videos in their order.

    Raises:
        ValueError: A line is not of its list's form.
    """
    recordings = []
    for subset in SUBSETS:
        urls, spans, heights, squares = (dict(_lines(folder / f"{subset}_{name}.txt")) for name in LISTS)
        own = {name: Recording(subset, name, urls.get(name, [None])[0]) for name in (*urls, *spans)}
        for name, recording in own.items():
            recording.spans = [parse_span(span) for span in spans.get(name, ())]
            recording.height = int(heights.get(name, "0")[0])
        for clip, numbers in squares.items():
            name, _, number = clip.rpartition("_")
            if name in own:
                left, width, top, _ = map(int, numbers)
                own[name].squares[int(number)] = (left, top, width)
        recordings += own.values()
    return recordings


FORMS = {
    "video_url": r"\S+ http\S+",
    "annotion_time": r"\S+( [\d:]+-[\d:]+)+",
    "resolution": r"\S+ \d+",
    "crop_wh": r"\S+_\d+(\.mp4)? \d+ \d+ \d+ \d+",
}


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Name without suffix, and what follows it; one list begins with a byte-order mark, some lines end in spaces."""
    form = FORMS[path.stem.partition("_")[2]]
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        fields = line.split()
        if fields and not re.fullmatch(form, " ".join(fields)):
            raise ValueError(f"{path}:{number}: '{line}' is not a line of this list; remove it and fetch it anew")
        if fields:
            yield fields[0].removesuffix(".mp4"), fields[1:]


def parse_span(span: str) -> tuple[float, float]:
    """Read a span.

    Example:
        ``parse_span("00:30-01:05")`` is ``(30.0, 65.0)``.
    """
    start, end = (
        sum(60.0**power * int(part) for power, part in enumerate(reversed(time.split(":")))) for time in span.split("-")
    )
    return start, end


def find_speakers(recordings: Iterable[Recording], same: str = SAME) -> dict[str, str]:
    """Tell who speaks in each recording.

    A name's last digits only count the videos of one person. Names that share a
    video are one person too: two are listed under one address.

    Args:
        recordings: All.
        same: Further names that are one person, as "RD_Radio=WDA_BarackObama".

    Returns:
        Recording's key -> speaker, without "-", which separates the parts of utterance ids.
    """
    person = {r.key: f"{r.subset}_{r.name.rstrip('0123456789')}".replace("-", "_") for r in recordings}
    groups = defaultdict(set)
    for recording in recordings:
        groups[video_id(recording.url or recording.key)].add(person[recording.key])
    for pair in same.replace(",", " ").split():
        names = set(pair.replace("-", "_").split("="))
        groups[pair] = names & set(person.values())
        for name in sorted(names - groups[pair]) if same != SAME else ():
            logging.warning("--same %s: the lists have no %s", same, name)
    first = {name: name for name in person.values()}
    for group in groups.values():
        joined = {first[name] for name in group}
        if len(joined) > 1:
            first = {name: min(joined) if leader in joined else leader for name, leader in first.items()}
    return {key: first[name] for key, name in person.items()}


def video_id(url: str) -> str:
    """What YouTube calls a video; an address may go on with ``&t=6s``."""
    found = re.search(r"[?&]v=([\w-]+)", url)
    return found[1] if found else url


Files = dict[str, list[str]]


def find_files(root: Path, recordings: Iterable[Recording]) -> tuple[Files, Files]:
    """Find the videos.

    Returns:
        Recording's key -> its files; and its key with a span's number, ``RD_Radio11_0``, -> files of that span.
    """
    keys = {name: r.key for r in recordings for name in (r.key, r.name)}
    whole, cut = defaultdict(list), defaultdict(list)
    for stem, path in iter_videos(root):
        name, _, number = stem.rpartition("_")
        if stem in keys:
            whole[keys[stem]].append(path)
        elif name in keys and number.isdecimal():
            cut[f"{keys[name]}_{int(number)}"].append(path)
    return whole, cut


def find_missing(recording: Recording, whole: Files, cut: Files, reason: str) -> dict[str, str]:
    """Tell what of a recording is not there: it, or single spans of it, with reasons."""
    key = recording.key
    if not recording.spans:
        return {key: "its list names no span"}
    spans = [f"{key}_{number}" for number in range(len(recording.spans))]
    absent = [] if key in whole else [span for span in spans if span not in cut]
    return {key: reason} if len(absent) == len(spans) else dict.fromkeys(absent, "no clip of this span")


def _clips_of(recording: Recording, whole: Files, cut: Files, found: dict, max_seconds: float) -> Iterator[Clip]:
    """Pieces of a recording: of its whole video where there is one, else of the spans cut out of it."""
    if key_files := whole.get(recording.key):
        path = _best(key_files, found)
        for number, (start, end) in enumerate(recording.spans):
            yield from _pieces(recording, number, path, found[path], start, end, max_seconds)
        return
    # Some downloaders number only the spans that have a square, so there may be fewer, but not more.
    for number in range(len(recording.spans)):
        if files := cut.get(f"{recording.key}_{number}"):
            path = _best(files, found)
            info = found[path]
            yield from _pieces(recording, number, path, info, 0.0, getattr(info, "duration", 0.0), max_seconds)


def _best(paths: list[str], found: dict) -> str:
    """The first file that can be used; the first of all where there is none."""
    return next((path for path in paths if isinstance(found[path], MediaInfo)), paths[0])


def _pieces(recording, number: int, path: str, found, start: float, end: float, max_seconds: float) -> Iterator[Clip]:
    count = max(1, math.ceil((end - start) / max_seconds))
    edges = [start + (end - start) * k / count for k in range(count + 1)]
    for piece, (begin, stop) in enumerate(itertools.pairwise(edges)):
        yield Clip(f"{recording.name}_{number}", piece, number, path, begin, stop, found)


def to_utterance(clip: Clip, recording: Recording, spk: str) -> Utterance | str:
    """Make the entry of a data directory; the video's own sound is its sound.

    Returns:
        It, or why the clip cannot be used.
    """
    if isinstance(clip.found, str):
        return clip.found
    span = within_video(clip.path, clip.start, clip.end, clip.found.duration)
    if isinstance(span, str):
        return span
    face = find_face(recording.squares.get(clip.number), recording.height, clip.found)
    return Utterance(clip.utt_id(spk), spk, None, clip.path, clip.path, *span, face)


def find_face(square: tuple[int, int, int] | None, height: int, info: MediaInfo) -> tuple[float, float] | None:
    """Tell where the wanted face is in a picture.

    The squares are in pixels of a picture of the listed height, whatever the
    height of the file. Where a square does not fit into such a picture, or the
    list says 0, the lowest usual height that it fits is taken.

    Args:
        square: Left, top, side (pixels); None where the list has none.
        height: Lines of the picture that the square is of, 0 where nobody knows.
        info: The file's header.

    Returns:
        x, y of its middle as parts of width and height; None where it is not
        known, or where the file shows the square only.
    """
    if square is None or info.width == info.height:
        return None
    left, top, side = square
    for lines in (height, *USUAL_HEIGHTS):
        columns = lines * info.width / info.height
        if top + side <= lines and left + side <= columns + 1:
            return (left + side / 2) / columns, (top + side / 2) / lines
    return None
