"""The photo that is animated: its face, the square that is drawn anew, and the way back into the photo."""

import copy
import logging
import os
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from silvertalk.face.blend import NewFace, blend, match_colour
from silvertalk.face.crop import portrait_box
from silvertalk.face.detect.depth import head_degrees
from silvertalk.face.select import make_selector
from silvertalk.face.track import NoFaceError, track_frames
from silvertalk.makeittalk.geometry import adjust_photo_landmarks, close_mouth, denormalise, normalise_face
from silvertalk.media import Picture, read_pictures
from silvertalk.media.timing import FPS

FRAMES_SEARCHED = 25  # of a video, for its first face
SEARCH_SIDES = (960, 1920)  # pixels, longer side, at which small faces are looked for after the backend's own size
SMALL_FACE = 100  # pixels between the jaw's ends
TURNED, PROFILE = 20.0, 45.0  # degrees of yaw from which the result suffers, and is not worth having
MASK_SIDE = 256  # pixels
RIM = 0.16  # width of the soft rim, of half the square's side
RIM_POWER = 5  # of the superellipse that is drawn anew: a square without corners


@dataclass
class Head:
    """A head that can be animated."""

    picture: Picture  # the whole photo
    points: np.ndarray  # (68, 2) landmarks, its pixels
    box: tuple[int, int, int, int]  # x1 y1 x2 y2 of the square that is drawn anew, pixels of the photo
    portrait: np.ndarray  # uint8 BGR (S, S, 3), the square in the network's size
    face: np.ndarray  # (68, 3) normalised and upright
    shift: np.ndarray  # (2,) of ``normalise_face``
    scale: float
    turn: np.ndarray  # (2, 2) rotation that sets the face upright, around the square's middle
    name: str = "photo"  # its file

    def place(self, points: np.ndarray) -> np.ndarray:
        """Normalised landmarks (..., 68, 3) -> (..., 68, 2), pixels of the portrait."""
        upright = denormalise(points, self.shift, self.scale)[..., :2]
        return _turned(upright, self.turn.T, len(self.portrait))

    def photographed(self) -> np.ndarray:
        """Landmarks (68, 2) as the photo shows them, mouth open or not: pixels of the portrait."""
        return _in_portrait(self.points, self.box, len(self.portrait))

    def face_box(self, cropped: bool) -> tuple[float, float, float, float]:
        """x1 y1 x2 y2 of the face in pixels of the photo, or of the portrait."""
        points = self.place(self.face) if cropped else self.points
        return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())

    def paste(self, drawn: np.ndarray) -> Picture:
        """Put a drawn portrait, uint8 BGR (S, S, 3), into the photo."""
        picture, mask = self.picture.copy(), _rim_mask()
        generated = match_colour(drawn[..., ::-1].astype(np.float32), self.portrait[..., ::-1], mask)
        blend(picture, NewFace(self.box, np.ascontiguousarray(generated), mask))
        return picture


def read_photo(
    path: str | os.PathLike, backend, select: str = "largest", start: float = 0.0
) -> tuple[Picture, np.ndarray]:
    """Read a photo, or the first usable frame of a video, and find the face in it.

    Args:
        path: Photo, video or folder of pictures.
        backend: Face backend.
        select: Which of several faces, see ``make_selector``.
        start: First second of a video.

    Returns:
        The picture, and landmarks (68, 3) in its pixels.

    Raises:
        NoFaceError: No face, or a profile.
    """
    first = None
    for picture in islice(read_pictures(path, FPS, start), FRAMES_SEARCHED):
        first = first or picture
        points = _find(picture, backend, select)
        if points is not None:
            break
    else:
        picture, points = first, _find_small(first, backend, select) if first else None
    if points is None:
        raise NoFaceError(
            f"{path}: no face found; use a photo with a frontal face, or choose another one if several are to be seen"
        )
    _check(path, points)
    return picture, points


def _find(picture: Picture, backend, select: str) -> np.ndarray | None:
    """Landmarks (68, 3) of the chosen face; None: it is not there."""
    try:
        return track_frames([picture], backend, FPS, make_selector(select)).landmarks[0]
    except NoFaceError:
        return None


def _find_small(picture: Picture, backend, select: str) -> np.ndarray | None:
    """Look for a face that is too small for the backend's usual size."""
    rgb, backend = picture.rgb(), copy.copy(backend)
    for side in SEARCH_SIDES:
        factor = side / max(rgb.shape)
        enlarged = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        backend.DETECTION_SIZE = side
        points = _find(Picture.from_rgb(enlarged), backend, _scaled(select, factor))
        if points is not None:
            return points / factor
    return None


def _scaled(select: str, factor: float) -> str:
    """A choice of a face in a picture that was enlarged."""
    if select.count(",") != 3:
        return select
    return ",".join(str(float(value) * factor) for value in select.split(","))


def _check(path, points: np.ndarray) -> None:
    """Warn of faces that are small or turned; refuse profiles."""
    yaw = abs(float(head_degrees(points[None])[0, 0]))
    if yaw > PROFILE:
        raise NoFaceError(f"{path}: the face is turned away by {yaw:.0f} degrees; use one from the front")
    if yaw > TURNED:
        logging.warning("%s: the face is turned away by %.0f degrees; a frontal one moves better", path, yaw)
    width = float(np.linalg.norm(points[16, :2] - points[0, :2]))
    if width < SMALL_FACE:
        logging.warning("%s: the face is only %.0f pixels wide and is enlarged; a larger photo is sharper", path, width)


def make_head(
    picture: Picture, points: np.ndarray, size: int, std_z: np.ndarray, official: bool = False, closed: bool = False
) -> Head:
    """Cut the head out and normalise its face.

    Args:
        picture: The photo.
        points: (68, 3) landmarks, its pixels.
        size: Side of the portrait (pixels).
        std_z: (68,) depth of the standard face.
        official: For the published networks, which want thinner lips, wider eyes and a flatter face.
        closed: Close the mouth.
    """
    box = portrait_box(points[None])
    portrait = np.ascontiguousarray(picture.crop(box, size)[..., ::-1])
    local = _in_portrait(points[:, :2], box, size)
    turn = _upright(local)
    local = _turned(local, turn, size)
    if closed:
        local = close_mouth(local)
    if official:
        local = adjust_photo_landmarks(local, size)
    face, shift, scale = normalise_face(local, std_z, 0.1 if official else 1.0)
    return Head(picture, points[:, :2], box, portrait, face, shift, scale, turn)


def _in_portrait(points: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Pixels (68, 2) of the photo -> of the portrait, whose side is ``size``."""
    x1, y1, x2, y2 = box
    return (points - (x1, y1)) * size / (x2 - x1, y2 - y1)


def _upright(points: np.ndarray) -> np.ndarray:
    """Rotation (2, 2) that lays the outer eye corners of (68, 2) level."""
    x, y = points[45] - points[36]
    length = np.hypot(x, y)
    return np.array([[x, y], [-y, x]]) / length


def _turned(points: np.ndarray, rotation: np.ndarray, size: int) -> np.ndarray:
    """Turn points (..., 2) around the middle of a square of ``size`` pixels."""
    return (points - size / 2) @ rotation.T + size / 2


def _rim_mask() -> np.ndarray:
    """Where a square is drawn anew: float32 (MASK_SIDE, MASK_SIDE), 1 inside, 0 at its edge and in its corners."""
    place = (np.arange(MASK_SIDE) + 0.5) / MASK_SIDE * 2 - 1
    radius = (np.abs(place)[:, None] ** RIM_POWER + np.abs(place)[None] ** RIM_POWER) ** (1 / RIM_POWER)
    ramp = np.clip((1 - radius) / RIM, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
