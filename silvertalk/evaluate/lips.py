"""Whether the lips of a generated video do what the lips of the real one do.

Everything here needs no trained weights. Definitions, directions and pitfalls
are in docs/METRICS.md.
"""

from collections.abc import Iterable

import numpy as np
from skimage.metrics import structural_similarity

from silvertalk.face.lips import frame_energy, lag_correlation, pearson

EYES_AND_NOSE = slice(27, 48)  # landmarks that speaking does not move
MOUTH = slice(48, 68)
MOUTH_SIDE = 0.45  # side of the compared square, share of the face box's width
MIN_FRAMES = 10  # fewer say nothing about a correlation
MAX_LAG = 15  # frames, 0.6 s
MAX_PSNR = 100.0  # dB, given to identical pictures


def opening_correlation(generated: np.ndarray, real: np.ndarray, valid: np.ndarray | None = None) -> float:
    """Pearson correlation of two lip opening curves.

    Args:
        generated: (T,), from ``silvertalk.face.lips.lip_opening``.
        real: (T',); the longer curve is cut.
        valid: bool (T'',), frames to look at (a face was found in both).

    Returns:
        -1 to 1; 0 when one mouth never moves (the correlation is undefined
        then, and a still mouth deserves no credit); nan for fewer than 10 frames.
    """
    pairs = _common(generated, real, valid)
    return pearson(*pairs) if len(pairs[0]) >= MIN_FRAMES else float("nan")


def articulation(generated: np.ndarray, real: np.ndarray, valid: np.ndarray | None = None) -> float:
    """How much the mouth moves: standard deviation of the opening, generated over real; 1 is right."""
    moved, wanted = (np.std(curve) if len(curve) else 0.0 for curve in _common(generated, real, valid))
    return float(moved / wanted) if wanted > 1e-9 else float("nan")


def _common(generated: np.ndarray, real: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Cut two curves to their common length and keep the valid frames."""
    length = min(len(generated), len(real), len(real) if valid is None else len(valid))
    keep = np.ones(length, bool) if valid is None else np.asarray(valid[:length], bool)
    return generated[:length][keep], real[:length][keep]


def landmark_distance(generated: np.ndarray, real: np.ndarray, bbox: np.ndarray) -> float:
    """Mean distance of the mouth landmarks, head movement taken out.

    LMD of Chen et al. ("Lip Movements Generation at a Glance", ECCV 2018), but
    after aligning eyes and nose by a similarity transform, and in percent of
    the face height instead of pixels, so that it does not depend on resolution.

    Args:
        generated: (T, 68, 2 or 3), pixels.
        real: (T, 68, 2 or 3), pixels.
        bbox: (T, 4), the real face, x1 y1 x2 y2, pixels.

    Returns:
        Percent of the face height, 0 or more.
    """
    aligned = _align(generated[..., :2], real[..., :2])
    distance = np.linalg.norm(aligned[:, MOUTH] - real[:, MOUTH, :2], axis=-1).mean(axis=1)
    return float(np.mean(distance / (bbox[:, 3] - bbox[:, 1])) * 100)


def _align(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Move (T, 68, 2) so that eyes and nose lie best on the target's: shift, rotation and scale per frame."""
    # A similarity in the plane is z -> a z + b with complex a and b; this is its least-squares solution.
    z, w = points @ np.array([1, 1j]), target @ np.array([1, 1j])
    z_mean, w_mean = z[:, EYES_AND_NOSE].mean(1, keepdims=True), w[:, EYES_AND_NOSE].mean(1, keepdims=True)
    zc, wc = (z - z_mean)[:, EYES_AND_NOSE], (w - w_mean)[:, EYES_AND_NOSE]
    a = (zc.conj() * wc).sum(1, keepdims=True) / np.maximum((np.abs(zc) ** 2).sum(1, keepdims=True), 1e-12)
    moved = a * (z - z_mean) + w_mean
    return np.stack([moved.real, moved.imag], axis=-1)


def mouth_squares(landmarks: np.ndarray, bbox: np.ndarray) -> np.ndarray:
    """Squares around the mouth, of one size through the whole clip.

    Args:
        landmarks: (T, 68, 2 or 3) of the real video, pixels.
        bbox: (T, 4), pixels.

    Returns:
        int (T, 4), x1 y1 x2 y2, pixels.
    """
    side = max(11, round(MOUTH_SIDE * float(np.median(bbox[:, 2] - bbox[:, 0]))))  # 11: SSIM's window
    corner = np.rint(landmarks[:, MOUTH, :2].mean(axis=1) - side / 2).astype(int)
    return np.concatenate([corner, corner + side], axis=1)


def picture_similarity(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """PSNR and SSIM over the pictures of a clip.

    SSIM is that of Wang et al. (IEEE TIP 2004: Gaussian window, sigma 1.5) on
    luminance, averaged over frames; PSNR comes from the mean squared error of
    the whole clip, RGB.

    Args:
        pairs: (generated, real), uint8 (H, W, 3) RGB of equal size.

    Returns:
        PSNR (dB, at most 100) and SSIM (at most 1); nan without pictures.
    """
    errors, similarities = [], []
    for generated, real in pairs:
        errors.append(np.mean((generated.astype(np.float64) - real) ** 2))
        similarities.append(_ssim(generated, real))
    if not errors:
        return float("nan"), float("nan")
    psnr = 10 * np.log10(255**2 / max(np.mean(errors), 1e-12))
    return float(min(psnr, MAX_PSNR)), float(np.mean(similarities))


def _ssim(first: np.ndarray, second: np.ndarray) -> float:
    """SSIM of the luminance of two RGB pictures."""
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    return structural_similarity(
        first @ weights, second @ weights, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )


def sound_lag(opening: np.ndarray, mel: np.ndarray) -> np.ndarray:
    """Correlate lip opening and sound level at lags of -15 to 15 frames.

    Args:
        opening: (T,) at 25 fps.
        mel: (T_mel, 80), 80 rows a second.

    Returns:
        (31,); entry 15 + k pairs frame t with the sound of frame t + k, so a
        peak at k > 0 means that the sound is late.
    """
    return lag_correlation(opening, frame_energy(mel, len(opening)), MAX_LAG)
