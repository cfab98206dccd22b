"""Confidence, distance and audio-video offset, as our own SyncNet expert sees them.

After LSE-C of Prajwal et al. (ACM MM 2020) and Chung and Zisserman ("Out of
time", ACCV-W 2016), with these differences: our expert gives cosines instead
of distances, and windows without a partner are left out instead of being
compared with zeros. Figures are not comparable with published LSE.
"""

import numpy as np
import torch

from silvertalk.face.lips import window_spread
from silvertalk.syncnet.windows import MEL_STEP_SIZE, SYNCNET_T, lower_half, mel_start

MAX_OFFSET = 15  # frames, 0.6 s
MIN_WINDOWS = 5  # an offset with fewer pairs is not judged
# Nearer windows share sound with the true one.
MIN_SHIFT = SYNCNET_T
TOO_SHORT = "the clip is too short for the expert; use at least 0.5 s"


def embed(
    expert: torch.nn.Module, faces: np.ndarray, mel: np.ndarray, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Embed every window of a clip.

    Args:
        expert: ``silvertalk.wav2lip.SyncNet`` in eval mode.
        faces: uint8 (T, S, S, 3), RGB face crops at 25 fps, S the expert's size.
        mel: float (T_mel, 80), 80 rows a second.
        batch_size: Windows at a time.

    Returns:
        Audio and face embeddings, (N, D) each; window n is frames n..n+4.
    """
    windows = len(faces) - SYNCNET_T + 1
    while windows > 0 and mel_start(windows - 1) + MEL_STEP_SIZE > len(mel):
        windows -= 1
    if windows < 1:
        raise ValueError(f"{len(faces)} frames and {len(mel)} mel columns hold no window of 0.2 s; use a longer clip")
    device = next(expert.parameters()).device
    pictures = torch.from_numpy(np.ascontiguousarray(faces[..., ::-1])).permute(0, 3, 1, 2)  # BGR
    pictures = lower_half(pictures).to(device)
    columns = torch.from_numpy(np.ascontiguousarray(mel.T, np.float32)).to(device)
    audio, video = [], []
    with torch.inference_mode():
        for first in range(0, windows, batch_size):
            starts = range(first, min(first + batch_size, windows))
            face = torch.stack([pictures[n : n + SYNCNET_T].flatten(0, 1) for n in starts]).float() / 255
            sound = torch.stack([columns[None, :, mel_start(n) : mel_start(n) + MEL_STEP_SIZE] for n in starts])
            for store, value in zip((audio, video), expert(sound, face), strict=True):
                store.append(value.float().cpu().numpy())
    return np.concatenate(audio), np.concatenate(video)


def offset_curve(audio: np.ndarray, video: np.ndarray, max_offset: int = MAX_OFFSET) -> np.ndarray:
    """Mean cosine at every offset.

    Args:
        audio: (N, D), unit norm.
        video: (N, D), unit norm.
        max_offset: Largest offset (frames).

    Returns:
        (2 * max_offset + 1,); entry ``max_offset + k`` pairs the lips of
        window n with the sound of window n + k, so a peak at k > 0 means that
        the sound is late. nan where fewer than 5 windows have a partner.
    """
    cosine = video @ audio.T
    diagonals = [cosine.diagonal(k) for k in range(-max_offset, max_offset + 1)]
    return np.array([d.mean() if len(d) >= MIN_WINDOWS else np.nan for d in diagonals])


def confidence_and_offset(curve: np.ndarray) -> tuple[float, int]:
    """Read an offset curve.

    Args:
        curve: (2 K + 1,) from ``offset_curve``.

    Returns:
        Confidence (maximum minus median, 0 to 1) and offset in frames, positive: the sound is late.

    Raises:
        ValueError: The clip was too short for any offset.
    """
    if np.isnan(curve).all():
        raise ValueError(TOO_SHORT)
    best = int(np.nanargmax(curve))
    return float(curve[best] - np.nanmedian(curve)), best - len(curve) // 2


def window_distances(audio: np.ndarray, video: np.ndarray, max_offset: int = MAX_OFFSET) -> np.ndarray:
    """Distance of lips and sound, window by window, at the offset where its mean is smallest.

    Their mean has the form of LSE-D, with the expert's embeddings in place of
    those of the published metric.

    Args:
        audio: (N, D), unit norm.
        video: (N, D), unit norm.
        max_offset: Largest offset (frames).

    Returns:
        (M,), 0 to 2, the windows that have a partner there.

    Raises:
        ValueError: The clip was too short for any offset.
    """
    table = np.sqrt(np.maximum(2 - 2 * video @ audio.T, 0))
    diagonals = [table.diagonal(k) for k in range(-max_offset, max_offset + 1)]
    known = [d for d in diagonals if len(d) >= MIN_WINDOWS]
    if not known:
        raise ValueError(TOO_SHORT)
    return min(known, key=np.mean)


def expert_scores(audio: np.ndarray, video: np.ndarray) -> dict[str, float]:
    """Everything the expert says of a clip's embeddings: ``confidence``, ``offset``, ``distance`` and its spread."""
    confidence, offset = confidence_and_offset(offset_curve(audio, video))
    distances = window_distances(audio, video)
    return {
        "confidence": confidence,
        "offset": float(offset),
        "distance": float(distances.mean()),
        "distance_spread": window_spread(distances),
    }


def pair_accuracy(audio: np.ndarray, video: np.ndarray, max_shift: int = MAX_OFFSET) -> float:
    """Share of comparisons in which the expert prefers the true sound to a shifted one.

    Every window's cosine with its own sound is compared with those of the
    sounds 5 to 15 frames away in the same clip; 0.5 is chance.

    Args:
        audio: (N, D), unit norm, of a clip that is in sync.
        video: (N, D), unit norm.
        max_shift: Largest shift (frames).

    Returns:
        0 to 1; nan when the clip has no windows that far apart.
    """
    cosine = video @ audio.T
    shift = np.abs(np.subtract.outer(np.arange(len(cosine)), np.arange(len(cosine))))
    rows, columns = np.nonzero((shift >= MIN_SHIFT) & (shift <= max_shift))
    if not len(rows):
        return float("nan")
    difference = cosine.diagonal()[rows] - cosine[rows, columns]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))
