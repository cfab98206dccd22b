"""Training samples of the sync expert and of the generator.

A sample is a pure function of (seed, index), so a resumed training sees what
an uninterrupted one would have seen, whatever the number of loader processes.
Pictures travel as they were read, as bytes and each once; ``to_float`` makes
what the networks take of them, where the batch is used.
"""

from collections import Counter

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from silvertalk.data.face_clips import FaceClip
from silvertalk.syncnet.windows import MEL_STEP_SIZE, SYNCNET_T, mel_start

# Two windows of one clip (the right and a wrong one) that do not overlap.
MIN_CLIP_FRAMES = 2 * SYNCNET_T
FPS = 25


class _WindowDataset(Dataset):
    """Random windows of clips.

    Args:
        clips: What to draw from.
        img_size: Side of the pictures (pixels).
        seed: Samples depend on it and on their index alone.
        augment: Change pictures and sound in ways that leave synchrony alone.
        speaker_balance: 0: every clip is drawn equally often; 1: every speaker, which shows the few clips of a
            rare one very often; between: a speaker counts by the number of clips to the power of 1 less this.
    """

    TRIES = 100  # clips looked at before giving up
    VOICED = True  # only windows in which somebody speaks

    def __init__(
        self, clips: list[FaceClip], img_size: int, seed: int, augment: bool = False, speaker_balance: float = 0.0
    ):
        self.clips, self.img_size, self.seed, self.augment = clips, img_size, seed, augment
        count = Counter(clip.spk for clip in clips)
        self._ends = np.cumsum([count[clip.spk] ** -speaker_balance for clip in clips])

    def __len__(self) -> int:
        return len(self.clips)

    def _draw(self, index: int) -> tuple[np.random.Generator, FaceClip, int, int]:
        """Draw a clip, the first frame of its window, and of another window that shares no frame with it.

        Raises:
            RuntimeError: Clip after clip has no such windows.
        """
        rng = np.random.default_rng((self.seed, index))
        for _ in range(self.TRIES):
            clip = self.clips[np.searchsorted(self._ends, rng.random() * self._ends[-1], side="right")]
            starts = clip.window_starts(SYNCNET_T, self.VOICED)
            # Not in the middle of a short clip, where no room is left for another.
            firsts = starts[(starts - starts[:1] >= SYNCNET_T) | (starts[-1:] - starts >= SYNCNET_T)]
            if len(firsts):
                first = int(rng.choice(firsts))
                return rng, clip, first, int(rng.choice(starts[np.abs(starts - first) >= SYNCNET_T]))
        wanted = "a face and a voice" if self.VOICED else "a face"
        raise RuntimeError(
            f"{self.TRIES} clips, the last {clip.utt_id}, have no two windows of 0.2 s with {wanted};"
            " look at dropped.tsv of stage 4, and use clips in which somebody speaks"
        )


class SyncNetDataset(_WindowDataset):
    """Matching and shifted pairs of sound and lips.

    Items:
        mel: float32 (1, 80, 16).
        face: uint8 (5, 48, 96, 3), BGR, lower halves.
        label: float32 (), 1 for a match.
    """

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng, clip, first, other = self._draw(index)
        label = rng.random() < 0.5
        frames = clip.pictures(first if label else other, SYNCNET_T, self.img_size)
        mel = clip.mel_window(mel_start(first, FPS), MEL_STEP_SIZE)
        if self.augment:
            frames, mel = augment_pair(rng, frames, mel)
        return {
            "mel": torch.from_numpy(mel),
            "face": torch.from_numpy(np.ascontiguousarray(frames[:, self.img_size // 2 :])),
            "label": torch.tensor(float(label)),
        }


class Wav2LipDataset(_WindowDataset):
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
            target, reference = _mirrored(target), _mirrored(reference)
        starts = [mel_start(first + k, FPS) for k in range(self.num_frames)]
        mel = clip.mel_window(starts[0], starts[-1] - starts[0] + MEL_STEP_SIZE)
        mels = [mel[..., start - starts[0] :][..., :MEL_STEP_SIZE] for start in starts]
        return {
            "mels": torch.from_numpy(np.stack(mels)),
            "target": torch.from_numpy(target),
            "reference": torch.from_numpy(reference),
        }


def to_float(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Make what the networks take of a sample or a batch, on its device; ``...`` is the batch, if there is one.

    The pictures, uint8 in BGR, become float32 in [0, 1]. The expert's ``face`` (..., 5, S/2, S, 3) becomes
    (..., 15, S/2, S), frame by frame. The generator's ``target`` and ``reference`` (..., T, S, S, 3) become ``target``
    (..., 3, T, S, S) and ``face`` (..., 6, T, S, S): the target without its lower half, then the reference.
    """
    made = dict(batch)
    if "reference" not in batch:
        return made | {"face": _scaled(batch["face"].movedim(-1, -3).flatten(-4, -3))}
    target, reference = (_scaled(made.pop(name).movedim(-1, -4)) for name in ("target", "reference"))
    masked = target.clone()
    masked[..., masked.shape[-2] // 2 :, :] = 0
    return made | {"target": target, "face": torch.cat([masked, reference], dim=-4)}


def _scaled(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 to float32 in [0, 1]."""
    return pictures.contiguous().float() / 255


def _mirrored(frames: np.ndarray) -> np.ndarray:
    """Mirror uint8 (T, S, S, 3), ten times as fast as NumPy copies a reversed view."""
    return cv2.flip(frames.reshape(-1, *frames.shape[2:]), 1).reshape(frames.shape)


def augment_pair(rng: np.random.Generator, frames: np.ndarray, mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror and move the lips, and make the sound louder or softer.

    None of it says anything about synchrony, but without it an expert that
    sees few speakers learns their clips by heart. (Changes of colour did too
    much: with them it stayed at chance for 600 steps.)

    Args:
        rng: Source of randomness.
        frames: (T, S, S, 3).
        mel: (1, 80, 16) in [-4, 4].
    """
    if rng.random() < 0.5:
        frames = _mirrored(frames)
    reach = frames.shape[2] // 32
    down, right = rng.integers(-reach, reach + 1, 2)
    frames = np.roll(frames, (down, right), axis=(1, 2))
    louder = rng.uniform(-0.25, 0.25)  # 3 dB
    return np.ascontiguousarray(frames), np.clip(mel + louder, -4, 4).astype(np.float32)
