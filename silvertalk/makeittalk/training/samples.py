"""Pictures of a training: curves and films of held-out clips, and portraits that were generated."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.media import VideoWriter, read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import FPS, MAKEITTALK_FPS
from silvertalk.utils import atomic_path

CURVES = ("real", "with its sound", "with another clip's")
ROWS = "reference, drawing, generated, real"


def save_curves(path: Path, clips: list[list[np.ndarray]], board, epoch: int) -> None:
    """Draw the lip opening of up to four clips over time.

    Args:
        path: PNG to write.
        clips: Of each clip the curves of ``CURVES``, (N,).
        board: Writer of TensorBoard.
        epoch: Number of the epoch, from 0.
    """
    from matplotlib import pyplot

    clips = clips[:4]
    figure, axes = pyplot.subplots(len(clips), 1, figsize=(9, 2 * len(clips)), squeeze=False)
    for axis, curves in zip(axes[:, 0], clips, strict=True):
        for curve, label in zip(curves, CURVES, strict=True):
            axis.plot(np.arange(len(curve)) / MAKEITTALK_FPS, curve, label=label)
    axes[0, 0].legend(loc="upper right")
    axes[0, 0].set(title="lip opening of normalised faces")
    axes[-1, 0].set(xlabel="seconds")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=80, bbox_inches="tight")
    board.add_figure("lip opening", figure, epoch)  # closes it


@dataclass
class LandmarkPreview:
    """A film of landmarks: the real ones beside the predicted ones."""

    audio: str  # sound of the clip; empty where it has none, as in dumps made of pickles

    SIZE = 256  # pixels
    SCALE, MIDDLE = 110, (128, 100)  # of a normalised face in the picture: pixels per unit, and where its origin lies

    def save(self, path: Path, real: torch.Tensor, predicted: torch.Tensor) -> None:
        """Write the film.

        Args:
            path: MP4 to write.
            real: (N, 204) normalised landmarks from the beginning of the clip on, 62.5 per second.
            predicted: Likewise.
        """
        faces = [x.detach().float().cpu().numpy().reshape(-1, 68, 3)[..., :2] for x in (real, predicted)]
        numbers = np.arange(0, len(real), MAKEITTALK_FPS / FPS).astype(int)
        sound = (read_audio(self.audio, SAMPLING_RATE, 0, len(numbers) / FPS)[0], SAMPLING_RATE) if self.audio else ()
        with VideoWriter(path, FPS, *sound) as out:
            for number in numbers:
                drawings = [draw_landmarks(x[number] * self.SCALE + self.MIDDLE, self.SIZE) for x in faces]
                out.write(np.ascontiguousarray(np.concatenate(drawings, axis=1)[..., ::-1]))


def save_collage(path: Path, batch: dict[str, torch.Tensor], generated: torch.Tensor, board, epoch: int) -> None:
    """Save columns of reference, drawing, result and target of up to four samples.

    Args:
        path: PNG to write.
        batch: Of ``TranslationDataset``.
        generated: (B, 3, S, S) in [0, 1], BGR.
        board: Writer of TensorBoard.
        epoch: Number of the epoch, from 0.
    """
    made = (generated[:4].detach().float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)
    rows = [batch["reference"][:4], batch["drawing"][:4], made, batch["target"][:4]]
    pixels = np.concatenate([np.concatenate(list(row.cpu().numpy()), axis=1) for row in rows])
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), pixels)
    board.add_image(ROWS, np.ascontiguousarray(pixels[..., ::-1]), epoch, dataformats="HWC")
