"""The face to be animated: a video, photo, folder of pictures or prepared avatar, and its track."""

import json
import logging
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np

from silvertalk import __version__
from silvertalk.face.detect.landmarks import make_backend
from silvertalk.face.select import make_selector
from silvertalk.face.track import MOUTH_PATCH, NoFaceError, Seen, Track, follow_face, make_track
from silvertalk.media import MediaInfo, Picture, VideoWriter, probe, read_pictures
from silvertalk.media.timing import FPS
from silvertalk.utils import atomic_folder, atomic_path, progress, write_text
from silvertalk.utils.background import in_background
from silvertalk.utils.cache import cache_folder, content_key, quick_key

TRACKER = 2  # counts changes of the tracker that make kept tracks useless
DECODED_AHEAD = 8  # frames
AVATAR_FILE, AVATAR_VIDEO, AVATAR_TRACK = "avatar.json", "video.mp4", "track.npz"
AVATAR_CRF, AVATAR_KEYFRAMES = 12, 12
STANDARD_RATES = (10, 12, 15, 20, 24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60)
# What reading a damaged file of a track can raise.
LOAD_ERRORS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass
class RawTrack:
    """What following a face costs time for."""

    landmarks: np.ndarray  # float32 (T, 68, 3), pixels; zeros where there is no face
    mouth: np.ndarray  # uint8 (T, MOUTH_PATCH, MOUTH_PATCH)
    detected: np.ndarray  # bool (T,)
    shot: np.ndarray  # int32 (T,)
    complete: bool  # whether the video ends here

    @classmethod
    def collect(cls, seen: Iterable[Seen], num_frames: int | None) -> "RawTrack":
        """Gather what was found; the video ends where fewer frames came than were asked for."""
        seen = list(seen)
        nothing = np.zeros((68, 3), np.float32), np.zeros((MOUTH_PATCH, MOUTH_PATCH), np.uint8)
        return cls(
            np.stack([nothing[0] if frame.landmarks is None else frame.landmarks for frame in seen]),
            np.stack([nothing[1] if frame.mouth is None else frame.mouth for frame in seen]),
            np.array([frame.landmarks is not None for frame in seen]),
            np.array([frame.shot for frame in seen], np.int32),
            num_frames is None or len(seen) < num_frames,
        )

    def frames(self, count: int | None) -> list[Seen]:
        """The first frames, as they were found."""
        return [
            Seen(int(shot), points, mouth) if found else Seen(int(shot))
            for points, mouth, found, shot in zip(
                self.landmarks[:count], self.mouth[:count], self.detected[:count], self.shot[:count], strict=True
            )
        ]

    def save(self, path: str | os.PathLike) -> None:
        """Write it atomically."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **vars(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "RawTrack":
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            return cls(*(arrays[f.name] for f in fields(cls)[:-1]), bool(arrays["complete"]))


class FaceSource:
    """A face to be animated, at one frame rate.

    Args:
        path: Video, photo, folder of pictures, or avatar made by ``make_avatar``.
        fps: Frames per second; None takes the source's own (25 for pictures).
        start: First second used.
        select: Whose face, see ``make_selector``.
        backend: Face backend, or its name.
        cache: Whether tracks are kept between runs, and found again.

    Raises:
        FileNotFoundError: No such source.
        RuntimeError: It cannot be read.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        fps: float | None = None,
        start: float = 0.0,
        select: str = "largest",
        backend="auto",
        cache: bool = True,
    ):
        self.path, self.start, self.select, self.cache = Path(path), start, select, cache
        self.avatar = _read_avatar(self.path)
        self.video = self.path / AVATAR_VIDEO if self.avatar else self.path
        self.info: MediaInfo = probe(self.video)
        if not self.info.width:
            raise RuntimeError(f"{path}: holds no picture; give a video or a photo")
        self.fps = fps or (self.avatar["fps"] if self.avatar else usual_rate(self.info))
        if self.avatar and (abs(self.fps - self.avatar["fps"]) > 1e-3 or start or select != "largest"):
            raise ValueError(
                f"{path}: the avatar was made at {self.avatar['fps']:g} frames a second, whole and with one face; "
                "leave out fps, start and select, or make another avatar"
            )
        self._backend = backend

    def pictures(self, first: int = 0) -> Iterator[Picture]:
        """Read the frames from number ``first`` on.

        Raises:
            RuntimeError: There is none.
        """
        second, picture = self.start + first / self.fps, None
        for picture in read_pictures(self.video, self.fps, second):
            yield picture
        if picture is None:
            raise RuntimeError(
                f"{self.path}: shows no picture at {second:.2f} s; it lasts {self.info.duration:.2f} s, begin earlier"
            )

    def track(self, num_frames: int | None = None) -> Track:
        """Follow the face through the first frames, or find what an earlier run found.

        Args:
            num_frames: Frames that are needed; None follows it to the end.

        Raises:
            NoFaceError: No face.
        """
        raw = self._of_avatar() if self.avatar else self._kept_or_new(num_frames)
        try:
            return make_track(raw.frames(num_frames), self.fps)
        except NoFaceError as error:
            raise NoFaceError(f"{self.path}: {error}") from None

    def _of_avatar(self) -> RawTrack:
        file = self.path / AVATAR_TRACK
        try:
            return RawTrack.load(file)
        except LOAD_ERRORS as error:
            raise RuntimeError(f"{file}: cannot be read ({error}); make the avatar again") from error

    def _kept_or_new(self, num_frames: int | None) -> RawTrack:
        if not self.cache:
            return self.follow(num_frames)
        backend = self._get_backend()
        select = content_key(self.select) if Path(self.select).is_file() else self.select
        key = quick_key(self.path, fps=self.fps, start=self.start, select=select, backend=backend.name, tracker=TRACKER)
        kept = cache_folder("tracks") / f"{key}.npz"
        if kept.is_file():
            try:
                raw = RawTrack.load(kept)
                if raw.complete or (num_frames is not None and len(raw.detected) >= num_frames):
                    logging.info("%s: face track of an earlier run (%s)", self.path, kept)
                    return raw
            except LOAD_ERRORS as error:
                logging.warning("%s: cannot be read (%s); the face is followed again", kept, error)
        raw = self.follow(num_frames)
        try:
            raw.save(kept)
        except OSError as error:
            logging.warning(
                "%s: the face track cannot be kept (%s); SILVERTALK_CACHE names another folder", kept, error
            )
        return raw

    def _get_backend(self):
        """Make the backend when it is needed first."""
        if isinstance(self._backend, str):
            self._backend = make_backend(self._backend)
        return self._backend

    def follow(self, num_frames: int | None = None) -> RawTrack:
        """Follow the face through the first frames, or to the end; a few frames are in memory at a time."""
        wanted = max(0, round((self.info.duration - self.start) * self.fps)) or None
        total = min(num_frames or wanted, wanted or num_frames) if num_frames or wanted else None
        frames = in_background(islice(self.pictures(), num_frames), DECODED_AHEAD)
        faces = follow_face(frames, self._get_backend(), make_selector(self.select))
        return RawTrack.collect(progress(faces, desc="face", total=total), num_frames)


def usual_rate(info: MediaInfo) -> float:
    """Frame rate to render at: the source's; a variable one, or one not from 1 to 60, becomes the nearest in use."""
    if info.is_image or not info.fps:
        return FPS
    if info.constant_rate and 1 <= info.fps <= STANDARD_RATES[-1]:
        return info.fps
    return min(STANDARD_RATES, key=lambda rate: abs(np.log(rate / info.fps)))


def _read_avatar(path: Path) -> dict | None:
    """Read an avatar's description; None when the path is no avatar."""
    file = path / AVATAR_FILE
    if not file.is_file():
        return None
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        return about | {"fps": float(about["fps"])}
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"{file}: is damaged ({error}); make the avatar again") from error


def make_avatar(
    face: str | os.PathLike,
    out: str | os.PathLike,
    fps: float | None = None,
    start: float = 0.0,
    select: str = "largest",
    seconds: float | None = None,
    backend="auto",
) -> int:
    """Prepare a face, so that its first new picture comes at once.

    The avatar is a folder with a copy of the video at a constant rate, which
    can be entered anywhere quickly, and with the track of the face.

    Args:
        face: Video, photo or folder of pictures.
        out: Folder to make; an avatar that is there is replaced.
        fps: Frames per second; None takes the source's own.
        start: First second used.
        select: Whose face, see ``make_selector``.
        seconds: How much of it; None takes all.
        backend: Face backend, or its name.

    Returns:
        Number of frames.

    Raises:
        NoFaceError: No face.
        ValueError: ``out`` is something else than an avatar.
    """
    out = Path(out)
    if out.exists() and _read_avatar(out) is None:
        raise ValueError(f"{out}: is there and is no avatar; choose another name")
    source = FaceSource(face, fps, start, select, backend, cache=False)
    with atomic_folder(out) as folder:
        _copy_video(source, folder / AVATAR_VIDEO, None if seconds is None else max(1, round(seconds * source.fps)))
        # The copy is what will be shown, so the copy is what is followed.
        copy = FaceSource(folder / AVATAR_VIDEO, source.fps, select=select, backend=backend, cache=False)
        raw = copy.follow()
        if not raw.detected.any():
            raise NoFaceError(f"{face}: no face found in {len(raw.detected)} frames; use footage with a frontal face")
        raw.save(folder / AVATAR_TRACK)
        about = {"fps": source.fps, "frames": len(raw.detected), "source": Path(face).name, "select": select}
        write_text(folder / AVATAR_FILE, json.dumps({**about, "version": __version__}, indent=1) + "\n")
    return len(raw.detected)


def _copy_video(source: FaceSource, path: Path, num_frames: int | None) -> None:
    """Write the first frames of a source, or all, hardly compressed and quick to enter anywhere."""
    options = {"quality": AVATAR_CRF, "keyframes": AVATAR_KEYFRAMES, "pixel_aspect": source.info.pixel_aspect}
    with VideoWriter(path, source.fps, **options) as video:
        for picture in progress(islice(source.pictures(), num_frames), desc="copy", total=num_frames):
            video.write(picture)
