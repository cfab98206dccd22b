"""Depth of 68 landmarks where the detector gives none: a mean face is turned until it lies on them.

The face that is fitted is of our own making. Across and down, it is the mean of dlib's landmarks with closed mouth in
ten speakers of GRID (Cooke et al., JASA 2006), made symmetric and scaled to an outer eye distance of 89 mm. Its depth
follows from distances that were measured on adults (Farkas, "Anthropometry of the Head and Face", 1994: from the ear
to nasion, nose base, chin and eye corner, the nose's protrusion; means of women and men); what lies between is filled
in by eye.

Seen from far enough, a picture of a head is its points turned, without their depth, scaled and moved (weak
perspective). Eyes, brows, nose and the ends of the jaw find the turn, so that an open mouth is not taken for a lifted
head; the clip's own proportions are taken from it, and a little of its depth where the head turns. Every point keeps
the place where it was seen, and gets the depth of the turned face.

Accuracy, on a textured head of another shape rendered with yaws of -25 to 25, pitches of -15 to 15 and rolls of -20
degrees, its landmarks found by dlib: turns between two views within 5 degrees; all points, rigidly aligned, within 14 %
of the distance between the outer eye corners (root mean square), those without the jaw within 10 %
(test/face/test_depth.py). The pitch of a single face is uncertain by the person's build: some 5 degrees.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from silvertalk.media.timing import FPS

# fmt: off
# (x, y, z) of the right half in millimetres from the middle between the outer eye corners: x to the right of the
# picture, y down, z towards the camera.
RIGHT_HALF = {
    0: (-71, 2, -68), 1: (-69, 21, -68), 2: (-67, 41, -65), 3: (-64, 61, -61), 4: (-58, 79, -53), 5: (-49, 96, -38),
    6: (-36, 109, -20), 7: (-19, 119, -4), 8: (0, 122, 3), 17: (-59, -15, -3), 18: (-50, -24, 9), 19: (-37, -26, 16),
    20: (-24, -23, 20), 21: (-11, -18, 22), 27: (0, -4, 22), 28: (0, 9, 30), 29: (0, 21, 38), 30: (0, 34, 44),
    31: (-15, 46, 22), 32: (-8, 48, 27), 33: (0, 50, 29), 36: (-44, 0, 0), 37: (-37, -4, 8), 38: (-27, -4, 9),
    39: (-18, 1, 6), 40: (-27, 4, 8), 41: (-37, 4, 7), 48: (-26, 75, 9), 49: (-16, 70, 19), 50: (-7, 67, 27),
    51: (0, 69, 29), 57: (0, 85, 25), 58: (-7, 84, 23), 59: (-16, 81, 17), 60: (-21, 75, 11), 61: (-7, 74, 22),
    62: (0, 75, 25), 66: (0, 76, 24), 67: (-7, 75, 22),
}
# The point on the other side of the face, for each of the 68.
MIRRORED = np.array([
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 27, 28, 29, 30,
    35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
])
# fmt: on
RIGID = np.array([*range(3), *range(14, 17), *range(17, 48)])  # points that speaking does not move
RIGID_WEIGHTS = np.select([RIGID < 17, RIGID < 27], [0.03, 0.25], 1.0)  # the jaw slides, brows are raised
TURNS = 8  # rounds of Gauss and Newton; the fifth changes nothing any more
ROUNDS = 3  # of turning the face and correcting its proportions
OWN_SHAPE = np.array([0.25, 0.25, 0.05])  # trust in the mean face against what a clip shows, across, down and deep
FITTED_FRAMES = 500  # of a long clip are enough for its proportions
SMOOTHING = 0.06  # seconds, standard deviation; of the turn, not of the points


def mean_face() -> np.ndarray:
    """The face that is fitted: float64 (68, 3), millimetres."""
    face = np.empty((68, 3))
    for index, point in RIGHT_HALF.items():
        face[index] = point
        face[MIRRORED[index]] = point * np.array([-1, 1, 1])
    return face


@dataclass
class HeadPose:
    """How a head is turned, for T frames; axes as in ``RIGHT_HALF``."""

    rotation: np.ndarray  # (T, 3, 3), from the face's axes to the picture's
    scale: np.ndarray  # (T,), pixels per millimetre
    shift: np.ndarray  # (T, 2), pixels

    def degrees(self) -> np.ndarray:
        """Yaw (the nose to the right of the picture), pitch (the nose down), roll (clockwise): (T, 3)."""
        yaw, pitch, roll = Rotation.from_matrix(self.rotation).as_euler("YXZ", degrees=True).T
        return np.stack([yaw, -pitch, roll], axis=1)

    def smoothed(self, fps: float) -> "HeadPose":
        """Without trembling; ``fps`` frames per second."""
        width = SMOOTHING * fps
        if len(self.scale) < 2:
            return self
        mean = gaussian_filter1d(self.rotation, width, axis=0, mode="nearest")
        left, _, right = np.linalg.svd(mean)  # the nearest rotation
        scale = gaussian_filter1d(self.scale, width, mode="nearest")
        return HeadPose(left @ right, scale, gaussian_filter1d(self.shift, width, axis=0, mode="nearest"))


def landmarks_3d(points: np.ndarray, fps: float = FPS) -> np.ndarray:
    """Give landmarks their depth.

    Args:
        points: (T, 68, 3), pixels; of one face without a cut. Landmarks that have a depth are given back as they
            are, but with z growing towards the camera.
        fps: Frames per second.

    Returns:
        float64 (T, 68, 3), pixels; z grows towards the camera and is 0 between the outer eye corners.
    """
    points = np.asarray(points, np.float64)
    if np.ptp(points[..., 2]) > 0:
        z = points[..., 2] - points[:, [36, 45], 2].mean(axis=1, keepdims=True)
        towards = np.sign((z[:, 30] - z[:, [0, 16]].mean(axis=1)).mean()) or 1.0
        return np.concatenate([points[..., :2], towards * z[..., None]], axis=2)
    face, pose = fit_face(points[..., :2])
    return _with_depth(points[..., :2], face, pose.smoothed(fps))


def head_degrees(points: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll of faces in pixels, (T, 68, 2 or 3): (T, 3) degrees, see ``HeadPose.degrees``."""
    return fit_pose(mean_face(), np.asarray(points, np.float64)[..., :2]).degrees()


def fit_face(points: np.ndarray) -> tuple[np.ndarray, HeadPose]:
    """Turn the mean face until it lies on the landmarks of a clip, and give it the clip's proportions.

    Args:
        points: (T, 68, 2), pixels.

    Returns:
        The face (68, 3) in millimetres, symmetric, and its pose in every frame.
    """
    face = prior = mean_face()
    some = points[:: -(-len(points) // FITTED_FRAMES)]
    for _ in range(ROUNDS):
        pose = fit_pose(face, some)
        seen = (some - pose.shift[:, None]) / pose.scale[:, None, None]
        axes = pose.rotation[:, :2]
        # Least squares for each point over all frames, with the mean face as one more observation.
        system = np.einsum("tij,tik->jk", axes, axes) / len(some) + np.diag(OWN_SHAPE)
        wanted = np.einsum("tij,tpi->pj", axes, seen) / len(some) + OWN_SHAPE * prior
        face = np.linalg.solve(system, wanted.T).T
        face = (face + face[MIRRORED] * [-1, 1, 1]) / 2
    return face, fit_pose(face, points)


def fit_pose(face: np.ndarray, points: np.ndarray) -> HeadPose:
    """Find turn, scale and place of a face by weighted least squares over its rigid points.

    Args:
        face: (68, 3), millimetres.
        points: (T, 68, 2), pixels.
    """
    points, weights = points[:, RIGID], RIGID_WEIGHTS / RIGID_WEIGHTS.sum()
    middle = weights @ points
    seen = points - middle[:, None]
    model = face[RIGID] - weights @ face[RIGID]
    across = points[:, RIGID == 45] - points[:, RIGID == 36]
    rolls = np.arctan2(across[:, 0, 1], across[:, 0, 0])
    rotation = Rotation.from_rotvec(np.stack([0 * rolls, 0 * rolls, rolls], axis=1)).as_matrix()
    for _ in range(TURNS):
        x, y, z = np.moveaxis(model @ rotation.transpose(0, 2, 1), 2, 0)  # (T, P) each
        flat = np.stack([x, y], axis=2)
        scale = np.einsum("p,tpi->t", weights, seen * flat) / np.einsum("p,tpi->t", weights, flat**2)
        missing = seen / scale[:, None, None] - flat
        # What turning about the picture's three axes, and growing, does to x and y.
        none = np.zeros_like(x)
        moves = np.stack([np.stack([none, z, -y, x], axis=2), np.stack([-z, none, x, y], axis=2)], axis=2)
        system = np.einsum("p,tpia,tpib->tab", weights, moves, moves)
        wanted = np.einsum("p,tpia,tpi->ta", weights, moves, missing)
        turn = np.linalg.solve(system, wanted[..., None])[:, :3, 0]
        rotation = Rotation.from_rotvec(turn).as_matrix() @ rotation
    origin = (weights @ face[RIGID]) @ rotation[:, :2].transpose(0, 2, 1)
    return HeadPose(rotation, scale, middle - scale[:, None] * origin)


def _with_depth(points: np.ndarray, face: np.ndarray, pose: HeadPose) -> np.ndarray:
    """Give points (T, 68, 2) the depth of the turned face where they are: (T, 68, 3)."""
    seen = (points - pose.shift[:, None]) / pose.scale[:, None, None]
    axes = pose.rotation[:, :2, :2]
    missing = seen - face @ pose.rotation[:, :2].transpose(0, 2, 1)
    # Points of mouth and jaw move across and down the face, not out of it; a little ridge for faces in profile.
    system = np.einsum("tij,tik->tjk", axes, axes) + 0.05 * np.eye(2)
    moved = np.linalg.solve(system, np.einsum("tij,tpi->tjp", axes, missing)).transpose(0, 2, 1)
    here = np.concatenate([face[None, :, :2] + moved, np.broadcast_to(face[:, 2:], (len(points), 68, 1))], axis=2)
    z = pose.scale[:, None] * np.einsum("tj,tpj->tp", pose.rotation[:, 2], here)
    z -= z[:, [36, 45]].mean(axis=1, keepdims=True)
    return np.concatenate([points, z[..., None]], axis=2)
