"""Lips on a video or photo: the face in it says the given sound."""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from silvertalk.engine.runtimes import Engine
from silvertalk.face import make_backend
from silvertalk.media import VideoWriter
from silvertalk.media.provenance import provenance
from silvertalk.media.sound import Sound
from silvertalk.utils import progress
from silvertalk.wav2lip.engine import make_engine
from silvertalk.wav2lip.options import RenderOptions
from silvertalk.wav2lip.render import Rendering

SPANS_LISTED = 5


@dataclass
class LipSyncResult:
    """What was rendered."""

    out: str  # the file
    num_frames: int
    fps: float
    seconds_without_face: float  # of the result; there the frames were passed through
    spans_without_face: list[tuple[float, float]] = field(default_factory=list)  # first and last second of each


class LipSync:
    """Renders talking faces with a trained generator.

    Args:
        generator: Experiment folder of stage 10, checkpoint file of a published Wav2Lip, network, or ``Engine``.
        backend: Face backend, or the name of one.
        device: auto, cpu or cuda.
        engine: What runs the generator: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
        batch_size: Frames generated at a time.

    Example:
        ``LipSync("exp/wav2lip_train_wav2lip").sync_file("me.mp4", "speech.wav", "out.mp4")``
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
        self.backend = make_backend(backend, self.engine.device) if isinstance(backend, str) else backend
        self.model = Path(generator).name if isinstance(generator, str | os.PathLike) else type(generator).__name__

    @classmethod
    def from_exp(cls, exp_dir: str | os.PathLike, **options) -> "LipSync":
        """Load the generator of an experiment folder.

        Args:
            exp_dir: Folder made by stage 10.
            **options: Of the constructor.
        """
        return cls(exp_dir, **options)

    def sync_file(
        self,
        face: str | os.PathLike,
        audio: str | os.PathLike,
        out,
        options: RenderOptions | None = None,
    ) -> LipSyncResult:
        """Render a face saying the sound of a file; see ``render_speakers``."""
        options = options or RenderOptions()
        return self.render_speakers(face, {options.select: Sound.from_file(audio)}, out, options)

    def render(
        self,
        face: str | os.PathLike,
        wav: np.ndarray,
        sampling_rate: int,
        out,
        options: RenderOptions | None = None,
    ) -> LipSyncResult:
        """Render a face saying a sound.

        Args:
            face: Video, photo, folder of pictures or avatar.
            wav: Sound (T,) in [-1, 1].
            sampling_rate: Hz.
            out: The mp4 to write; see ``VideoWriter``.
            options: How.

        Raises:
            NoFaceError: No face in the video.
            ValueError: Less than 0.1 s of sound.
        """
        options = options or RenderOptions()
        return self.render_speakers(face, {options.select: Sound.from_array(wav, sampling_rate)}, out, options)

    def render_speakers(
        self, face: str | os.PathLike, sounds: dict[str, Sound], out, options: RenderOptions | None = None
    ) -> LipSyncResult:
        """Render several faces of one video, each saying a sound of its own.

        Args:
            face: Video, photo, folder of pictures or avatar.
            sounds: Choice of a face (see ``RenderOptions.select``) -> what it says. All sounds are heard together.
            out: The mp4 to write; see ``VideoWriter``.
            options: How; ``select`` is not used.

        Raises:
            NoFaceError: A chosen face is not in the video.
            ValueError: Less than 0.1 s of sound, or options that do not fit.
        """
        options = options or RenderOptions()
        rendering = Rendering(self.engine, self.backend, face, sounds, options)
        pieces, rate = rendering.heard()
        name = getattr(out, "name", "stream") if hasattr(out, "write") else str(out)
        with VideoWriter(
            out,
            rendering.fps,
            pieces,
            rate,
            quality=options.crf,
            preset=options.preset,
            pixel_aspect=rendering.source.info.pixel_aspect,
            metadata={"comment": self._provenance(face, sounds, options)},
        ) as writer:
            for picture in progress(rendering.pictures(), desc=Path(name).name, total=rendering.num_frames):
                writer.write(picture)
        spans = rendering.spans_without_face()
        _report(face, spans)
        return LipSyncResult(name, rendering.num_frames, rendering.fps, sum(b - a for a, b in spans), spans)

    def _provenance(self, face, sounds: dict[str, Sound], options: RenderOptions) -> dict:
        """What the file says about how it was made."""
        return provenance(
            "The lips of this video are synthetic: a machine made them say this sound.",
            f"{self.model} ({self.engine.name})",
            face,
            [sound.name for sound in sounds.values()],
            options.changed(),
        )

    def preview(self, face, audio: dict[str, str], frame: int, options: RenderOptions | None = None) -> np.ndarray:
        """Render one frame: uint8 RGB (H, W, 3).

        Args:
            face: As in ``sync_file``.
            audio: Choice of a face -> its sound file.
            frame: Number of the frame in the result.
            options: How.

        Raises:
            ValueError: The result would have fewer frames.
        """
        options = options or RenderOptions()
        sounds = {choice: Sound.from_file(path) for choice, path in audio.items()}
        rendering = Rendering(self.engine, self.backend, face, sounds, options)
        if not 0 <= frame < rendering.num_frames:
            raise ValueError(f"there is no frame {frame}; the result has {rendering.num_frames}, from 0 on")
        return next(rendering.pictures(frame)).rgb()


def _report(face, spans: list[tuple[float, float]]) -> None:
    """Warn where frames were passed through."""
    if spans:
        seconds = sum(last - first for first, last in spans)
        listed = ", ".join(f"{first:.2f}-{last:.2f} s" for first, last in spans[:SPANS_LISTED])
        more = f" and {len(spans) - SPANS_LISTED} more" if len(spans) > SPANS_LISTED else ""
        logging.warning("%s: no face to draw on for %.2f s (%s%s); passed through", face, seconds, listed, more)
