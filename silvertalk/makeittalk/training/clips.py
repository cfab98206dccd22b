"""Clips of stage 11's dump: rows of sound and landmarks, pictures, read when they are asked for."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.data import read_rows, read_scp
from silvertalk.makeittalk.geometry import lip_area
from silvertalk.media import read_window

FACES_KEPT = 20000  # faces at rest that a loader process remembers: under 1 kB each
EVERY = 10  # frames between those among which the most closed mouth is looked for, as published
MATRICES = ("content", "embedding", "landmarks", "registered", "pose")


@dataclass(slots=True)
class PortraitClip:
    """One utterance of the dump; of matrices the place in an archive is known, "file:offset"."""

    utt_id: str
    spk: str
    num_frames: int  # at 62.5 per second
    num_pictures: int  # at 25 per second
    content: str  # (T, 80) mel in the target voice, not normalised
    embedding: str  # (1, 256) of the speaker
    landmarks: str  # (T, 204) normalised, with the head's motion
    registered: str  # (T, 204) the same with the head held still
    pose: str  # (T, 7) quaternion x y z w, translation
    picture_landmarks: str  # (F, 204) pixels of the stored portrait; (F, 222) with 74 points
    video: str  # MJPEG file of square portraits, 25 fps
    audio: str  # sound file, 16 kHz
    num_points: int = 68  # of ``picture_landmarks``

    def rows(self, name: str, first: int, count: int) -> np.ndarray:
        """Read rows of a matrix: float32 (count, D).

        Raises:
            RuntimeError: It has fewer.
        """
        rows = read_rows(getattr(self, name), first, first + count)
        if len(rows) < count:
            raise RuntimeError(
                f"{self.utt_id}: '{name}' has {first + len(rows)} rows, {first + count} are wanted; run stage 11 again"
            )
        return rows

    def portrait_size(self) -> int:
        """Side of the stored portraits (pixels)."""
        return read_window(self.video, 0, 1).shape[1]

    def face_at_rest(self) -> np.ndarray:
        """The face with the most closed mouth among every 10th frame, head held still: float32 (204,), read only."""
        return _face_at_rest(self.registered, self.num_frames)


@functools.lru_cache(FACES_KEPT)
def _face_at_rest(place: str, num_frames: int) -> np.ndarray:
    """See ``PortraitClip.face_at_rest``."""
    faces = read_rows(place, 0, num_frames)[::EVERY]
    return faces[np.argmin(np.abs(lip_area(faces.reshape(-1, 68, 3))))].copy()


def load_portrait_clips(
    dump_dir: str | os.PathLike, min_frames: int = 0, min_pictures: int = 0, num_points: int = 68
) -> list[PortraitClip]:
    """List the clips of stage 11's dump that are long enough.

    Args:
        dump_dir: E.g. dump/makeittalk/tr_no_dev.
        min_frames: Frames of sound and landmarks, at 62.5 per second.
        min_pictures: Pictures, at 25 per second.
        num_points: Landmarks of the pictures, 68 or 74.

    Raises:
        FileNotFoundError: The dump is not there, or has no 74 points.
        RuntimeError: No clip is long enough.
    """
    dump_dir = Path(dump_dir)
    picture_landmarks = "picture_landmarks" + ("" if num_points == 68 else f"_{num_points}")
    names = {name: name for name in (*MATRICES, "video", "audio")} | {"picture_landmarks": picture_landmarks}
    tables = {}
    for name, file in names.items():
        is_there = (dump_dir / f"{file}.scp").is_file()
        needed = name in MATRICES or min_pictures or num_points != 68  # one made of pickles has no pictures, no sound
        if not is_there and needed:
            how = " with --awing_weights" if file.endswith(f"_{num_points}") else ""
            raise FileNotFoundError(f"no {dump_dir}/{file}.scp; run stage 11{how}")
        tables[name] = read_scp(dump_dir / f"{file}.scp") if is_there else {}
    frames, pictures, utt2spk = (
        read_scp(dump_dir / name) for name in ("utt2num_frames", "utt2num_pictures", "utt2spk")
    )
    clips = [
        PortraitClip(
            utt_id, spk, int(frames[utt_id]), int(pictures[utt_id]), num_points=num_points,
            **{name: table.get(utt_id, "") for name, table in tables.items()},
        )
        for utt_id, spk in utt2spk.items()
        if int(frames[utt_id]) >= min_frames and int(pictures[utt_id]) >= min_pictures
    ]  # fmt: skip
    if not clips:
        wanted = f"{min_frames} frames (at 62.5 per second)" if min_frames else f"{min_pictures} pictures"
        raise RuntimeError(f"{dump_dir}: no clip has {wanted}; use longer clips")
    return clips
