"""The two ways in which LSE is published, for sets of any size.

Lists: pairs "AUDIO VIDEO" of LRS2, LRS3 or LRW; the video's face says the
audio. Real videos: whatever faces the videos show, each followed for as long
as it is seen. Both after Prajwal et al. (ACM MM 2020), with the real videos
scored beside, and from the sound that drives a video, not from its own track.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, shard
from silvertalk.evaluate import lse
from silvertalk.evaluate.score_folders import (
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    Clip,
    Scoring,
    find_clips,
    label_folders,
)
from silvertalk.evaluate.score_lips import FACE_ERRORS, FPS, REAL, Judges
from silvertalk.evaluate.tables import Row
from silvertalk.face import Track, crop_face
from silvertalk.face.prepare.dump import SAMPLES_PER_FRAME
from silvertalk.face.prepare.speaker import follow_faces
from silvertalk.face.track import make_track
from silvertalk.media import read_audio, read_frames, read_pictures, wav2lip_mel
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.syncnet import judge as sync
from silvertalk.utils import progress, write_text

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


def render_pairs(pairs: dict[str, Pair], lipsync, out_dir: str | os.PathLike) -> None:
    """Render every pair without loss; what exists is kept, what fails is logged and counts as missing.

    Args:
        pairs: From ``read_pairs``.
        lipsync: ``LipSync``.
        out_dir: Gets ``<number>.mp4``, as long as the face video.
    """
    from silvertalk.talker.options import RenderOptions

    lossless = RenderOptions(fps=FPS, length="video", crf=0, preset="ultrafast")
    for number, pair in progress(pairs.items(), desc="videos"):
        out = Path(out_dir) / f"{number}.mp4"
        if out.is_file():
            continue
        try:
            lipsync.render_file(pair.video, pair.audio, out, lossless)
        except (RuntimeError, ValueError, FileNotFoundError) as error:
            logging.warning("pair %s (%s, %s) not rendered: %s", number, pair.audio, pair.video, error)


@dataclass(kw_only=True)
class PairScoring(Scoring):
    """Results of a list of pairs: ``<number>.mp4`` for each line."""

    pairs: str
    data_root: str
    results: str

    compared = False  # the face says something else than the real one

    def clips(self) -> tuple[dict[str, Clip], dict[str, dict[str, Clip]]]:
        """The real faces with their own sound, and the results with the sound that drives them."""
        pairs, made = read_pairs(self.pairs, self.data_root), find_clips(self.results)
        real = {number: Clip(pair.video, pair.video) for number, pair in pairs.items()}
        return real, {GENERATED: {n: Clip(made[n].path, pair.audio) for n, pair in pairs.items() if n in made}}


@dataclass(kw_only=True)
class TrackScoring(Scoring):
    """Every face of every video, by synchrony alone; a line of the table is a face track."""

    real: str
    generated: list[str]

    matched = False

    def clips(self) -> tuple[dict[str, Clip], dict[str, dict[str, Clip]]]:
        """All videos; names need not match."""
        return find_clips(self.real), {label: find_clips(path) for label, path in label_folders(self.generated).items()}

    def score(self, job: int = 1, num_jobs: int = 1, quiet: bool = False) -> None:
        """Score one job's share of the videos."""
        real, systems = self.clips()
        clips = {(kind, name): clip for kind, c in {REAL: real, **systems}.items() for name, clip in c.items()}
        keys = {f"{kind}/{name}": (kind, name) for kind, name in clips}
        folder = Path(self.out_dir) / "lips"
        write_text(folder / "expected", "".join(f"{key}\n" for key in keys))
        backend, judges = self.tools()
        with PartWriter(folder, job) as out:
            todo = [key for key in shard(list(keys), job, num_jobs) if key not in out.done]
            for key in todo if quiet else progress(todo, desc=f"videos {job}"):
                kind, name = keys[key]
                try:
                    rows = list(_score_tracks(clips[kind, name], judges, backend))
                except FACE_ERRORS as error:
                    logging.warning("%s: not scored: %s", clips[kind, name].path, error)
                    rows = [{"note": str(error)}]
                rows = rows or [{"note": f"no face is seen for more than {MIN_TRACK} frames"}]
                named = [{"utt_id": f"{name}#{n}", "kind": kind, **row} for n, row in enumerate(rows)]
                out.add(key, {}, {"rows": json.dumps(named)})


def _score_tracks(clip: Clip, judges: Judges, backend) -> Iterator[Row]:
    """Score each face of a video."""
    wav, _ = read_audio(clip.sound, SAMPLING_RATE)
    for first, track in face_tracks(clip.path, backend):
        sound = wav[first * SAMPLES_PER_FRAME : (first + len(track)) * SAMPLES_PER_FRAME]
        row: Row = {"frames": float(len(track)), "detected": float(track.detected.mean())}
        span = {"start": first / FPS, "end": (first + len(track)) / FPS}
        if judges.syncnet_v2 is not None:
            row |= lse.lse_scores(judges.syncnet_v2, read_frames(clip.path, FPS, **span), track.bbox, sound)[0]
        if judges.expert is not None:
            pictures = zip(read_frames(clip.path, FPS, **span), track.bbox, strict=False)
            faces = np.stack([crop_face(frame, bbox, judges.expert.img_size) for frame, bbox in pictures])
            row |= sync.expert_scores(*sync.embed(judges.expert, faces, wav2lip_mel(sound).T))
        yield row


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
