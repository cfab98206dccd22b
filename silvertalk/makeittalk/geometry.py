"""Landmark geometry: normalising faces, head pose, and what is done to predicted landmarks.

Landmarks are the 68 points of iBUG 300-W, float (..., 68, 3): x to the right,
y down, z. *Normalised* ones belong to a face whose jaw corners (points 0 and
16) are 1.6 apart and centred between them, as in MakeItTalk (see networks.py);
the rest of the formulas is that system's, too. All but ``amplify_lips`` mix points
with weights that sum to 1, so that they do the same to pixels as to normalised
landmarks. A sequence has 62.5 frames per second.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation

ANCHORS = [27, 28, 29, 30, 33, 36, 39, 42, 45]  # bridge and base of the nose, eye corners: what hardly moves
MOUTH = slice(48, 68)
INNER_LIPS = slice(60, 68)

_OUTER_LIPS = [49, 50, 51, 52, 53], [59, 58, 57, 56, 55]  # upper, lower
_INNER_LIPS = [61, 62, 63], [67, 66, 65]
_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]

FRAMES_TO_BLINK = 10  # from open to closed, 0.16 s
FRAMES_TO_OPEN = 15  # and back, 0.24 s


def rigid_transform(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the rotation and translation that bring points nearest to others (least squares, by SVD; no scale).

    Args:
        source: (..., P, 3).
        target: (P, 3).

    Returns:
        rotation (..., 3, 3) and translation (..., 3): ``source @ rotation.T + translation``.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    centre, target_centre = source.mean(-2, keepdims=True), target.mean(0)
    u, _, vt = np.linalg.svd(np.swapaxes(source - centre, -1, -2) @ (target - target_centre))
    v, ut = np.swapaxes(vt, -1, -2), np.swapaxes(u, -1, -2)
    v = v * np.stack([np.ones(v.shape[:-2]), np.ones(v.shape[:-2]), np.linalg.det(v @ ut)], -1)[..., None, :]
    rotation = v @ ut  # the determinant above keeps it from being a reflection
    return rotation, target_centre - (centre @ np.swapaxes(rotation, -1, -2))[..., 0, :]


def rigid_registration(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn and move faces so that the points that hardly move lie as in a standard face: head motion is gone.

    Args:
        points: (..., 68, 3).
        target: (9, 3), where ``ANCHORS`` are to lie.

    Returns:
        (..., 68, 3).
    """
    rotation, translation = rigid_transform(np.asarray(points)[..., ANCHORS, :], target)
    return points @ np.swapaxes(rotation, -1, -2) + translation[..., None, :]


def head_pose(points: np.ndarray, anchor_t_shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure the head's pose: how it is turned and moved to lie as a standard face does.

    Args:
        points: (..., 68, 3).
        anchor_t_shape: (9, 3) ``ANCHORS`` of a standard face, in any unit.

    Returns:
        pose (..., 7), quaternion x y z w with w not negative, then translation; and the registered faces
        (..., 68, 3), in units of the distance between the outer eye corners, whose middle (with the nose's base)
        is the origin.
    """
    anchor = np.asarray(anchor_t_shape, np.float64) / abs(anchor_t_shape[5][0] - anchor_t_shape[8][0])
    anchor = anchor - anchor[[4, 5, 8]].mean(0)
    rotation, translation = rigid_transform(np.asarray(points)[..., ANCHORS, :], anchor)
    quaternion = Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_quat(canonical=True)
    pose = np.concatenate([quaternion.reshape(*rotation.shape[:-2], 4), translation], -1)
    return pose, points @ np.swapaxes(rotation, -1, -2) + translation[..., None, :]


def normalise_face(
    points: np.ndarray, std_z: np.ndarray, z_scale: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise the face of a photo, whose depth is taken from a standard face.

    Args:
        points: (68, 2) or (68, 3), pixels.
        std_z: (68,) depth of the standard face.
        z_scale: How much of it: 0.1 for photos, 1 for drawings.

    Returns:
        norm (68, 3), shift (2,) and scale: ``norm = -(xy + shift) * scale``; the scale is negative.

    Raises:
        ValueError: The jaw corners lie on each other.
    """
    points = np.asarray(points, np.float64)
    width = points[0, 0] - points[16, 0]
    if not abs(width) > 1e-6:
        raise ValueError("the jaw corners (points 0 and 16) have the same x; no such face can be normalised")
    scale, shift = 1.6 / width, -(points[0, :2] + points[16, :2]) / 2
    return np.column_stack([-(points[:, :2] + shift) * scale, z_scale * np.asarray(std_z)]), shift, scale


def denormalise(points: np.ndarray, shift: np.ndarray, scale: float) -> np.ndarray:
    """Put normalised landmarks (..., 68, 3) back where ``normalise_face`` took them from, pixels; z stays."""
    points = np.asarray(points, np.float64)
    return np.concatenate([-points[..., :2] / scale - shift, points[..., 2:]], -1)


def adjust_photo_landmarks(points: np.ndarray, size: float = 256) -> np.ndarray:
    """Thin the lips and widen the eyes of a photo's landmarks a little, which detectors draw otherwise.

    Args:
        points: (68, 2 or 3), pixels of a portrait.
        size: Side of the portrait (pixels).
    """
    points, pixel = np.array(points, np.float64), size / 256
    points[49:54, 1] += pixel
    points[55:60, 1] -= pixel
    points[[37, 38, 43, 44], 1] -= 2 * pixel
    points[[40, 41, 46, 47], 1] += 2 * pixel
    return points


def close_mouth(points: np.ndarray, amount: float = 0.7) -> np.ndarray:
    """Close the mouth of a photo's landmarks (68, 2 or 3) by a share of its opening."""
    closed = np.array(points, np.float64)
    upper, lower = _INNER_LIPS
    inner = closed[[upper, lower]]  # (2, 3, D)
    middle = inner.mean(0)
    move = middle - inner
    closed[[50, 51, 52]] += amount * move[0]
    closed[[58, 57, 56]] += amount * move[1]
    closed[[49, 53]] += 0.5 * move[0, [0, 2]]
    closed[[59, 55]] += 0.5 * move[1, [0, 2]]
    closed[[upper, lower]] = inner + amount * move
    return closed


def lip_area(points: np.ndarray) -> np.ndarray:
    """Area (...,) of the opening between the inner lips of (..., 68, 2 or 3); below 0 the lips have crossed."""
    ring = np.asarray(points)[..., INNER_LIPS, :2]
    spokes = ring[..., 1:, :] - ring[..., :1, :]
    a, b = spokes[..., :-1, :], spokes[..., 1:, :]
    return (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(-1) / 2


def calibrate(displacement: np.ndarray) -> np.ndarray:
    """Let a movement rest where it mostly is: subtract the mean of each coordinate's smaller half over time.

    Args:
        displacement: (N, 204), or (N, 68, 3).
    """
    half = max(1, len(displacement) // 2)
    return displacement - np.partition(displacement, half - 1, axis=0)[:half].mean(0)


def amplify_lips(displacement: np.ndarray, amp_lip_x: float, amp_lip_y: float) -> np.ndarray:
    """Multiply the mouth's movement (N, 68, 3)."""
    amplified = np.array(displacement)
    amplified[..., MOUTH, :2] *= np.asarray([amp_lip_x, amp_lip_y], amplified.dtype)
    return amplified


def close_lips(displacement: np.ndarray) -> np.ndarray:
    """Move facing points of upper and lower lip (N, 68, 3) as one, nearly: only the content opens the mouth."""
    closed = np.array(displacement)
    for upper, lower in (_OUTER_LIPS, _INNER_LIPS):
        middle = (closed[:, upper] + closed[:, lower]) / 2
        closed[:, upper] = 0.99 * middle + 0.01 * closed[:, upper]
        closed[:, lower] = 0.99 * middle + 0.01 * closed[:, lower]
    return closed


def fix_inverse_lips(points: np.ndarray) -> np.ndarray:
    """Close the mouth where the lips have crossed, and let the outer lips follow.

    Args:
        points: (N, 68, 3) of one piece. The outer lips keep their height above the inner ones of the frame
            before; those of the first frame stay.
    """
    fixed = np.array(points)
    upper, lower = _INNER_LIPS
    for k in np.flatnonzero(lip_area(fixed) < 0):
        frame = fixed[k]
        frame[upper] = frame[lower] = (frame[upper] + frame[lower]) / 2
        y, old = frame[:, 1], fixed[max(k - 1, 0), :, 1]
        y[55:59] = y[64:68] + old[55:59] - old[64:68]
        y[59] = y[60] + old[59] - old[60]
        y[49:54] = y[60:65] + old[49:54] - old[60:65]
    return fixed


def straighten_nose(points: np.ndarray) -> np.ndarray:
    """Put the top of the nose (N, 68, 3) on the line of the two points below."""
    straight = np.array(points)
    straight[:, 27] = 2 * straight[:, 28] - straight[:, 29]
    return straight


def savgol(x: np.ndarray, window: int) -> np.ndarray:
    """Smooth (T, ...) along time by cubics over an odd number of frames; too short a sequence takes fewer, or stays."""
    window = min(window, (len(x) - 1) // 2 * 2 + 1)
    return savgol_filter(x, window, 3, axis=0) if window > 3 else np.array(x)


def smooth(points: np.ndarray, face_window: int = 15, mouth_window: int = 5) -> np.ndarray:
    """Smooth landmarks (T, 68, 3) over time.

    Args:
        points: The landmarks.
        face_window: Frames for all but the mouth; 15 for portraits, 17 for cartoons.
        mouth_window: Frames for the mouth; 5, or 11.
    """
    return np.concatenate([savgol(points[:, :48], face_window), savgol(points[:, 48:], mouth_window)], 1)


def blink(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Let the eyes blink: after half a second first, then every 90 to 149 frames (1.4 to 2.4 s).

    Args:
        points: (T, 68, 3).
        seed: Of the times.

    Returns:
        (T, 68, 3), of which only the lids differ. They come 5 % nearer in every frame.
    """
    return np.concatenate(list(blink_blocks([points], seed)))


def blink_blocks(blocks: Iterable[np.ndarray], seed: int = 0) -> Iterator[np.ndarray]:
    """Let the eyes blink in a sequence that comes in blocks (n, 68, 3); yields others of the same frames."""
    times = blink_times(seed)
    centre, first, held = next(times), 0, np.empty((0, 68, 3))  # held: frames from ``first`` on
    for block in blocks:
        held = np.concatenate([held, relax_lids(block)])
        while centre + FRAMES_TO_OPEN + 1 < first + len(held):
            start = centre - FRAMES_TO_BLINK - first
            blink_once(held[start : start + FRAMES_TO_BLINK + FRAMES_TO_OPEN + 1])
            centre = next(times)
        ready = centre - FRAMES_TO_BLINK - first
        yield held[:ready]
        first += len(held[:ready])
        held = held[ready:]
    yield held


def relax_lids(points: np.ndarray) -> np.ndarray:
    """Bring the lids (T, 68, 3) 5 % nearer to each other."""
    relaxed = np.array(points)
    upper, lower = relaxed[:, _LIDS[0]], relaxed[:, _LIDS[1]]
    relaxed[:, _LIDS[0]], relaxed[:, _LIDS[1]] = 0.95 * upper + 0.05 * lower, 0.95 * lower + 0.05 * upper
    return relaxed


def blink_times(seed: int) -> Iterator[int]:
    """Frames at which the eyes are closed, without end."""
    random, centre = np.random.RandomState(seed), 30
    while True:
        yield centre
        centre += 60 + random.randint(30, 90)


def blink_once(points: np.ndarray) -> None:
    """Close and open the eyes of (26, 68, 3) in place: closed at the eleventh frame, the first and last stay."""
    upper, lower = _LIDS
    lids, centre = points[:, upper + lower], FRAMES_TO_BLINK
    closed = 0.25 * points[centre, upper] + 0.75 * points[centre, lower]
    lids[centre] = np.concatenate([closed, closed])
    for k in range(1, FRAMES_TO_BLINK):
        lids[k] = ((FRAMES_TO_BLINK - k) * lids[0] + k * lids[centre]) / FRAMES_TO_BLINK
    for k in range(1, FRAMES_TO_OPEN):
        share = (FRAMES_TO_OPEN - 1 - k) / FRAMES_TO_OPEN  # published: one frame early
        lids[centre + k] = share * lids[centre] + (1 - share) * lids[-1]
    points[:, upper + lower] = lids
