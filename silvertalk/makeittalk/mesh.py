"""A portrait that is moved so that its landmarks lie where they are wanted.

What the published image translation has to draw anew from a still portrait, skin, hair and background, is carried
along here by a mesh over the landmarks. A network that gets the moved portrait draws what moving cannot show: the
inside of the mouth, lids, and what comes out of hiding.
"""

import functools

import numpy as np

from silvertalk.makeittalk.puppet import bound_points, mean_landmarks, triangulate
from silvertalk.makeittalk.warp import Warp

PATTERN = 1000  # pixels, side of the picture on which the mesh is drawn
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

    def _vertices(self, points: np.ndarray) -> np.ndarray:
        inside = np.clip(points, 0, self._size - 1)
        return np.concatenate([inside, bound_points(self._size, self._size, RIM)])

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Move the landmarks to (68, 2): uint8 (S, S, 3)."""
        return self._warp(self._vertices(points))[..., :3]
