"""Windows of clips, and the training samples of the sync expert.

Pictures travel as they were read, as bytes and each once; ``to_float`` makes what the network takes of them, where the
batch is used.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from silvertalk.data.face_clips import FaceClip, load_face_clips
from silvertalk.syncnet.windows import MEL_STEP_SIZE, SYNCNET_T, mel_start
from silvertalk.training.sampling import ClipDataset

# Two windows of one clip (the right and a wrong one) that do not overlap.
MIN_CLIP_FRAMES = 2 * SYNCNET_T


class WindowDataset(ClipDataset):
    """Random windows of clips.

    Args:
        clips: What to draw from.
        img_size: Side of the pictures (pixels).
        seed: See ``ClipDataset``.
        augment: Change pictures and sound in ways that leave synchrony alone.
        speaker_balance: See ``ClipDataset``.
    """

    TRIES = 100  # clips looked at before giving up
    VOICED = True  # only windows in which somebody speaks

    def __init__(
        self, clips: list[FaceClip], img_size: int, seed: int, augment: bool = False, speaker_balance: float = 0.0
    ):
        super().__init__(clips, seed, speaker_balance)
        self.img_size, self.augment = img_size, augment

    def _draw(self, index: int) -> tuple[np.random.Generator, FaceClip, int, int]:
        """Draw a clip, the first frame of its window, and of another window that shares no frame with it.

        Raises:
            RuntimeError: Clip after clip has no such windows.
        """
        rng = np.random.default_rng((self.seed, index))
        for _ in range(self.TRIES):
            clip = self._draw_clip(rng)
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


class SyncNetDataset(WindowDataset):
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
        mel = clip.mel_window(mel_start(first), MEL_STEP_SIZE)
        if self.augment:
            frames, mel = augment_pair(rng, frames, mel)
        return {
            "mel": torch.from_numpy(mel),
            "face": torch.from_numpy(np.ascontiguousarray(frames[:, self.img_size // 2 :])),
            "label": torch.tensor(float(label)),
        }


def to_float(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Make what the expert takes of a sample or a batch, on its device; ``...`` is the batch, if there is one.

    ``face``, uint8 (..., 5, S/2, S, 3) in BGR, becomes float32 (..., 15, S/2, S) in [0, 1], frame by frame.
    """
    return batch | {"face": scaled(batch["face"].movedim(-1, -3).flatten(-4, -3))}


def scaled(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 to float32 in [0, 1]."""
    return pictures.contiguous().float() / 255


def mirrored(frames: np.ndarray) -> np.ndarray:
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
        frames = mirrored(frames)
    reach = frames.shape[2] // 32
    down, right = rng.integers(-reach, reach + 1, 2)
    frames = np.roll(frames, (down, right), axis=(1, 2))
    louder = rng.uniform(-0.25, 0.25)  # 3 dB
    return np.ascontiguousarray(frames), np.clip(mel + louder, -4, 4).astype(np.float32)


def load_datasets(kind: type[WindowDataset], folders: Sequence[str], img_size: int, data, seed: int, **more):
    """Open the face dumps for training and for validation.

    Args:
        kind: Class of the datasets.
        folders: train_dir, valid_dir.
        img_size: Of the network.
        data: Its ``speaker_balance`` counts for training.
        seed: See ``ClipDataset``.
        **more: What else the class takes for training.

    Raises:
        ValueError: Their pictures are smaller than what the network takes.
    """
    train, valid = (load_face_clips(folder, MIN_CLIP_FRAMES) for folder in folders)
    stored = train[0].size()
    if stored < img_size:
        raise ValueError(
            f"{folders[0]}: the pictures have {stored} pixels, the network {img_size}; run stages 3 and 4 with"
            f" --face_size {img_size}"
        )
    return (
        kind(train, img_size, seed, augment=True, speaker_balance=data.speaker_balance, **more),
        kind(valid, img_size, seed + 1),
    )
