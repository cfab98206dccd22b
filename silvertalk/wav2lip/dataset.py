"""Training samples of the generator; see ``silvertalk.syncnet.dataset``."""

import numpy as np
import torch

from silvertalk.syncnet.dataset import WindowDataset, mirrored, scaled
from silvertalk.syncnet.windows import MEL_STEP_SIZE, SYNCNET_T, mel_start


class Wav2LipDataset(WindowDataset):
    """Windows of T frames for the generator.

    Frame n is paired with the mel window that starts at frame n, as at
    inference. (The published training pairs it with frame n - 1, so its
    networks are used one frame away from where they were trained.)

    Args:
        num_frames: T; the sync loss needs 5, L1 alone learns faster from single frames of many clips.
        upper_jitter: Largest number of frames by which the visible upper half
            is earlier or later than the mouth that is to be drawn. Cheeks and
            nose move with the mouth; a generator that sees them of the same
            instant reads the mouth off them instead of listening.

    Items:
        mels: float32 (T, 1, 80, 16), a window per frame; the first is also the expert's.
        target: uint8 (T, 96, 96, 3), BGR.
        reference: uint8 (T, 96, 96, 3).
    """

    def __init__(self, *args, num_frames: int = SYNCNET_T, upper_jitter: int = 0, **kwargs):
        super().__init__(*args, **kwargs)
        self.num_frames, self.upper_jitter = num_frames, upper_jitter

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng, clip, first, other = self._draw(index)
        target = clip.pictures(first, self.num_frames, self.img_size)
        if self.augment and self.upper_jitter:
            shifted = first + rng.integers(-self.upper_jitter, self.upper_jitter + 1)
            shifted = int(np.clip(shifted, 0, clip.num_frames - self.num_frames))
            half = self.img_size // 2
            target[:, :half] = clip.pictures(shifted, self.num_frames, self.img_size)[:, :half]
        reference = clip.pictures(other, self.num_frames, self.img_size)
        if self.augment and rng.random() < 0.5:
            target, reference = mirrored(target), mirrored(reference)
        starts = [mel_start(first + k) for k in range(self.num_frames)]
        mel = clip.mel_window(starts[0], starts[-1] - starts[0] + MEL_STEP_SIZE)
        mels = [mel[..., start - starts[0] :][..., :MEL_STEP_SIZE] for start in starts]
        return {
            "mels": torch.from_numpy(np.stack(mels)),
            "target": torch.from_numpy(target),
            "reference": torch.from_numpy(reference),
        }


def to_float(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Make what the generator takes of a sample or a batch, on its device; ``...`` is the batch, if there is one.

    ``target`` and ``reference``, uint8 (..., T, S, S, 3) in BGR, become ``target`` (..., 3, T, S, S) and ``face``
    (..., 6, T, S, S), float32 in [0, 1]: the target without its lower half, then the reference.
    """
    made = dict(batch)
    target, reference = (scaled(made.pop(name).movedim(-1, -4)) for name in ("target", "reference"))
    masked = target.clone()
    masked[..., masked.shape[-2] // 2 :, :] = 0
    return made | {"target": target, "face": torch.cat([masked, reference], dim=-4)}
