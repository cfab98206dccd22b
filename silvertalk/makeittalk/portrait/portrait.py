"""A photo that moves: the head in it says the given sound.

Sound flows in pieces through voice conversion and the landmark branches;
landmarks become drawings, drawings pictures, and these go into the photo. Each
step runs in a thread of its own with a bounded queue between, so memory does
not grow with length, and a stream begins while its end is still to be heard.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.engine.runtimes import Engine
from silvertalk.face import make_backend
from silvertalk.face.prepare.dump import MIN_SOUND
from silvertalk.face.watermark import make_watermark
from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.makeittalk.options import PortraitOptions
from silvertalk.makeittalk.portrait import translate
from silvertalk.makeittalk.portrait.mesh import MovingPortrait
from silvertalk.makeittalk.portrait.motion import Motion, at_rate
from silvertalk.makeittalk.portrait.photo import Head, make_head, read_photo
from silvertalk.media import Picture, VideoWriter
from silvertalk.media.provenance import provenance
from silvertalk.media.sound import Sound, heard_together
from silvertalk.training.experiment import newest_experiment
from silvertalk.utils import progress
from silvertalk.utils.background import in_background

BATCHES_AHEAD = 1
PICTURES_AHEAD = 8


@dataclass
class PortraitResult:
    """What was rendered."""

    out: str  # the file
    num_frames: int
    fps: float
    bbox: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # x1 y1 x2 y2 of the face, pixels of the result


class Portrait:
    """Animates photos.

    Args:
        autovc: Takes the speaker out of a sound: experiment folder, (published) checkpoint, or network.
        content: Moves the lips; likewise.
        speaker: Moves face and head; likewise.
        translation: Draws the pictures; likewise, or an ``Engine``.
        statistics: What stage 11 measured: its file or folder, a copy of the published code, or ``Statistics``;
            None: those beside the content branch.
        backend: Face backend, or the name of one.
        device: auto, cpu or cuda.
        engine: What runs the image translation: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
        batch_size: Pictures drawn at a time.
        img_size: Side of the portrait (pixels); None: as the image translation was trained.
        official: Whether the networks are the published ones, which want a flatter face, wider eyes and thinner lips
            than are found; None: they are if the content branch is a file without a configuration beside it.

    Example:
        ``Portrait.from_exp("exp").animate("me.jpg", "speech.wav", "out.mp4")``

    Raises:
        FileNotFoundError: Something of this is not there.
        ValueError: Another network.
    """

    def __init__(
        self,
        autovc,
        content,
        speaker,
        translation,
        statistics=None,
        backend="auto",
        device: str = "auto",
        engine: str = "auto",
        precision: str = "auto",
        batch_size: int = 2,
        img_size: int | None = None,
        official: bool | None = None,
    ):
        self.engine: Engine = (
            translation
            if isinstance(translation, Engine)
            else translate.make_engine(
                translation, img_size, backend=engine, device=device, precision=precision, batch_size=batch_size
            )
        )
        self.moves_portrait = translate.MOVED in self.engine.inputs
        self.device = self.engine.device
        self.motion = Motion(autovc, content, speaker, statistics, self.device)
        self.statistics = self.motion.statistics
        self.backend = make_backend(backend, self.device) if isinstance(backend, str) else backend
        self.official = _is_official(content) if official is None else official
        self.model = (
            Path(translation).name if isinstance(translation, str | os.PathLike) else type(translation).__name__
        )

    @classmethod
    def from_exp(
        cls, expdir: str | os.PathLike = "exp", autovc=None, content=None, speaker=None, translation=None, **options
    ) -> Portrait:
        """Load what a recipe trained.

        Args:
            expdir: Folder of experiments; the newest of each kind is taken unless another is named.
            autovc: See the constructor.
            content: Likewise.
            speaker: Likewise.
            translation: Likewise.
            **options: Of the constructor.

        Raises:
            FileNotFoundError: Nothing of a kind was trained.
        """
        named = {"autovc": autovc, "content": content, "speaker": speaker, "translation": translation}
        found = {name: given or newest_experiment(expdir, f"makeittalk_{name}_") for name, given in named.items()}
        return cls(**found, **options)

    def animate(
        self, photo: str | os.PathLike, sound: str | os.PathLike, out, options: PortraitOptions | None = None
    ) -> PortraitResult:
        """Let a photo say the sound of a file; see ``render``."""
        return self._render(photo, Sound.from_file(sound), out, options or PortraitOptions())

    def render(
        self, face: str | os.PathLike, wav: np.ndarray, sampling_rate: int, out, options: PortraitOptions | None = None
    ) -> PortraitResult:
        """Let a photo say a sound.

        Args:
            face: Photo; of a video its first usable frame.
            wav: Sound (T,) in [-1, 1].
            sampling_rate: Hz.
            out: The mp4 to write, as long as the sound; see ``VideoWriter``.
            options: How.

        Raises:
            NoFaceError: No face in the photo, or a profile.
            ValueError: Less than 0.1 s of sound.
        """
        return self._render(face, Sound.from_array(wav, sampling_rate), out, options or PortraitOptions())

    def _render(self, face, sound: Sound, out, options: PortraitOptions) -> PortraitResult:
        if sound.seconds < MIN_SOUND:
            raise ValueError(f"{sound.name}: lasts {sound.seconds:.3f} s, less than {MIN_SOUND} s; give a longer sound")
        picture, points = read_photo(face, self.backend, options.select, options.start)
        std_z = self.statistics.std_face[:, 2]
        head = make_head(picture, points, self.engine.img_size, std_z, self.official, options.close_mouth)
        num_frames = max(1, round(sound.seconds * options.fps))
        pieces, rate = heard_together([sound.heard], max(sound.seconds, num_frames / options.fps))
        name = getattr(out, "name", "stream") if hasattr(out, "write") else str(out)
        about = provenance(
            "The picture of this video is synthetic: a machine made a photo say this sound.",
            f"{self.model} ({self.engine.name})",
            face,
            [sound.name],
            options.changed(),
        )
        with VideoWriter(
            out, options.fps, pieces, rate, quality=options.crf, preset=options.preset, metadata={"comment": about}
        ) as writer:
            shown = self.pictures(head, sound.take_wav(), num_frames, options)
            for picture in progress(shown, desc=Path(name).name, total=num_frames):
                writer.write(picture)
        return PortraitResult(name, num_frames, options.fps, head.face_box(options.crop))

    def pictures(self, head: Head, wav: np.ndarray, num_frames: int, options: PortraitOptions) -> Iterator[Picture]:
        """Draw the frames of a head that says a sound.

        Args:
            head: From ``make_head``.
            wav: 16 kHz sound, float (T,) in [-1, 1]; float32 is written over.
            num_frames: How many, at ``options.fps``.
            options: How.
        """
        landmarks = at_rate(self.motion.landmarks(head.face, wav, options), options.fps, num_frames)
        batches = in_background(self._batches(head, landmarks), BATCHES_AHEAD)
        drawn = in_background(self._drawn(batches), BATCHES_AHEAD)
        return in_background(_shown(head, drawn, options), PICTURES_AHEAD)

    def _batches(self, head: Head, landmarks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Draw landmarks (68, 3) and put the portrait beside them: yields (B, 6, S, S)."""
        size, held = self.engine.img_size, []
        move = MovingPortrait(head.portrait, head.photographed()) if self.moves_portrait else None
        for points in map(head.place, landmarks):
            portrait = move(points) if move else head.portrait
            held.append(translate.to_input(draw_landmarks(points, size), portrait))
            if len(held) == self.engine.batch_size:
                yield np.stack(held)
                held = []
        if held:
            yield np.stack(held)

    def _drawn(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Run the image translation; yields uint8 BGR (S, S, 3)."""
        for batch in batches:
            yield from map(translate.to_picture, self.engine(batch))


def _shown(head: Head, drawn: Iterable[np.ndarray], options: PortraitOptions) -> Iterator[Picture]:
    """What the video shows of drawn portraits."""
    mark = None
    for portrait in drawn:
        picture = Picture.from_rgb(portrait[..., ::-1]) if options.crop else head.paste(portrait)
        if options.watermark:
            mark = mark or make_watermark(options.watermark, picture)
            mark.draw(picture)
        yield picture


def _is_official(content) -> bool:
    """Whether a content branch is a file of the published kind."""
    return isinstance(content, str | os.PathLike) and not (
        Path(content).is_dir() or (Path(content).parent / "config.yaml").is_file()
    )
