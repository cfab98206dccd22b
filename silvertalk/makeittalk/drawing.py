"""Landmarks as the drawing that the image translation is given."""

import cv2
import numpy as np

_JAW, _BROW, _NOSE = (255, 144, 25), (50, 205, 50), (208, 224, 63)  # BGR
_EYE, _LIP = (71, 99, 255), (238, 130, 238)


def _scheme(jaw: int, brows: tuple[int, int], eyes: int, lips: int, closed_brows: bool) -> list[tuple]:
    """Parts of a face in the order of its points: (first, last, closed, colour); the nose has nine points."""
    parts, first = [], 0
    counts = [(jaw, _JAW, False), *((n, _BROW, closed_brows) for n in brows), (9, _NOSE, False)]
    counts += [(eyes, _EYE, True), (eyes, _EYE, True), (lips, _LIP, True), (8, _LIP, True)]
    for count, colour, closed in counts:
        parts.append((first, first + count, closed, colour))
        first += count
    return parts


SCHEMES = {  # by the number of points
    68: _scheme(17, (5, 5), 6, 12, closed_brows=False),
    74: _scheme(17, (5, 5), 8, 12, closed_brows=False),  # jaw and brows of the 68, the rest of the 98
    98: _scheme(33, (9, 9), 8, 12, closed_brows=True),
}


def draw_landmarks(points: np.ndarray, size: int = 256) -> np.ndarray:
    """Draw a face in coloured lines on white.

    Args:
        points: (68, D), (74, D) or (98, D), x and y first, pixels; what lies outside is cut off.
        size: Side of the drawing (pixels). The lines are 2 pixels wide at 256, and grow with it.

    Returns:
        uint8 (size, size, 3), BGR.

    Raises:
        ValueError: Another number of points, or one is no number.
    """
    if len(points) not in SCHEMES:
        raise ValueError(f"{len(points)} landmarks cannot be drawn; 68, 74 or 98 can")
    if not np.isfinite(points).all():
        raise ValueError("a landmark is no number; find the landmarks of this picture again")
    canvas = np.full((size, size, 3), 255, np.uint8)
    corners = np.clip(np.asarray(points)[:, :2], -1e6, 1e6).astype(np.int32)  # towards zero, as published
    width = max(1, round(2 * size / 256))
    for first, end, closed, colour in SCHEMES[len(points)]:
        part = corners[first:end]
        for start, stop in zip(part, np.roll(part, -1, 0) if closed else part[1:], strict=False):
            cv2.line(canvas, start.tolist(), stop.tolist(), colour, width)
    return canvas
