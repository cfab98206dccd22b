"""Lips by Wav2Lip: the face in a video or photo says the given sound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.engine.runtimes import Engine
from silvertalk.face import make_backend
from silvertalk.media import wav2lip_mel
from silvertalk.syncnet.windows import MEL_STEP_SIZE, mel_start, padded_columns
from silvertalk.talker.film import LipTalker, Task
from silvertalk.wav2lip.engine import make_engine


class LipSync(LipTalker):
    """Renders talking faces with a trained generator.

    Args:
        generator: Experiment folder of stage 10, checkpoint file of a published Wav2Lip, network, or ``Engine``.
        backend: Face backend, or the name of one.
        device: auto, cpu or cuda.
        engine: What runs the generator: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
        batch_size: Frames generated at a time.

    Example:
        ``LipSync("exp/wav2lip_train_wav2lip").render_file("me.mp4", "speech.wav", "out.mp4")``
    """

    def __init__(
        self,
        generator,
        backend="auto",
        device: str = "auto",
        engine: str = "auto",
        precision: str = "auto",
        batch_size: int = 8,
    ):
        self.engine: Engine = (
            generator
            if isinstance(generator, Engine)
            else make_engine(generator, engine, device, precision, batch_size)
        )
        self.img_size, self.batch_size = self.engine.img_size, self.engine.batch_size
        self.device = self.engine.device
        self.backend = make_backend(backend, self.device) if isinstance(backend, str) else backend
        model = Path(generator).name if isinstance(generator, str | os.PathLike) else type(generator).__name__
        self.name = f"{model} ({self.engine.name})"

    def listen(self, wav: np.ndarray, num_frames: int, fps: float) -> Windows:
        """One mel window per frame; silence follows the sound, so that no frame is lost."""
        mel = wav2lip_mel(wav)
        lacking = max(0, padded_columns(num_frames, fps) - mel.shape[1])
        return Windows(np.pad(mel, ((0, 0), (0, lacking)), constant_values=-4.0), fps)

    def draw(self, tasks: list[Task]) -> Iterator[np.ndarray]:
        """See ``LipTalker``."""
        mels = np.stack([task.sound for task in tasks])[:, None]
        pictures = np.stack([to_input(task.filmed, task.reference) for task in tasks])
        for face in self.engine(np.ascontiguousarray(mels), pictures):
            yield face.transpose(1, 2, 0)[..., ::-1] * 255


def to_input(filmed: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Face and reference, uint8 RGB (S, S, 3) -> float32 (6, S, S), BGR twice in [0, 1]; the face without its mouth."""
    masked = filmed.copy()
    masked[len(masked) // 2 :] = 0
    both = np.dstack([masked[..., ::-1], reference[..., ::-1]])
    return both.transpose(2, 0, 1).astype(np.float32) / 255


@dataclass
class Windows:
    """The mel window of each frame."""

    mel: np.ndarray  # (80, T)
    fps: float

    def __getitem__(self, number: int) -> np.ndarray:
        """Window (80, 16) of a frame."""
        first = mel_start(number, self.fps)
        return self.mel[:, first : first + MEL_STEP_SIZE]
