"""Whether the lips of a generated video do what the lips of the real one do.

Everything here needs no trained weights. Definitions, directions and pitfalls
are in docs/METRICS.md.
"""

from collections.abc import Sequence

import numpy as np
from skimage.metrics import structural_similarity

from silvertalk.face.lips import WINDOW, WINDOW_STEP, frame_energy, lag_correlation, pearson
from silvertalk.media.mel import MELS_PER_SECOND, SAMPLING_RATE
from silvertalk.media.speech import runs_of, speech_mask
from silvertalk.media.timing import FPS

EYES_AND_NOSE = slice(27, 48)  # landmarks that speaking does not move
MOUTH = slice(48, 68)
MOUTH_SIDE = 0.45  # side of the compared square, share of the face box's width
MIN_FRAMES = 10  # fewer say nothing about a correlation
MAX_LAG = 15  # frames, 0.6 s
MAX_PSNR = 100.0  # dB, given to identical pictures
LUMA = np.array([0.299, 0.587, 0.114])  # of RGB, ITU-R BT.601
MIN_SILENCE = 8  # frames, 0.32 s; a shorter pause shows no rest
STILL = 0.25  # of a clip's own movement; in windows with less the real mouth rests, and nothing correlates


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


def correlation_spread(generated: np.ndarray, real: np.ndarray, valid: np.ndarray | None = None) -> float:
    """Standard deviation of ``opening_correlation`` over windows of 1 s; 0 for a mouth that is right all the time.

    Windows in which the real mouth rests are left out.

    Returns:
        0 or more; nan with fewer than two such windows.
    """
    generated, real = _common(generated, real, valid)
    spans = [slice(k, k + WINDOW) for k in range(0, len(real) - WINDOW + 1, WINDOW_STEP)]
    moving = [span for span in spans if np.std(real[span]) > STILL * np.std(real)]
    return float(np.std([pearson(generated[s], real[s]) for s in moving])) if len(moving) > 1 else float("nan")


def silent_frames(wav: np.ndarray, num_frames: int) -> np.ndarray:
    """Tell during which frames nobody speaks: bool (num_frames,).

    Args:
        wav: 16 kHz sound (T,) in [-1, 1]; what follows it is silence.
        num_frames: Frames at 25 fps.
    """
    speech = np.zeros(int(num_frames * MELS_PER_SECOND / FPS) + 1, bool)
    heard = speech_mask(wav, SAMPLING_RATE)[: len(speech)] if len(wav) else speech[:0]
    speech[: len(heard)] = heard
    edges = (np.arange(num_frames) * MELS_PER_SECOND / FPS).astype(int)
    return ~np.logical_or.reduceat(speech, edges) if num_frames else np.zeros(0, bool)


def silence_motion(opening: np.ndarray, silent: np.ndarray, spoken: np.ndarray) -> float:
    """How much the mouth moves while nobody speaks, over how much the real one moves in the whole clip.

    Args:
        opening: (T,), from ``silvertalk.face.lips.lip_opening``.
        silent: bool (T',), see ``silent_frames``.
        spoken: (T'',), lip opening of the real video.

    Returns:
        Standard deviation within the silent runs of at least 8 frames, over
        that of ``spoken``; 0 is a mouth at rest. nan without such a run, or
        when the real mouth never moves.
    """
    runs = [opening[a : min(b, len(opening))] for a, b in runs_of(silent)]
    rests = [run - run.mean() for run in runs if len(run) >= MIN_SILENCE]
    moved = float(np.std(spoken)) if len(spoken) else 0.0
    return float(np.sqrt(np.mean(np.concatenate(rests) ** 2)) / moved) if rests and moved > 1e-9 else float("nan")


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


def psnr(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """PSNR of a clip, from the mean squared error of all its pictures, RGB.

    Args:
        pairs: (generated, real), uint8 (H, W, 3) RGB of equal size.

    Returns:
        dB, at most 100; nan without pictures.
    """
    if not len(pairs):
        return float("nan")
    error = np.mean([np.mean((generated.astype(np.float64) - real) ** 2) for generated, real in pairs])
    return float(min(10 * np.log10(255**2 / max(error, 1e-12)), MAX_PSNR))


def ssim(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """SSIM of Wang et al. (IEEE TIP 2004: Gaussian window, sigma 1.5) on luminance, averaged over a clip's pictures.

    Args:
        pairs: See ``psnr``.

    Returns:
        At most 1; nan without pictures.
    """
    return float(np.mean([_ssim(generated, real) for generated, real in pairs])) if len(pairs) else float("nan")


def sharpness(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Steepness of the pictures' edges (teeth, lips) over that of the real ones; 1 is right, less is a smear.

    The gradient energy of Subbarao, Choi and Nikzad ("Focusing techniques",
    Optical Engineering 1993), of the luminance, as an amplitude.

    Args:
        pairs: See ``psnr``.

    Returns:
        0 or more; nan without pictures or edges.
    """
    energy = np.array([[_gradient_energy(generated), _gradient_energy(real)] for generated, real in pairs])
    mean = energy.mean(axis=0) if len(energy) else np.zeros(2)
    return float(np.sqrt(mean[0] / mean[1])) if mean[1] > 0 else float("nan")


def _gradient_energy(picture: np.ndarray) -> float:
    """Mean squared gradient of an RGB picture's luminance."""
    luma = picture @ LUMA
    return float(np.mean(np.diff(luma, axis=0) ** 2) + np.mean(np.diff(luma, axis=1) ** 2))


def _ssim(first: np.ndarray, second: np.ndarray) -> float:
    """SSIM of the luminance of two RGB pictures."""
    return structural_similarity(
        first @ LUMA, second @ LUMA, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
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
