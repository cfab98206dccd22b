"""Depth of landmarks that have none."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from silvertalk.face import make_backend
from silvertalk.face.depth import MIRRORED, fit_face, fit_pose, head_degrees, landmarks_3d, mean_face

TURNS = [(yaw, 0, 0) for yaw in (-25, -12, 12, 25)] + [(0, -15, 0), (0, 15, 0), (0, 0, -20), (18, 10, 12)]


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation by degrees, as ``HeadPose.degrees`` counts them."""
    return Rotation.from_euler("YXZ", [yaw, -pitch, roll], degrees=True).as_matrix()


def other_head(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth of a head that is not the fitted one, in outer eye distances: an ellipsoid with nose, sockets and chin.

    Args:
        x: Outer eye distances to the right of the middle of the eyes.
        y: Below it.
    """

    def bump(x0, y0, wide, high):
        return np.exp(-(((x - x0) / wide) ** 2) - ((y - y0) / high) ** 2)

    ellipsoid = 1.3 * np.sqrt(np.clip(1 - (x / 0.85) ** 2 - ((y - 0.15) / 1.7) ** 2, 0.02, 1)) - 1.05
    nose = 0.26 * bump(0, 0.40, 0.13, 0.15) + 0.12 * bump(0, 0.15, 0.12, 0.25)
    return ellipsoid + nose - 0.10 * (bump(-0.33, 0, 0.2, 0.13) + bump(0.33, 0, 0.2, 0.13)) + 0.06 * bump(0, 0.8, 0.35, 0.2)


class Head:
    """A photo on a relief, to be looked at from all sides."""

    def __init__(self, photo: np.ndarray, flat: np.ndarray):
        self.size = np.linalg.norm(flat[45] - flat[36])
        self.middle = (flat[36] + flat[45]) / 2
        self.points = self._raised(flat)
        step = 0.5  # finer than the pictures, so that stretched parts have no holes
        rows, columns = np.mgrid[0 : len(photo) : step, 0 : photo.shape[1] : step]
        self.surface = self._raised(np.stack([columns.ravel(), rows.ravel()], axis=1))
        self.colours = photo[rows.astype(int).ravel(), columns.astype(int).ravel()]
        self.shape = photo.shape

    def _raised(self, flat: np.ndarray) -> np.ndarray:
        """(P, 2) pixels -> (P, 3), from the middle of the eyes."""
        places = flat - self.middle
        return np.c_[places, self.size * other_head(*(places / self.size).T)]

    def seen(self, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The picture, uint8 RGB, and where its landmarks truly are, (68, 3)."""
        turned = self.surface @ rotation.T
        places = np.round(turned[:, :2] + self.middle).astype(int)
        inside = np.flatnonzero((places >= 0).all(axis=1) & (places < self.shape[1::-1]).all(axis=1))
        nearest_last = inside[np.argsort(turned[inside, 2], kind="stable")]
        picture = np.full(self.shape, 128, np.uint8)
        picture[places[nearest_last, 1], places[nearest_last, 0]] = self.colours[nearest_last]
        return picture, self.points @ rotation.T + [*self.middle, 0]


@pytest.fixture(scope="module")
def views(photo):
    """Of every turn what dlib finds in the picture, and what is true; the first is the unturned head."""
    dlib = make_backend("dlib")

    def find(picture):
        gray = dlib.view(picture)
        return dlib.landmarks(gray, dlib.detect(gray)[0])

    head = Head(photo, find(photo)[:, :2])
    pictures, truths = zip(*(head.seen(turned(*turn)) for turn in [(0, 0, 0), *TURNS]), strict=True)
    return np.stack([find(picture) for picture in pictures]), np.stack(truths), head.size
