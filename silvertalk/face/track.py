"""Follow one face through a video, with a box that ignores the jaw."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, median_filter

from silvertalk.face.detect.landmarks import make_backend
from silvertalk.face.select import Selector, largest
from silvertalk.media import Picture, read_pictures
from silvertalk.media.picture import cut, resize
from silvertalk.media.timing import FPS

EYES = slice(36, 48)
NOSE_TIP, NOSE_BASE = 30, 33
EYE_CORNERS = (36, 45)
JAW_ENDS = (0, 16)
# Adult means (Farkas, "Anthropometry of the Head and Face", 1994), millimetres; only their ratios matter.
EYE_DISTANCE, EYE_TO_NOSE_BASE = 63.0, 47.0
ABOVE_EYES, BELOW_EYES, HALF_WIDTH = 45.0, 135.0, 75.0
# Detection is the costly part; between two detections the box moves on a line.
DETECT_EVERY = 4  # frames
# A cut (or a black-out) changes the whole picture: mean change of a thumbnail, grey levels.
THUMBNAIL, CUT_CHANGE = (32, 18), 24.0
# A head moves by less than this between two detections, in widths of its box.
REACH, REACH_WHEN_LOST = 0.75, 1.5
LOST_FOR_GOOD = 25  # frames without it; then any face is taken again
LONGEST_GAP = 0.2  # seconds; shorter misses of the detector are filled by interpolation
RAMP = 0.12  # seconds in which a mouth fades in and out where the face comes and goes
# Place of the nose tip between the outer eye corners; beyond, half of the mouth is turned away.
PROFILE = 0.1
# Brightness around the mouth is compared in a square of this many pixels; millimetres of a mean face, below the eyes.
MOUTH_PATCH, MOUTH_HALF_WIDTH, MOUTH_BELOW_EYES = 16, 30.0, (48.0, 112.0)
COVERED, MEDIAN_OF = 0.31, 500  # change over brightness; frames that the usual brightness is taken from
# Speed (mm a second on a mean face) above which the box follows at once; below, it is held still.
CALM_SPEED, FAST_SPEED = 20.0, 120.0
SLOW_SMOOTHING, FAST_SMOOTHING = 0.12, 0.03  # seconds, standard deviation


class NoFaceError(RuntimeError):
    """No face was found in a video or picture."""


@dataclass
class Track:
    """One face over T frames."""

    bbox: np.ndarray  # (T, 4) x1 y1 x2 y2, pixels; smoothed, does not follow the jaw
    landmarks: np.ndarray  # (T, 68, 3), pixels
    detected: np.ndarray  # (T,) bool; where False the landmarks are interpolated
    shot: np.ndarray | None = None  # (T,) number of the shot, which grows by one at every cut; None: one shot
    covered: np.ndarray | None = None  # (T,) bool; something is held before the mouth; None: nowhere

    def __post_init__(self):
        if self.shot is None:
            self.shot = np.zeros(len(self.bbox), np.int32)
        if self.covered is None:
            self.covered = np.zeros(len(self.bbox), bool)

    def __len__(self) -> int:
        return len(self.bbox)


def track_video(path: str | os.PathLike, backend="auto", fps: float = FPS, select: Selector = largest, **span) -> Track:
    """Track the face of a video file.

    Args:
        path: Video or photo.
        backend: A backend, or the name of one.
        fps: Frames per second of the track.
        select: Chooses among several faces.
        **span: ``start`` and ``end`` in seconds.

    Raises:
        NoFaceError: No frame shows a face the backend finds.
    """
    try:
        return track_frames(read_pictures(path, fps, **span), backend, fps, select)
    except NoFaceError as error:
        raise NoFaceError(f"{path}: {error}") from None


def track_frames(
    frames: Iterable[Picture | np.ndarray], backend="auto", fps: float = FPS, select: Selector = largest
) -> Track:
    """Track the face of a stream of frames; a few frames are held at a time.

    A face is chosen when the video begins, after a cut, and when the one
    followed has been gone for a second; otherwise the nearest one is it.

    Args:
        frames: Pictures, or uint8 RGB (H, W, 3).
        backend: A backend, or the name of one.
        fps: Frames per second.
        select: Chooses among several faces.

    Raises:
        NoFaceError: No frame shows a face the backend finds.
    """
    backend = make_backend(backend) if isinstance(backend, str) else backend
    return make_track(list(follow_face(frames, backend, select)), fps)


@dataclass
class Seen:
    """What is found in one frame."""

    shot: int  # number of the shot
    landmarks: np.ndarray | None = None  # float32 (68, 3), pixels; None where there is no face
    mouth: np.ndarray | None = None  # uint8 (MOUTH_PATCH, MOUTH_PATCH): brightness around the mouth


def follow_face(frames: Iterable[Picture | np.ndarray], backend, select: Selector = largest) -> Iterator[Seen]:
    """Look for the face in every frame."""
    for frame, box, shot in _boxes(frames, backend, select):
        if box is None:
            yield Seen(shot)
        else:
            yield look_at(frame, box, backend, shot)


def look_at(frame: Picture | np.ndarray, box: np.ndarray, backend, shot: int) -> Seen:
    """Place the landmarks of a face whose box, (4,) in pixels, is known."""
    points = backend.landmarks(backend.view(frame), box).astype(np.float32)
    return Seen(shot, points, _mouth_patch(frame, points))


def make_track(seen: list[Seen], fps: float) -> Track:
    """Fill gaps and place the boxes.

    Args:
        seen: One for each frame.
        fps: Frames per second.

    Raises:
        NoFaceError: There is no face at all.
    """
    landmarks, shot = [frame.landmarks for frame in seen], np.array([frame.shot for frame in seen], np.int32)
    detected = np.array([points is not None for points in landmarks], bool)
    if not detected.any():
        raise NoFaceError(
            f"no face found in {len(detected)} frames; use footage with a frontal face at least 80 pixels wide, "
            "or choose another face if several are to be seen"
        )
    points = _fill_gaps(landmarks, detected, shot)
    return Track(stable_boxes(points, fps, shot), points, detected, shot, _covered([f.mouth for f in seen], shot))


def _boxes(frames, backend, select: Selector) -> Iterator[tuple[Picture | np.ndarray, np.ndarray | None, int]]:
    """Give every frame the detector's box or None, and its shot; detects on every fourth frame where that is enough."""
    follower, is_cut = _Follower(backend, select), CutDetector()
    previous, held, shot = None, [], 0  # box of the last detection, frames since then
    for frame in frames:
        if is_cut(frame):
            yield from ((f, follower.find(f), shot) for f in held)
            follower.last, previous, held, shot = None, None, [], shot + 1
        held.append(frame)
        if previous is not None and len(held) < DETECT_EVERY:
            continue
        box = follower.find(frame)
        if box is not None and previous is not None:
            steps = np.arange(1, len(held) + 1)[:, None] / len(held)
            boxes = list(previous + steps * (box - previous))
        else:
            boxes = [follower.find(f) for f in held[:-1]] + [box]
        yield from ((f, b, shot) for f, b in zip(held, boxes, strict=True))
        previous, held = box, []
    yield from ((f, follower.find(f), shot) for f in held)


def _mouth_patch(frame: Picture | np.ndarray, points: np.ndarray) -> np.ndarray:
    """Brightness around mouth and chin, upright, in the size of the face: uint8 (MOUTH_PATCH, MOUTH_PATCH)."""
    luma = frame.luma if isinstance(frame, Picture) else frame[..., 1]
    scale = float(face_scale(points[None])[0])
    x, y = (points[EYES, 0].mean() + points[JAW_ENDS, 0].mean()) / 2, points[EYES, 1].mean()
    x1, y1 = int(x - MOUTH_HALF_WIDTH * scale), int(y + MOUTH_BELOW_EYES[0] * scale)
    x2, y2 = int(x + MOUTH_HALF_WIDTH * scale), int(y + MOUTH_BELOW_EYES[1] * scale)
    return resize(cut(luma, (x1, y1, max(x2, x1 + 1), max(y2, y1 + 1))), MOUTH_PATCH, MOUTH_PATCH)


def _covered(mouths: list[np.ndarray | None], shot: np.ndarray) -> np.ndarray:
    """Whether something darker or brighter than the face is before the mouth: bool (T,).

    Each frame is compared with the median of its shot. Speaking, laughing and
    turning changed the patches of 16 real clips (5 minutes) by 0.27 of their
    brightness at most, a dark microphone drawn into them by at least 0.35. What has the brightness of skin (a
    hand, often) is not noticed, nor what never moves away.
    """
    covered = np.zeros(len(mouths), bool)
    for part in shots(shot):
        known = [k for k in range(part.start, part.stop) if mouths[k] is not None]
        if not known:
            continue
        patches = np.stack([mouths[k] for k in known])
        usual = np.median(patches[:: max(1, len(patches) // MEDIAN_OF)], axis=0).astype(np.float32)
        for k, patch in zip(known, patches, strict=True):
            change = patch - usual
            change -= np.median(change)  # the light may change
            covered[k] = np.sqrt((change**2).mean()) > COVERED * usual.mean()
    return covered


class _Follower:
    """Finds the face that is followed in one frame after the other."""

    def __init__(self, backend, select: Selector):
        self.backend, self.select = backend, select
        self.last, self.missed = None, 0  # where it was seen last in this shot, frames since

    def find(self, frame) -> np.ndarray | None:
        """Return its box, or None where it is not to be seen."""
        boxes = self.backend.detect(self.backend.view(frame))
        if self.last is not None:
            index = nearest_within_reach(boxes, self.last, self.missed)
        else:
            index = self.select(boxes, frame)
        if index is None:
            self.missed += 1
            if self.missed >= LOST_FOR_GOOD:
                self.last = None
            return None
        self.last, self.missed = boxes[index], 0
        return self.last


def nearest_within_reach(boxes: np.ndarray, last: np.ndarray, missed: int) -> int | None:
    """Find the box (N, 4) whose centre is nearest to the last one's, (4,), if a head can have moved there.

    Args:
        boxes: What the detector found.
        last: Where the face was.
        missed: Frames in which it was not found since.
    """
    if not len(boxes):
        return None
    width = last[2] - last[0]
    distance = np.abs((boxes - last).reshape(-1, 2, 2).mean(axis=1)).max(axis=1) / width
    index = int(np.argmin(distance))
    return index if distance[index] < (REACH_WHEN_LOST if missed else REACH) else None


class CutDetector:
    """Tells whether a frame begins another shot."""

    def __init__(self):
        self.previous = None

    def __call__(self, frame: Picture | np.ndarray) -> bool:
        luma = frame.luma if isinstance(frame, Picture) else frame[..., 1]  # green carries most of the brightness
        thumbnail = cv2.resize(luma, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        previous, self.previous = self.previous, thumbnail
        return previous is not None and float(np.abs(thumbnail - previous).mean()) > CUT_CHANGE


def shots(shot: np.ndarray) -> list[slice]:
    """Where each shot lies."""
    edges = [0, *(np.flatnonzero(np.diff(shot)) + 1), len(shot)]
    return [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]


def _fill_gaps(landmarks: list, detected: np.ndarray, shot: np.ndarray) -> np.ndarray:
    """Interpolate missing frames on a line, hold at the ends of a shot: float32 (T, 68, 3)."""
    known = np.flatnonzero(detected)
    frames = np.arange(len(detected))
    following = np.minimum(np.searchsorted(known, frames), len(known) - 1)
    before, after = known[np.maximum(following - 1, 0)], known[following]
    nearest = np.where(np.abs(frames - before) < np.abs(after - frames), before, after)
    filled = np.stack([landmarks[i] for i in nearest]).astype(np.float32)
    for part in shots(shot):
        inside = np.flatnonzero(detected[part])
        if 0 < len(inside) < part.stop - part.start:
            values = filled[part][inside].reshape(len(inside), -1)
            times = np.arange(part.stop - part.start)
            columns = [np.interp(times, inside, column) for column in values.T]
            filled[part] = np.stack(columns, axis=1).reshape(-1, 68, 3)
    return filled


def drawn_weight(track: Track, fps: float) -> np.ndarray:
    """How much of a new mouth to draw: 1 where the face is seen, 0 where the frame is passed through.

    The detector's short misses count as seen. A head in profile and a covered
    mouth do not. Where the face comes or goes within a shot, the mouth fades.

    Args:
        track: The face.
        fps: Frames per second.

    Returns:
        float32 (T,) in [0, 1].
    """
    seen = track.detected & ~track.covered & ~in_profile(track.landmarks)
    weight = np.zeros(len(seen), np.float32)
    for part in shots(track.shot):
        filled = _close_gaps(seen[part], round(LONGEST_GAP * fps))
        away = distance_transform_edt(np.pad(filled, 1, constant_values=True))[1:-1] if not filled.all() else np.inf
        weight[part] = np.where(filled, np.clip(away / (RAMP * fps + 1), 0, 1), 0)
    return weight


def _close_gaps(seen: np.ndarray, longest: int) -> np.ndarray:
    """Set runs of up to ``longest`` False, with True on both sides, to True."""
    known = np.flatnonzero(seen)
    closed = seen.copy()
    for before, after in zip(known, known[1:], strict=False):
        if after - before - 1 <= longest:
            closed[before:after] = True
    return closed


def in_profile(landmarks: np.ndarray) -> np.ndarray:
    """Whether the nose reaches an outer eye corner: bool (T,)."""
    points = landmarks[..., :2]
    right, left = (points[:, corner] for corner in EYE_CORNERS)
    axis = left - right
    place = ((points[:, NOSE_TIP] - right) * axis).sum(-1) / np.maximum((axis**2).sum(-1), 1e-6)
    return median_filter(np.abs(place - 0.5), size=5, mode="nearest") > 0.5 - PROFILE


def seconds_apart(flags: np.ndarray, fps: float) -> list[tuple[float, float]]:
    """List where a (T,) flag is set, as (first second, last second)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(float(a / fps), float(b / fps)) for a, b in edges.reshape(-1, 2)]


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


def stable_boxes(landmarks: np.ndarray, fps: float = FPS, shot: np.ndarray | None = None) -> np.ndarray:
    """Boxes from mid-forehead to below the chin, smoothed without lag.

    Position and size come from eyes and nose: a box that followed the chin
    would tell the generator how far the mouth is open, and it would learn to
    read that instead of the sound. Half of the height lies just below the
    nose, as in the S3FD boxes the published Wav2Lip was trained on.

    Args:
        landmarks: (T, 68, 2 or 3), pixels.
        fps: Frames per second.
        shot: (T,) number of the shot; nothing is smoothed across a cut. None: one shot.

    Returns:
        float32 (T, 4) x1 y1 x2 y2, pixels.
    """
    points = landmarks[..., :2].astype(np.float64)
    eyes = points[:, EYES].mean(1)
    centre = np.stack([(eyes[:, 0] + points[:, JAW_ENDS].mean(1)[:, 0]) / 2, eyes[:, 1]], axis=1)
    size = face_scale(points)
    boxes = np.empty((len(points), 4), np.float32)
    for part in shots(np.zeros(len(points)) if shot is None else shot):
        x, y = smooth_motion(centre[part], size[part], fps).T
        scale = gaussian_filter1d(size[part], 0.32 * fps, mode="nearest")
        corners = [x - HALF_WIDTH * scale, y - ABOVE_EYES * scale, x + HALF_WIDTH * scale, y + BELOW_EYES * scale]
        boxes[part] = np.stack(corners, axis=1)
    return boxes


def smooth_motion(values: np.ndarray, scale: np.ndarray, fps: float) -> np.ndarray:
    """Smooth positions: firmly while they rest, hardly while they move, never late.

    The idea of the One Euro filter (Casiez, Roussel, Vogel, CHI 2012), a
    cutoff that rises with speed, on centred Gaussians instead of a filter
    that only knows the past: there is no lag to trade against trembling.

    Args:
        values: (T, ...) positions, pixels.
        scale: (T,) pixels per millimetre of a mean face.
        fps: Frames per second.

    Returns:
        Like ``values``.
    """

    def gauss(x, seconds, **kwargs):
        return gaussian_filter1d(x, seconds * fps, axis=0, mode="nearest", **kwargs)

    tail = (1,) * (values.ndim - 1)
    speed = np.abs(gauss(values, SLOW_SMOOTHING * 0.7, order=1)) * fps / scale.reshape(-1, *tail)
    if values.ndim > 1:
        speed = speed.max(axis=-1, keepdims=True)
    fast = gauss(np.clip((speed - CALM_SPEED) / (FAST_SPEED - CALM_SPEED), 0, 1), SLOW_SMOOTHING * 0.7)
    return fast * gauss(values, FAST_SMOOTHING) + (1 - fast) * gauss(values, SLOW_SMOOTHING)
