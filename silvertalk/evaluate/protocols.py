"""The two ways in which LSE is published, for sets of any size.

Lists: pairs "AUDIO VIDEO" of LRS2, LRS3 or LRW; the video's face says the
audio. Real videos: whatever faces the videos show, each followed for as long
as it is seen. Both after Prajwal et al. (ACM MM 2020), with the real videos
scored beside, and from the sound that drives a video, not from its own track.
"""

import functools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from silvertalk.evaluate.clip import Clip, Networks
from silvertalk.evaluate.jobs import ERRORS, note, score_share
from silvertalk.evaluate.metrics import REAL, TABLES, measure, of_groups
from silvertalk.evaluate.score_folders import (
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    FolderScoring,
    Found,
    Scoring,
    VideoFile,
    find_clips,
)
from silvertalk.evaluate.tables import Row
from silvertalk.face import Track
from silvertalk.face.prepare.dump import SAMPLES_PER_FRAME
from silvertalk.face.prepare.speaker import follow_faces
from silvertalk.face.track import make_track
from silvertalk.media import read_audio, read_frames, read_pictures
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import FPS
from silvertalk.talker.base import Talker
from silvertalk.talker.options import VideoOptions
from silvertalk.utils import progress

GENERATED = "generated"
MIN_TRACK = 100  # frames; as published, a track has more


@dataclass
class Pair:
    """A face, and what it is to say."""

    audio: Path
    video: Path


def read_pairs(path: str | os.PathLike, data_root: str | os.PathLike) -> dict[str, Pair]:
    """Read a list of "AUDIO VIDEO" lines.

    Args:
        path: The list; names are below ``data_root``, with or without suffix. The sound may be a video's.
        data_root: Folder of the corpus.

    Returns:
        Number of the line, from 0, as the published evaluation names its results -> pair.

    Raises:
        FileNotFoundError: No list, or a file of it is not there.
        ValueError: A line is not two names.
    """
    path, root = Path(path), Path(data_root)
    if not path.is_file():
        raise FileNotFoundError(f"no list {path}; give one with lines 'AUDIO VIDEO'")
    pairs = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        names = line.split()
        if len(names) != 2:
            raise ValueError(f"{path}:{number + 1}: '{line}' is not 'AUDIO VIDEO'")
        found = [
            _find(root / name, suffixes)
            for name, suffixes in zip(names, ((*SOUND_SUFFIXES, *VIDEO_SUFFIXES), VIDEO_SUFFIXES), strict=True)
        ]
        for name, file in zip(names, found, strict=True):
            if file is None:
                raise FileNotFoundError(f"{path}:{number + 1}: no {root / name}; complete the corpus or the list")
        pairs[str(number)] = Pair(*found)
    if not pairs:
        raise ValueError(f"{path}: is empty; give lines 'AUDIO VIDEO'")
    return pairs


def _find(path: Path, suffixes) -> Path | None:
    """Find a file whose suffix may have been left out."""
    candidates = (path, *(path.with_name(path.name + suffix) for suffix in sorted(suffixes)))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def render_pairs(pairs: dict[str, Pair], talker: Talker, options: VideoOptions, out_dir: str | os.PathLike) -> None:
    """Render every pair without loss; what exists is kept, what fails is logged and counts as missing.

    Args:
        pairs: From ``read_pairs``.
        talker: Makes the faces speak.
        options: How, but for the quality.
        out_dir: Gets ``<number>.mp4``, of films as long as they are.
    """
    length = {"length": "video"} if hasattr(options, "length") else {}
    lossless = replace(options, fps=FPS, crf=0, preset="ultrafast", **length)
    for number, pair in progress(pairs.items(), desc="videos"):
        out = Path(out_dir) / f"{number}.mp4"
        if out.is_file():
            continue
        try:
            talker.render_file(pair.video, pair.audio, out, lossless)
        except ERRORS as error:
            logging.warning("pair %s (%s, %s) not rendered: %s", number, pair.audio, pair.video, error)


@dataclass(kw_only=True)
class PairScoring(Scoring):
    """Results of a list of pairs: ``<number>.mp4`` for each line."""

    pairs: str
    data_root: str
    results: str

    compared = False  # the face says something else than the real one

    def clips(self) -> Found:
        """The real faces with their own sound, and the results with the sound that drives them."""
        pairs, made = read_pairs(self.pairs, self.data_root), find_clips(self.results)
        real = {number: VideoFile(pair.video, pair.video) for number, pair in pairs.items()}
        return real, {GENERATED: {n: VideoFile(made[n].path, pair.audio) for n, pair in pairs.items() if n in made}}


class TrackScoring(FolderScoring):
    """Every face of every video, by synchrony alone; a line of the table is a face track. Names need not match."""

    matched = False

    def score(self, job: int = 1, num_jobs: int = 1, quiet: bool = False) -> None:
        """Score one job's share of the videos."""
        real, systems = self.clips()
        files = {f"{kind}/{name}": file for kind, c in {REAL: real, **systems}.items() for name, file in c.items()}
        backend, networks = self.tools()
        networks = replace(networks, describers=[])

        def score(key: str) -> tuple[list[Row], dict]:
            try:
                rows = list(_score_tracks(files[key], networks, backend))
            except ERRORS as error:
                rows = [{"note": note(files[key].path, error)}]
            rows = rows or [{"note": f"no face is seen for more than {MIN_TRACK} frames"}]
            kind, _, name = key.partition("/")
            return [{"utt_id": f"{name}#{n}", "kind": kind, **row} for n, row in enumerate(rows)], {}

        score_share(Path(self.out_dir) / "lips", files, score, job, num_jobs, quiet)


def _score_tracks(file: VideoFile, networks: Networks, backend) -> Iterator[Row]:
    """Score each face of a video."""
    metrics = of_groups(TABLES["lips"], "face", "lse", "expert")
    wav, _ = read_audio(file.sound, SAMPLING_RATE)
    for first, track in face_tracks(file.path, backend):
        span = {"start": first / FPS, "end": (first + len(track)) / FPS}
        sound = wav[first * SAMPLES_PER_FRAME : (first + len(track)) * SAMPLES_PER_FRAME]
        frames = functools.partial(read_frames, file.path, FPS, **span)
        yield dict(measure(metrics, Clip("track", track, frames, lambda sound=sound: sound, networks)))


def face_tracks(path: str | os.PathLike, backend) -> list[tuple[int, Track]]:
    """Follow all faces of a video through its shots.

    A face is looked for in every frame, and lost after 25 frames without it. It
    is the detection nearest to where it was; the published code takes the one
    that overlaps by half, which is the same at 25 frames a second.

    Returns:
        First frame and track of each face seen for more than 100 frames.
    """
    faces = [face for face in follow_faces(read_pictures(path, FPS), backend) if len(face.seen) > MIN_TRACK]
    return [(face.first, make_track(face.seen, FPS)) for face in sorted(faces, key=lambda face: face.first)]
