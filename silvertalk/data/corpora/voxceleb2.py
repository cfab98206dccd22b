"""VoxCeleb2: celebrities in interviews, cut out of public videos.

6,112 speakers, 1.13 million clips of 4 s and more, 2,440 hours, many languages.
A clip's picture (the face, 224x224, 25 fps) and sound are separate files, and
there are no transcripts.

Source: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html, after a
request form. Licence: metadata CC BY 4.0, sound and pictures stay their
owners'. Citation: J. S. Chung, A. Nagrani, A. Zisserman, "VoxCeleb2: Deep
Speaker Recognition", Interspeech 2018.

Layout that is read, in the folder that is named or one below it, both halves
and both kinds also in folders of their own:

    dev/mp4/id00012/21Uxsk56VDQ/00001.mp4     test/mp4/...
    dev/aac/id00012/21Uxsk56VDQ/00001.m4a     test/aac/...
    vox2_meta.csv
"""

import csv
import io
import itertools
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from silvertalk.data.corpus import Corpus, drop_unreadable, hold_out_speakers, make_utt_id, read_text, require
from silvertalk.data.kaldi import Utterance
from silvertalk.utils import progress

HINT = "egs/voxceleb2/av1/README.md says how to get and unpack it"
HALVES = ("dev", "test")
KINDS = {"mp4": ".mp4", "aac": ".m4a"}  # folder -> suffix
NUM_SPEAKERS = {"dev": 5994, "test": 118}  # as published
META = "vox2_meta.csv"
SPEAKER = re.compile(r"id\d+")
CHECKED_AT_ONCE = 2000  # source videos; some 15,000 clips


def read(
    db_root: str, nj: int = 1, dev_share: float = 0.005, check_media: bool = True, partial: bool = False
) -> Corpus:
    """Read the corpus; the official test speakers are eval1, and dev gets speakers of the official dev half.

    Args:
        db_root: The folder that holds dev and test, or the folder above it.
        nj: Files opened at a time.
        dev_share: Part of the official dev half's source videos that is held out, whole speakers.
        check_media: Open every file once; without it damaged ones are found by stages 2 and 3.
        partial: Leave out speakers with pictures or sound only; otherwise they are an error.
    """
    folders = find_folders(db_root)
    skipped: dict[str, str] = {}
    videos = [video for half in HALVES for video in find_videos(half, folders[half], partial, nj, skipped)]
    if check_media:
        videos = drop_damaged(videos, nj, skipped)
    official = _official_sets(db_root)
    # Speakers are drawn by their source videos, which is near enough and needs no list of a million clips.
    test = [v for v in videos if official.get(v.spk, v.half) == "test"]
    sets = hold_out_speakers([v for v in videos if official.get(v.spk, v.half) != "test"], {"dev": dev_share})
    return Corpus({name: Clips(own) for name, own in {**sets, "eval1": test}.items()}, skipped)


@dataclass(slots=True)
class SourceVideo:
    """The clips that were cut out of one public video. A million clips are some 150,000 of these."""

    half: str  # dev or test
    spk: str  # id00012
    video: str  # 21Uxsk56VDQ
    clips: tuple[str, ...]  # 00001, 00002, ...; the strings are shared by all videos
    mp4: str  # folder of the half's pictures
    aac: str  # folder of its sound

    def utterances(self) -> Iterator[Utterance]:
        """Make the entries of the data directory, one at a time."""
        place = f"{self.spk}/{self.video}"
        for clip in self.clips:
            wav, picture = f"{self.aac}/{place}/{clip}.m4a", f"{self.mp4}/{place}/{clip}.mp4"
            yield Utterance(self.utt_id(clip), self.spk, wav=wav, video=picture)

    def utt_id(self, clip: str) -> str:
        """Id of a clip; all speakers' ids have one length."""
        return make_utt_id(self.spk, self.video, clip)


class Clips(Sequence):
    """A set's utterances, made when they are asked for.

    Example:
        ``for utterance in Clips(videos): ...``
    """

    def __init__(self, videos: list[SourceVideo]):
        self._videos = sorted(videos, key=lambda video: (video.spk, video.video))
        self._len = sum(len(video.clips) for video in videos)

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[Utterance]:
        return itertools.chain.from_iterable(video.utterances() for video in self._videos)

    def __getitem__(self, index):
        return next(itertools.islice(self, range(len(self))[index], None))


def find_folders(db_root: str | os.PathLike) -> dict[str, dict[str, Path]]:
    """Find the four folders of pictures and sound.

    Returns:
        half -> kind -> folder that holds ``id00012`` and so on.

    Raises:
        FileNotFoundError: One is not there.
    """
    root = require(db_root, {}, HINT)
    return {half: {kind: _find_folder(root, half, kind) for kind in KINDS} for half in HALVES}


def _find_folder(root: Path, half: str, kind: str) -> Path:
    """Find one of them, at its place or a folder deeper."""
    for pattern in (f"{half}/{kind}", f"*/{half}/{kind}", f"{half}/*/{kind}"):
        for folder in sorted(root.glob(pattern)):
            with os.scandir(folder) as entries:
                if any(SPEAKER.fullmatch(entry.name) for entry in entries):
                    return folder
    parts = sorted(path.name for path in root.glob(f"*{half}_{kind}*") if path.is_file())
    found = f"; {parts[0]} is there: join the parts with cat and unpack them" if parts else ""
    raise FileNotFoundError(
        f"no {root / half / kind}/id*: there should be a folder for each speaker, as "
        f"{half}/{kind}/id00012/21Uxsk56VDQ/00001{KINDS[kind]}{found}; {HINT}"
    )


def find_videos(
    half: str, folders: dict[str, Path], partial: bool, nj: int, skipped: dict[str, str]
) -> list[SourceVideo]:
    """List one half's clips that have picture and sound.

    Args:
        half: dev or test.
        folders: ``mp4`` and ``aac`` of the half.
        partial: Whether speakers may lack one of the two.
        nj: Speakers looked through at a time.
        skipped: Gets the clips that have only one of the two.

    Raises:
        FileNotFoundError: A speaker lacks one of the two, as when not all parts are unpacked.
    """
    speakers = {kind: {name for name, is_dir in _listing(folders[kind]) if is_dir} for kind in KINDS}
    for kind, other in (("mp4", "aac"), ("aac", "mp4")):
        lacking = sorted(speakers[other] - speakers[kind])
        for spk in lacking:
            skipped[f"{half}/{spk}"] = f"no {folders[kind] / spk}, only its {other}"
        if lacking and not partial:
            raise FileNotFoundError(
                f"no {folders[kind] / lacking[0]}: there should be the {kind} of that speaker, whose {other} is there "
                f"({len(lacking)} speakers lack it): join and unpack all parts of vox2_{half}_{kind}, "
                "or leave such speakers out with --partial true"
            )
    common = sorted(speakers["mp4"] & speakers["aac"])
    if len(common) < NUM_SPEAKERS[half]:
        logging.warning("%s: %d of its %d speakers are here", folders["mp4"], len(common), NUM_SPEAKERS[half])
    with ThreadPoolExecutor(nj) as pool:
        found = pool.map(lambda spk: _videos_of(half, spk, folders), common)
        videos = []
        for own, alone in progress(found, desc=f"VoxCeleb2 {half}", total=len(common)):
            videos += own
            skipped.update(alone)
    return videos


def _videos_of(half: str, spk: str, folders: dict[str, Path]) -> tuple[list[SourceVideo], dict[str, str]]:
    """One speaker's clips, and those that lack picture or sound with the reason."""
    mp4, aac = (_clips_in(folders[kind] / spk, suffix) for kind, suffix in KINDS.items())
    videos, alone = [], {}
    for name in sorted(mp4.keys() | aac.keys()):
        pictures, sounds = mp4.get(name, set()), aac.get(name, set())
        both = tuple(sys.intern(clip) for clip in sorted(pictures & sounds))
        video = SourceVideo(half, spk, name, both, str(folders["mp4"]), str(folders["aac"]))
        for clip in pictures - sounds:
            alone[video.utt_id(clip)] = f"no {folders['aac'] / spk / name / clip}.m4a"
        for clip in sounds - pictures:
            alone[video.utt_id(clip)] = f"no {folders['mp4'] / spk / name / clip}.mp4"
        if both:
            videos.append(video)
    return videos, alone


def _clips_in(folder: Path, suffix: str) -> dict[str, set[str]]:
    """Names of source videos -> names of their clips. Nothing is asked of the files but their names."""
    return {
        name: {clip.removesuffix(suffix) for clip, _ in _listing(folder / name) if clip.endswith(suffix)}
        for name, is_dir in _listing(folder)
        if is_dir
    }


def _listing(folder: Path) -> list[tuple[str, bool]]:
    """Name of what is in a folder, and whether it is a folder; hidden files are passed over."""
    with os.scandir(folder) as entries:
        return [(entry.name, entry.is_dir()) for entry in entries if entry.name[0] != "."]


def drop_damaged(videos: list[SourceVideo], nj: int, skipped: dict[str, str]) -> list[SourceVideo]:
    """Leave out clips whose files cannot be opened; some thousands at a time, to need little memory."""
    kept = []
    for first in range(0, len(videos), CHECKED_AT_ONCE):
        batch = videos[first : first + CHECKED_AT_ONCE]
        good = {u.utt_id for u in drop_unreadable([u for v in batch for u in v.utterances()], nj, skipped)}
        for video in batch:
            video.clips = tuple(clip for clip in video.clips if video.utt_id(clip) in good)
        kept += [video for video in batch if video.clips]
    return kept


def _official_sets(db_root: str | os.PathLike) -> dict[str, str]:
    """The sets of ``vox2_meta.csv``; where it is missing, the folders say."""
    found = sorted(path for pattern in (META, f"*/{META}") for path in Path(db_root).glob(pattern))
    if not found:
        logging.warning("no %s; the folders dev and test say which speakers are for tests", Path(db_root) / META)
    return read_meta(found[0]) if found else {}


def read_meta(path: str | os.PathLike) -> dict[str, str]:
    """Read the official set of every speaker; names and values of the table end in spaces.

    Returns:
        Speaker -> ``dev`` or ``test``.

    Raises:
        ValueError: The table has other columns.
    """
    rows = [[value.strip() for value in row] for row in csv.reader(io.StringIO(read_text(path))) if row]
    header = rows[0] if rows else []
    if not {"VoxCeleb2 ID", "Set"} <= set(header):
        raise ValueError(f"{path}:1: columns {header} lack 'VoxCeleb2 ID' or 'Set'; get the file again or remove it")
    spk, which = header.index("VoxCeleb2 ID"), header.index("Set")
    return {row[spk]: row[which] for row in rows[1:] if len(row) > max(spk, which)}
