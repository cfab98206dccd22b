"""A portrait that is moved so that its landmarks lie where they are wanted.

What the published image translation has to draw anew from a still portrait, skin, hair and background, is carried
along here by a mesh over the landmarks. Where the mouth opens further than in the portrait, a dark inside, teeth and
tongue are painted, softly. A network that gets this draws what is still wrong: teeth as they are, lids, shadows.
"""

import functools

import cv2
import numpy as np

from silvertalk.makeittalk.cartoon.puppet import bound_points, mean_landmarks, triangulate
from silvertalk.makeittalk.mouth import MouthColours, mouth_opening, paint_mouth
from silvertalk.makeittalk.warp import Warp

PATTERN = 1000  # pixels, side of the picture on which the mesh is drawn
# Of the portrait's brightness; a mouth is lit less than a face.
INSIDE, TONGUE, TEETH = np.array([(0.22, 0.18, 0.36), (0.30, 0.28, 0.52), (0.37, 0.50, 0.57)])
SOFTNESS = 0.006  # of the portrait's side: standard deviation of the painting's rims
# Further opening, of the mouth's width, from which on the painting begins to be seen, and is fully seen.
UNSEEN, SEEN = 0.03, 0.15
RIM = 1  # pixels by which the mesh reaches over the picture, so that its last row and column lie within


@functools.cache
def _triangles() -> np.ndarray:
    """One mesh for everybody, so that no odd face has an odd one: vertex numbers (N, 3), landmarks then border."""
    return triangulate(mean_landmarks(PATTERN, PATTERN), PATTERN, PATTERN)


class MovingPortrait:
    """Moves a portrait by its landmarks; the picture's border stays where it is.

    Args:
        portrait: uint8 (S, S, 3).
        points: Its landmarks (68, 2), pixels.
    """

    def __init__(self, portrait: np.ndarray, points: np.ndarray):
        self._size = len(portrait)
        opaque = np.full((*portrait.shape[:2], 1), 255, np.uint8)
        self._warp = Warp(np.concatenate([portrait, opaque], axis=2), self._vertices(points), _triangles())
        self._opening = mouth_opening(points[60:68])
        light = _brightness(portrait, points)
        self._colours = MouthColours(*(tuple(light * colour) for colour in (INSIDE, TONGUE, TEETH)))

    def _vertices(self, points: np.ndarray) -> np.ndarray:
        inside = np.clip(points, 0, self._size - 1)
        return np.concatenate([inside, bound_points(self._size, self._size, RIM)])

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Move the landmarks to (68, 2): uint8 (S, S, 3)."""
        moved = np.ascontiguousarray(self._warp(self._vertices(points))[..., :3])
        share = (mouth_opening(points[60:68]) - self._opening - UNSEEN) / (SEEN - UNSEEN)
        if share <= 0:
            return moved
        painted = moved.copy()
        paint_mouth(painted, points[60:68], self._colours)
        added = cv2.GaussianBlur(cv2.subtract(painted, moved, dtype=cv2.CV_32F), (0, 0), SOFTNESS * self._size)
        return cv2.add(moved, min(share, 1.0) * added, dtype=cv2.CV_8U)


def _brightness(portrait: np.ndarray, points: np.ndarray) -> float:
    """Brightness of the skin between eyes and mouth, 0 to 255."""
    x1, x2 = np.sort(points[[36, 45], 0]).clip(0, len(portrait) - 1).astype(int)
    y1, y2 = np.sort([points[[39, 42], 1].mean(), points[33, 1]]).clip(0, len(portrait) - 1).astype(int)
    return float(np.median(portrait[y1 : y2 + 1, x1 : x2 + 1].max(axis=2)))
