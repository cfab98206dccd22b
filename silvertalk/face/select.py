"""Whose face is followed when several are to be seen."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from silvertalk.media import Picture, read_frames
from silvertalk.media.video import IMAGE_SUFFIXES

# Boxes (N, 4) and the frame they were found in -> the number of the chosen one, None if it is not there.
Selector = Callable[[np.ndarray, "Picture | np.ndarray"], "int | None"]
# Distance of two descriptors of one person (King, dlib's face recognition network, 99.4 % on LFW at this threshold).
SAME_PERSON = 0.6


def make_selector(choice: str = "largest") -> Selector:
    """Make a selector of what a user wrote.

    Args:
        choice: ``largest``; a number, from the left, beginning with 0;
            ``x1,y1,x2,y2``, a rectangle in pixels; or a photo of the person.

    Raises:
        ValueError: None of these.
        FileNotFoundError: The photo is not there.
    """
    choice = str(choice)
    if choice == "largest":
        return largest
    if choice.isdigit():
        return lambda boxes, frame: from_left(boxes, int(choice))
    if choice.count(",") == 3:
        try:
            rectangle = np.array([float(value) for value in choice.split(",")])
        except ValueError:
            raise ValueError(f"the rectangle '{choice}' is not x1,y1,x2,y2 in pixels") from None
        return lambda boxes, frame: within(boxes, rectangle)
    if Path(choice).suffix.lower() in IMAGE_SUFFIXES:
        return SamePerson(choice)
    raise ValueError(f"cannot choose a face by '{choice}'; give largest, a number, x1,y1,x2,y2, or a photo")


def largest(boxes: np.ndarray, frame=None) -> int | None:
    """The largest face."""
    return int(np.argmax((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))) if len(boxes) else None


def from_left(boxes: np.ndarray, number: int) -> int | None:
    """Face ``number`` counted from the left."""
    return int(np.argsort(boxes[:, 0])[number]) if number < len(boxes) else None


def within(boxes: np.ndarray, rectangle: np.ndarray) -> int | None:
    """The face that shares the largest area with a rectangle."""
    sides = np.minimum(boxes[:, 2:], rectangle[2:]) - np.maximum(boxes[:, :2], rectangle[:2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    return int(np.argmax(shared)) if shared.size and shared.max() > 0 else None


def nearest(point: tuple[float, float]) -> Selector:
    """Make a selector of the face whose middle is nearest to a place.

    Args:
        point: x, y as parts of the picture's width and height.
    """

    def select(boxes: np.ndarray, frame: "Picture | np.ndarray") -> int | None:
        height, width = (frame.height, frame.width) if isinstance(frame, Picture) else frame.shape[:2]
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        distances = np.linalg.norm(middles - np.array(point) * (width, height), axis=1)
        return int(np.argmin(distances)) if len(distances) else None

    return select


class SamePerson:
    """The face of the person on a photo, by dlib's descriptors.

    Args:
        photo: Picture with that person's face; of several the largest.
    """

    def __init__(self, photo: str):
        import dlib

        from silvertalk.face.detect.landmarks import DlibBackend

        self._dlib, self._detector = dlib, DlibBackend()
        folder = Path(importlib.util.find_spec("face_recognition_models").origin).parent / "models"
        self._predictor = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
        rgb = next(read_frames(photo))
        boxes = self._detector.detect(self._detector.view(rgb))
        if not len(boxes):
            raise ValueError(f"{photo}: no face found; choose another photo of the person")
        self._wanted = self._describe(rgb, boxes[largest(boxes)])

    def _describe(self, rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Descriptor (128,) of a face."""
        rgb = np.ascontiguousarray(rgb)
        rectangle = self._dlib.rectangle(*(int(round(value)) for value in box))
        return np.array(self._network.compute_face_descriptor(rgb, self._predictor(rgb, rectangle)))

    def __call__(self, boxes: np.ndarray, frame) -> int | None:
        """Return the face nearest to the photo, if near enough."""
        rgb = frame.rgb() if isinstance(frame, Picture) else frame
        distances = [float(np.linalg.norm(self._describe(rgb, box) - self._wanted)) for box in boxes]
        return int(np.argmin(distances)) if distances and min(distances) < SAME_PERSON else None
