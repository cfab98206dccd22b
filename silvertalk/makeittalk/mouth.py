"""The inside of a mouth, painted where a picture shows only its lips."""

from typing import NamedTuple

import cv2
import numpy as np


class MouthColours(NamedTuple):
    """What the inside of a mouth is painted with: BGR, 0 to 255."""

    inside: tuple[float, float, float]
    tongue: tuple[float, float, float]
    teeth: tuple[float, float, float]


DRAWN = MouthColours((42, 26, 70), (104, 92, 190), (240, 246, 248))
TEETH_SHARE, TEETH_MOST = 0.40, 0.13  # of the opening, and at most so much of the mouth's width
TONGUE_SHARE = 0.35  # of the opening
LEAST_OPENING = 0.015  # of the mouth's width: below, the lips touch
SUBPIXELS = 4  # bits


def mouth_opening(lip: np.ndarray) -> float:
    """Mean distance of the inner lips, landmarks 60 to 67, (8, 2), over the mouth's width."""
    return float(np.mean(lip[[7, 6, 5], 1] - lip[[1, 2, 3], 1]) / np.hypot(*(lip[4] - lip[0])))


def paint_mouth(frame: np.ndarray, lip: np.ndarray, colours: MouthColours = DRAWN) -> None:
    """Paint the inside of an open mouth: dark, with upper teeth and a tongue.

    Args:
        frame: uint8 BGR (H, W, 3), painted on.
        lip: Inner lip, landmarks 60 to 67, (8, 2) pixels.
        colours: Of what is painted.
    """
    width = np.hypot(*(lip[4] - lip[0]))
    opening = mouth_opening(lip) * width
    if opening < LEAST_OPENING * width:
        return
    outline = _curve(lip)
    x1, y1 = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0)
    x2, y2 = np.ceil(outline.max(axis=0)).astype(int) + 2
    below = frame[y1:y2, x1:x2]
    if not below.size:
        return

    def share(polygon: np.ndarray) -> np.ndarray:
        mask = np.zeros(below.shape[:2], np.uint8)
        corners = np.rint((polygon - (x1, y1)) * 2**SUBPIXELS).astype(np.int32)
        cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, SUBPIXELS)
        return mask[..., None] / np.float32(255)

    inside = np.full(below.shape, colours.inside, np.float32)
    tongue = np.array([(lip[0] + lip[4])[0] / 2, lip[[7, 6, 5], 1].mean()])
    turn = np.linspace(0, 2 * np.pi, 40)[:, None]
    tongue = tongue + np.hstack([0.32 * width * np.cos(turn), TONGUE_SHARE * opening * np.sin(turn)])
    teeth_low = lip[:5] + (0, min(TEETH_SHARE * opening, TEETH_MOST * width))
    teeth = np.concatenate([lip[:5] - (0, opening), teeth_low[::-1]])
    for colour, polygon in ((colours.tongue, tongue), (colours.teeth, teeth)):
        seen = share(polygon)
        inside = inside * (1 - seen) + np.float32(colour) * seen
    seen = share(outline)
    below[:] = np.rint(below * (1 - seen) + inside * seen)


def _curve(lip: np.ndarray, steps: int = 6) -> np.ndarray:
    """Round both lips between the corners of the mouth (Catmull-Rom): (8, 2) -> (N, 2)."""
    halves = []
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    for half in (lip[:5], lip[[4, 5, 6, 7, 0]]):
        a, b, c, d = half[[0, 0, 1, 2]], half[:-1], half[1:], half[[2, 3, 4, 4]]
        halves += [
            q + (r - p) * t / 2 + (2 * p - 5 * q + 4 * r - s) * t**2 / 2 + (3 * q - p - 3 * r + s) * t**3 / 2
            for p, q, r, s in zip(a, b, c, d, strict=True)
        ]
    return np.concatenate(halves)
