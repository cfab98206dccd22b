"""Depth of landmarks that have none."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from silvertalk.face import make_backend
from silvertalk.face.detect.depth import MIRRORED, fit_face, fit_pose, head_degrees, landmarks_3d, mean_face

TURNS = [(-25, 0, 0), (12, 0, 0), (25, 0, 0), (0, -15, 0), (0, 15, 0), (0, 0, -20), (18, 10, 12)]


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
    return (
        ellipsoid
        + nose
        - 0.10 * (bump(-0.33, 0, 0.2, 0.13) + bump(0.33, 0, 0.2, 0.13))
        + 0.06 * bump(0, 0.8, 0.35, 0.2)
    )


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


def test_depth_of_a_head_of_another_shape(views):
    found, truths, size = views
    errors, inner = [], []
    for points, truth in zip(found, truths, strict=True):
        deep = landmarks_3d(points[None])[0]
        np.testing.assert_array_equal(deep[:, :2], points[:, :2])  # what was seen stays where it was seen
        for part, out in ((slice(0, 68), errors), (slice(17, 68), inner)):
            a, b = (p[part] - p[part].mean(axis=0) for p in (deep, truth))
            turn, _ = Rotation.align_vectors(b, a)
            out.append(np.sqrt(((turn.apply(a) - b) ** 2).sum(axis=1).mean()) / size)
    assert max(errors) < 0.14  # 0.097 to 0.130
    assert max(inner) < 0.10, inner
    flat = truths[0][17:, 2].std() / size
    assert flat > 1.5 * inner[0]  # the error of no depth at all


def test_turns_are_found(views):
    found, _, _ = views
    rotations = fit_pose(mean_face(), found[..., :2]).rotation
    apart = [
        np.degrees(Rotation.from_matrix(rotation @ rotations[0].T @ turned(*turn).T).magnitude())
        for rotation, turn in zip(rotations[1:], TURNS, strict=True)
    ]
    assert max(apart) < 5  # 0.6 to 4.3
    yaw, pitch, roll = head_degrees(found).T
    assert yaw[1] < yaw[0] < yaw[2] < yaw[3] and pitch[4] < pitch[0] < pitch[5] and roll[6] < -15


def test_open_mouth_is_no_lifted_head():
    face = 2 * mean_face()
    wide = face.copy()
    wide[[*range(4, 13), *range(55, 60), 65, 66, 67], 1] += 40  # 2 cm down
    closed, opened = (head_degrees(points[None])[0] for points in (face, wide))
    np.testing.assert_allclose(closed, 0, atol=1e-6)
    np.testing.assert_allclose(opened, closed, atol=1e-6)
    deep = landmarks_3d((wide * [1, 1, 0])[None])[0]
    np.testing.assert_allclose(deep[:, 2], face[:, 2], atol=4)  # 2 mm; the corners of the mouth pull at the proportions


def test_motion_gives_a_face_its_own_depth():
    own = mean_face() * [1, 1, 1.3]
    turns = np.stack([turned(yaw, yaw / 2, 0) for yaw in np.linspace(-25, 25, 21)])
    seen = (own @ turns.transpose(0, 2, 1))[..., :2] * 2 + 100
    face, _ = fit_face(seen)
    assert face[30, 2] - face[36, 2] > 1.03 * (mean_face()[30, 2] - mean_face()[36, 2])
    still, _ = fit_face(seen[10:11])
    assert still[30, 2] - still[36, 2] < 1.01 * (mean_face()[30, 2] - mean_face()[36, 2])


def test_trembling_points_do_not_make_depth_tremble():
    generator = np.random.default_rng(0)
    seen = np.repeat((2 * mean_face() * [1, 1, 0])[None], 50, axis=0)
    seen[..., :2] += generator.normal(0, 0.7, (50, 68, 2))
    together = landmarks_3d(seen)[..., 2].std(axis=0).mean()
    alone = np.stack([landmarks_3d(frame[None])[0, :, 2] for frame in seen]).std(axis=0).mean()
    assert together < 0.6 * alone


def test_depth_that_is_there_is_kept():
    points = np.repeat(mean_face()[None], 3, axis=0) + [10, 20, 500]
    deep = landmarks_3d(points)
    np.testing.assert_allclose(deep, points - [0, 0, 500])
    np.testing.assert_allclose(landmarks_3d(points * [1, 1, -1]), deep)  # some detectors count away from the camera


def test_mean_face_is_symmetric():
    face = mean_face()
    np.testing.assert_array_equal(face[MIRRORED] * [-1, 1, 1], face)
    np.testing.assert_array_equal(MIRRORED[MIRRORED], np.arange(68))
