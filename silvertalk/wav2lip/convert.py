"""What the generator and the expert take, and what converted generators are compared on."""

from collections.abc import Mapping

import numpy as np

from silvertalk.syncnet.windows import MEL_STEP_SIZE, SYNCNET_T, mask_lower_half

CHECK_FRAMES = 4


def generator_shapes(img_size: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes, without that of the batch, of what a generator of this size (pixels) takes."""
    return {"mel": (1, 80, MEL_STEP_SIZE), "face": (6, img_size, img_size)}


def expert_shapes(img_size: int) -> dict[str, tuple[int, ...]]:
    """The same of an expert."""
    return {"mel": (1, 80, MEL_STEP_SIZE), "face": (3 * SYNCNET_T, img_size // 2, img_size)}


def check_inputs(shapes: Mapping[str, tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Make what converted networks are compared on: a real face, moved a little, and something like speech.

    Args:
        shapes: Of ``generator_shapes``.

    Returns:
        Mel windows (4, 1, 80, 16) and masked frames with their references (4, 6, S, S), float32.
    """
    import cv2
    from skimage.data import astronaut  # NASA, public domain

    img_size = shapes["face"][-1]
    # Drawn, because no recording of speech ships with the package.
    seconds, band = np.arange(80)[None] / 80, np.arange(80)[:, None]
    formants = ((12, 5, 3.0), (32, 10, 2.0), (54, 6, 5.0))  # mel band, how far it moves, how often a second
    peaks = sum(np.exp(-(((band - c - r * np.sin(2 * np.pi * f * seconds)) / 5) ** 2)) for c, r, f in formants)
    syllables = np.sin(2 * np.pi * 2 * seconds) ** 2  # four a second
    noise = np.random.default_rng(0).normal(0, 0.3, (80, 80))
    mel = np.clip(-3.5 + 5 * syllables * (peaks + 0.3) + noise, -4, 4).astype(np.float32)
    mels = np.stack([mel[None, :, 17 * k : 17 * k + MEL_STEP_SIZE] for k in range(CHECK_FRAMES)])
    picture = astronaut()[..., ::-1]
    crops = [picture[66 + 2 * k : 182 + 2 * k, 166:282] for k in range(CHECK_FRAMES)]
    faces = np.stack([cv2.resize(crop, (img_size, img_size), interpolation=cv2.INTER_AREA) for crop in crops])
    faces = faces.transpose(0, 3, 1, 2).astype(np.float32) / 255
    return mels, np.concatenate([mask_lower_half(faces), np.broadcast_to(faces[:1], faces.shape)], axis=1)
