"""AVSpeech: clips of 3 to 10 s of YouTube videos in which one visible person speaks.

A list of clips, with the middle of the speaker's face; of the order of 4,700 h, many languages, no transcripts and
no names of speakers. The clips are of all frame rates and sizes, and many of the videos are gone.

Source: https://looking-to-listen.github.io/avspeech/. Licence: the videos belong to those who published them; see
the site for the list's. Citation: A. Ephrat, I. Mosseri, O. Lang, T. Dekel, K. Wilson, A. Hassidim,
W. T. Freeman, M. Rubinstein, "Looking to Listen at the Cocktail Party: A Speaker-Independent Audio-Visual Model
for Speech Separation", ACM Trans. Graph. 37(4), 2018, https://arxiv.org/abs/1804.03619.

Layout that is read, with the videos anywhere below db_root:

    avspeech_train.csv, avspeech_test.csv   <id>,90.000000,95.600000,0.498438,0.284722    start, end, x, y; no header
    videos/<id>.mp4                         a whole video, or one of its clips:
    <id>/<id>_90.000000_95.600000_video.mp4
    <id>_90.0_95.6.mp4
    <id>_090.000000-095.600000.mp4
"""

import csv
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from silvertalk.data.corpus import Corpus, hold_out_speakers, make_utt_id, require
from silvertalk.data.kaldi import Utterance
from silvertalk.data.youtube import (
    NOT_FETCHED,
    PAUSE,
    VIDEOS,
    WATCH_URL,
    fetch_videos,
    iter_videos,
    look_at_videos,
    read_failures,
    within_video,
)
from silvertalk.media import MediaInfo

TRAIN, TEST = "avspeech_train.csv", "avspeech_test.csv"
PAGE = "https://looking-to-listen.github.io/avspeech/download.html"
MISSING = "missing.tsv"
HINT = f"get the two lists from {PAGE}; egs/avspeech/av1/README.md says the rest"

# YouTube's ids have 11 characters, "-" and "_" among them.
VIDEO_ID = re.compile(r"[\w-]{11}", re.ASCII)
CLIP_NAME = re.compile(r"([\w-]{11})_(\d+(?:\.\d+)?)[_-](\d+(?:\.\d+)?)(?:_video)?", re.ASCII)

ClipKey = tuple[str, int, int]  # video, start and end in milliseconds: 90.000000, 90.0 and 90 are the same


@dataclass(slots=True)
class Row:
    """A line of a list."""

    video: str  # YouTube's id
    start: float  # seconds
    end: float
    face: tuple[float, float]  # its middle, parts of width and height

    @property
    def key(self) -> ClipKey:
        """What finds its file."""
        return self.video, round(1000 * self.start), round(1000 * self.end)

    @property
    def utt_id(self) -> str:
        """Id in data directories; nobody knows the speaker, so the video stands for it."""
        video, start, end = self.key
        return make_utt_id(video, f"{start:08d}", f"{end:08d}")


@dataclass
class Files:
    """The videos that are there."""

    whole: dict[str, str] = field(default_factory=dict)  # YouTube's id -> file
    clips: dict[ClipKey, str] = field(default_factory=dict)

    def of(self, row: Row) -> str | None:
        """The file of a clip: its own, else the whole video."""
        return self.clips.get(row.key) or self.whole.get(row.video)


def read(db_root: str, nj: int = 1, dev_share: float = 0.01) -> Corpus:
    """Read AVSpeech; eval1 is its test list, dev is held out of its training list.

    Args:
        db_root: Folder that holds the lists and the videos.
        nj: Videos looked at at a time.
        dev_share: Part of the training clips for dev, of videos of its own.
    """
    root = require_lists(db_root)
    files, missing, skipped = find_files(root), Counter(), {}
    in_test = {row.video for row in iter_rows(root / TEST)}
    both = {row.video for row in iter_rows(root / TRAIN) if row.video in in_test}
    test = present(iter_rows(root / TEST), files, missing, skipped)
    train = present((row for row in iter_rows(root / TRAIN) if row.video not in both), files, missing, skipped)
    paths = {files.of(row) for row in (*test, *train)}
    if not paths:
        raise FileNotFoundError(f"no video such as {root / VIDEOS / min(in_test)}.mp4; --download true fetches them")
    found = look_at_videos(paths, nj)
    test, train = (to_utterances(rows, files, found, skipped) for rows in (test, train))
    logging.info("%d clips of %d videos are missing, see missing.tsv", missing.total(), len(missing))
    failures = read_failures(root / VIDEOS)
    reasons = {video: f"{count} clips: {failures.get(video, NOT_FETCHED)}" for video, count in missing.items()}
    reasons |= dict.fromkeys(both - set(reasons), f"is in {TEST} too, so it is not trained on")
    return Corpus(hold_out_speakers(train, {"dev": dev_share}) | {"eval1": test}, skipped, tables={MISSING: reasons})


def download(
    db_root: str,
    nj: int = 1,
    yt_dlp: str = "yt-dlp",
    pause: float = PAUSE,
    max_videos: int = 0,
    max_height: int = 720,
) -> None:
    """Fetch the videos that have no file yet with yt-dlp, those of the test list first.

    Args:
        db_root: Folder that holds the lists.
        nj: Videos that are there looked at at a time.
        yt_dlp: The program, by name or path.
        pause: Seconds to wait between two videos.
        max_videos: Only the first so many of each list; 0 takes all.
        max_height: Largest height of the picture that is asked for (pixels).
    """
    root = require_lists(db_root)
    files = find_files(root)
    found = look_at_videos(files.whole.values(), nj)
    files.whole = {video: path for video, path in files.whole.items() if isinstance(found[path], MediaInfo)}
    wanted: dict[str, str] = {}
    for name in (TEST, TRAIN):
        taken: set[str] = set()
        for row in iter_rows(root / name):
            if row.video not in taken and len(taken) == max_videos > 0:
                continue
            taken.add(row.video)
            if files.of(row) is None:
                wanted[row.video] = WATCH_URL + row.video
    fetch_videos(wanted, root / VIDEOS, yt_dlp, pause, max_height)


def require_lists(db_root: str) -> Path:
    """Check that the lists are there; returns the absolute folder."""
    return require(db_root, dict.fromkeys((TRAIN, TEST), f"a list of AVSpeech, from {PAGE}"), HINT)


def iter_rows(path: Path) -> Iterator[Row]:
    """Read a list line by line.

    Raises:
        ValueError: A line is not of its form, as where the download broke off.
    """
    with open(path, encoding="utf-8-sig", newline="") as lines:
        for number, fields in enumerate(csv.reader(lines), 1):
            try:
                video, start, end, x, y = fields
                row = Row(video, float(start), float(end), (_part(x), _part(y)))
            except ValueError:
                row = None
            if row is not None and VIDEO_ID.fullmatch(row.video) and 0 <= row.start < row.end:
                yield row
            elif fields and number > 1:  # some copies have a header
                raise ValueError(f"{path}:{number}: '{','.join(fields)}' is not 'id,start,end,x,y'; get the list again")


def _part(value: str) -> float:
    """The middle of a face that is partly outside of the picture may be outside too."""
    return min(max(float(value), 0.0), 1.0)


def find_files(root: Path) -> Files:
    """Find the videos, whole or cut."""
    files = Files()
    for stem, path in iter_videos(root):
        if VIDEO_ID.fullmatch(stem):  # first: an id may itself look like id_start_end
            files.whole.setdefault(stem, path)
        elif match := CLIP_NAME.fullmatch(stem):
            files.clips.setdefault(Row(match[1], float(match[2]), float(match[3]), (0, 0)).key, path)
    return files


def present(rows: Iterable[Row], files: Files, missing: Counter, skipped: dict[str, str]) -> list[Row]:
    """Take the clips that have a file.

    Args:
        rows: All, of one list.
        files: What is there.
        missing: Counts the others by video.
        skipped: Gets those that the list has twice.
    """
    taken: dict[str, Row] = {}
    for row in rows:
        if files.of(row) is None:
            missing[row.video] += 1
        elif row.utt_id in taken:
            skipped[f"{row.utt_id}-again"] = "the list has these seconds of the video twice; the first face is taken"
        else:
            taken[row.utt_id] = row
    return list(taken.values())


def to_utterances(rows: list[Row], files: Files, found: dict, skipped: dict[str, str]) -> list[Utterance]:
    """Make the entries of a data directory; the video's own sound is its sound.

    Args:
        rows: Clips that have a file.
        files: What is there.
        found: File -> its header, or why it cannot be used.
        skipped: Gets the clips that cannot be used.
    """
    utterances = []
    for row in rows:
        path = files.of(row)
        info = span = found[path]
        if isinstance(info, MediaInfo):
            is_clip = row.key in files.clips
            start, end = (0.0, info.duration) if is_clip else (row.start, row.end)
            span = within_video(path, start, end, info.duration)
        if isinstance(span, str):
            skipped[row.utt_id] = span
        else:
            utterances.append(Utterance(row.utt_id, row.video, None, path, path, *span, row.face))
    return utterances
