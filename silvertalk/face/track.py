"""Follow one face through a video, with a box that ignores the jaw."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from silvertalk.face.landmarks import make_backend
from silvertalk.media import read_frames

EYES = slice(36, 48)
NOSE_BASE = 33
JAW_ENDS = (0, 16)
# Adult means (Farkas, "Anthropometry of the Head and Face", 1994), millimetres; only their ratios matter.
EYE_DISTANCE, EYE_TO_NOSE_BASE = 63.0, 47.0
ABOVE_EYES, BELOW_EYES, HALF_WIDTH = 45.0, 135.0, 75.0
# Detection is the costly part; between two detections the box moves on a line.
DETECT_EVERY = 4  # frames


class NoFaceError(RuntimeError):
    """No face was found in a video or picture."""


@dataclass
class Track:
    """One face over T frames."""

    bbox: np.ndarray  # (T, 4) x1 y1 x2 y2, pixels; smoothed, does not follow the jaw
    landmarks: np.ndarray  # (T, 68, 3), pixels
    detected: np.ndarray  # (T,) bool; where False the landmarks are interpolated

    def __len__(self) -> int:
        return len(self.bbox)


def track_video(path: str | os.PathLike, backend="auto", fps: float = 25.0, **span) -> Track:
    """Track the face of a video file.

    Args:
        path: Video or photo.
        backend: A backend, or the name of one.
        fps: Frames per second of the track.
        **span: ``start`` and ``end`` in seconds.

    Raises:
        NoFaceError: No frame shows a face the backend finds.
    """
    try:
        return track_frames(read_frames(path, fps, **span), backend)
    except NoFaceError as error:
        raise NoFaceError(f"{path}: {error}") from None


def track_frames(frames: Iterable[np.ndarray], backend="auto") -> Track:
    """Track the face of a stream of frames; a few frames are held at a time.

    Among several faces the one nearest to the last frame's is followed, at
    first the largest.

    Args:
        frames: uint8 (H, W, 3), RGB.
        backend: A backend, or the name of one.

    Raises:
        NoFaceError: No frame shows a face the backend finds.
    """
    backend = make_backend(backend) if isinstance(backend, str) else backend
    landmarks = [backend.landmarks(frame, box) if box is not None else None for frame, box in _boxes(frames, backend)]
    detected = np.array([points is not None for points in landmarks], bool)
    if not detected.any():
        raise NoFaceError(
            f"no face found in {len(detected)} frames; use footage with a frontal face at least 80 pixels wide"
        )
    points = _fill_gaps(landmarks, detected)
    return Track(stable_boxes(points), points, detected)


def _boxes(frames: Iterable[np.ndarray], backend) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Give every frame the detector's box or None; detects on every fourth frame where that is enough."""
    previous, held = None, []

    def release(boxes):
        nonlocal held
        yield from zip(held, boxes, strict=True)
        held = []

    for number, frame in enumerate(frames):
        held.append(frame)
        if number % DETECT_EVERY:
            continue
        box = _nearest(backend.detect(frame), previous)
        if box is not None and previous is not None:
            steps = np.arange(1, len(held) + 1)[:, None] / len(held)
            yield from release(previous + steps * (box - previous))
        else:
            yield from release([_nearest(backend.detect(f), previous) for f in held[:-1]] + [box])
        previous = box
    yield from release([_nearest(backend.detect(f), previous) for f in held])


def _nearest(boxes: np.ndarray, previous: np.ndarray | None) -> np.ndarray | None:
    """Choose the box nearest to the previous one, without one the largest."""
    if not len(boxes):
        return None
    if previous is None:
        return boxes[np.argmax((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))]
    return boxes[np.argmin(np.abs(boxes - previous).sum(axis=1))]


def _fill_gaps(landmarks: list, detected: np.ndarray) -> np.ndarray:
    """Interpolate missing frames on a line, hold at the ends: (T, 68, 3)."""
    known = np.flatnonzero(detected)
    values = np.stack([landmarks[i] for i in known]).reshape(len(known), -1)
    times = np.arange(len(detected))
    filled = np.stack([np.interp(times, known, column) for column in values.T], axis=1)
    return filled.reshape(len(detected), 68, 3)


def face_scale(landmarks: np.ndarray) -> np.ndarray:
    """Size of the face in pixels per millimetre of a mean adult face.

    Eyes and nose only, so that speaking does not change it. The larger of a
    horizontal and a vertical measure is taken: turning the head shortens one.

    Args:
        landmarks: (T, 68, 2 or 3), pixels.

    Returns:
        (T,)
    """
    points = landmarks[..., :2]
    right, left = points[:, 36:42].mean(1), points[:, 42:48].mean(1)
    across = np.linalg.norm(left - right, axis=-1) / EYE_DISTANCE
    down = np.linalg.norm((left + right) / 2 - points[:, NOSE_BASE], axis=-1) / EYE_TO_NOSE_BASE
    return np.maximum(across, down)


def stable_boxes(landmarks: np.ndarray) -> np.ndarray:
    """Boxes from mid-forehead to below the chin, smoothed without lag.

    Position and size come from eyes and nose: a box that followed the chin
    would tell the generator how far the mouth is open, and it would learn to
    read that instead of the sound. Half of the height lies just below the
    nose, as in the S3FD boxes the published Wav2Lip was trained on.

    Args:
        landmarks: (T, 68, 2 or 3), pixels.

    Returns:
        (T, 4) x1 y1 x2 y2, pixels.
    """
    points = landmarks[..., :2]
    eyes = points[:, EYES].mean(1)
    x = (eyes[:, 0] + points[:, JAW_ENDS].mean(1)[:, 0]) / 2
    x, y = (gaussian_filter1d(v, 2.0, mode="nearest") for v in (x, eyes[:, 1]))
    scale = gaussian_filter1d(face_scale(landmarks), 8.0, mode="nearest")
    return np.stack(
        [x - HALF_WIDTH * scale, y - ABOVE_EYES * scale, x + HALF_WIDTH * scale, y + BELOW_EYES * scale], axis=1
    )


def smooth_boxes_published(boxes: np.ndarray, window: int = 5) -> np.ndarray:
    """Smooth boxes as the published Wav2Lip inference does.

    In place and forward-looking: row i becomes the mean of rows i..i+4, the
    last ones the mean of the last five rows, truncated to whole pixels.

    Args:
        boxes: (T, 4), pixels.
        window: Frames averaged.

    Returns:
        int (T, 4).
    """
    boxes = np.array(boxes)
    for i in range(len(boxes)):
        rows = boxes[len(boxes) - window :] if i + window > len(boxes) else boxes[i : i + window]
        boxes[i] = rows.mean(axis=0).astype(np.int64)
    return boxes
