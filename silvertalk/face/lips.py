"""How far the mouth is open, and whether it moves with the sound."""

import numpy as np

from silvertalk.media.mel import MELS_PER_SECOND
from silvertalk.media.timing import FPS

WINDOW, WINDOW_STEP = 25, 12  # frames, 1 and 0.48 s: windows over which a measure's spread is taken
MAX_LAG = 12  # frames, 0.48 s; recordings that are further out of step are rare
INNER_LIP_PAIRS = ((61, 67), (62, 66), (63, 65))  # upper, lower


def lip_opening(landmarks: np.ndarray, bbox: np.ndarray) -> np.ndarray:
    """Inner-lip distance over the height of the face box.

    Args:
        landmarks: (T, 68, 2 or 3), pixels.
        bbox: (T, 4) from ``stable_boxes`` (does not move with the jaw).

    Returns:
        (T,), without unit; about 0 closed, 0.1 wide open.
    """
    points = landmarks[..., :2]
    gaps = [np.linalg.norm(points[:, upper] - points[:, lower], axis=-1) for upper, lower in INNER_LIP_PAIRS]
    return np.mean(gaps, axis=0) / (bbox[:, 3] - bbox[:, 1])


def frame_energy(mel: np.ndarray, num_frames: int, fps: float = FPS) -> np.ndarray:
    """Mean mel level during each video frame.

    Args:
        mel: (T_mel, 80), 80 rows a second.
        num_frames: T.
        fps: Video frames per second.

    Returns:
        (T,)
    """
    level = np.concatenate([[0.0], np.cumsum(mel.mean(axis=1))])
    edges = np.minimum((np.arange(num_frames + 1) * MELS_PER_SECOND / fps).astype(int), len(mel))
    return np.diff(level[edges]) / np.maximum(np.diff(edges), 1)


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two (T,) series; 0 where one of them never changes."""
    # In float32 the rounded mean of a constant series differs from it, which looks like movement.
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(a) < 2 or np.std(a) < 1e-9 or np.std(b) < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def lag_correlation(opening: np.ndarray, energy: np.ndarray, max_lag: int) -> np.ndarray:
    """Correlate mouth opening with sound energy at every lag.

    Args:
        opening: (T,).
        energy: (T,).
        max_lag: Largest lag in frames.

    Returns:
        (2 * max_lag + 1,); entry ``max_lag + k`` pairs the opening of frame t
        with the energy of frame t + k, so a peak at k > 0 means late sound.
    """
    length = len(opening)
    result = np.zeros(2 * max_lag + 1)
    for lag in range(-max_lag, max_lag + 1):
        if length - abs(lag) < 10:
            continue
        first = slice(max(0, -lag), length - max(0, lag))
        second = slice(max(0, lag), length - max(0, -lag))
        result[max_lag + lag] = pearson(opening[first], energy[second])
    return result


def window_spread(values: np.ndarray) -> float:
    """Standard deviation of a framewise measure's means over windows of 1 s.

    Args:
        values: (T,), one for each frame at 25 fps.

    Returns:
        0 or more; nan for less than 1.5 s.
    """
    means = [np.mean(values[k : k + WINDOW]) for k in range(0, len(values) - WINDOW + 1, WINDOW_STEP)]
    return float(np.std(means)) if len(means) > 1 else float("nan")
