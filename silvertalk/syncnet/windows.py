"""Which mel columns belong to which video frame, and what of a frame is hidden: the published arithmetic."""

import numpy as np

from silvertalk.media.mel import MELS_PER_SECOND
from silvertalk.media.timing import FPS

MEL_STEP_SIZE = 16  # columns, 0.2 s
SYNCNET_T = 5  # frames, 0.2 s


def mel_start(frame: int, fps: float = FPS) -> int:
    """First mel column of the window that belongs to a frame: int(80 * frame / fps)."""
    return int(MELS_PER_SECOND * (frame / fps))


def mel_chunk_starts(n_mel_frames: int, fps: float) -> list[int]:
    """Start columns of the published inference, one for each output frame.

    Frame i starts at int(i * 80 / fps) and takes 16 columns. The first window
    that would run over the end is moved back to end there, and is the last.
    That drops the last 3 or so frames of a video; ``padded_columns`` says how
    much silence keeps them.

    Args:
        n_mel_frames: Columns of the mel spectrogram, at least 16.
        fps: Video frames per second.

    Raises:
        ValueError: Fewer than 16 columns (0.2 s of sound).
    """
    if n_mel_frames < MEL_STEP_SIZE:
        raise ValueError(
            f"{n_mel_frames} mel columns are less than one window of {MEL_STEP_SIZE} (0.2 s); pad the sound"
        )
    columns_per_frame = MELS_PER_SECOND / fps
    starts = []
    while True:
        start = int(len(starts) * columns_per_frame)
        if start + MEL_STEP_SIZE > n_mel_frames:
            return [*starts, n_mel_frames - MEL_STEP_SIZE]
        starts.append(start)


def padded_columns(num_frames: int, fps: float) -> int:
    """Mel columns needed so that each of ``num_frames`` frames has a whole window of its own."""
    return int((num_frames - 1) * (MELS_PER_SECOND / fps)) + MEL_STEP_SIZE


def lower_half(x):
    """Keep the lower half of pictures (..., H, W), an array or a tensor."""
    return x[..., x.shape[-2] // 2 :, :]


def mask_lower_half(frames: np.ndarray) -> np.ndarray:
    """Set the lower half of (..., H, W) to 0; returns a copy."""
    masked = frames.copy()
    masked[..., frames.shape[-2] // 2 :, :] = 0
    return masked
