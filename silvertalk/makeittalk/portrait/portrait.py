"""A photo that moves: the head in it says the given sound.

Sound flows in pieces through voice conversion and the landmark branches;
landmarks become drawings, drawings pictures, and these go into the photo. Each
step runs in a thread of its own with a bounded queue between, so memory does
not grow with length, and a stream begins while its end is still to be heard.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from silvertalk.engine.runtimes import Engine
from silvertalk.face import make_backend
from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.makeittalk.options import PortraitOptions, PortraitSetup
from silvertalk.makeittalk.portrait import translate
from silvertalk.makeittalk.portrait.mesh import MovingPortrait
from silvertalk.makeittalk.portrait.motion import Motion, at_rate, from_rest_to_rest
from silvertalk.makeittalk.portrait.photo import Head, make_head, read_photo
from silvertalk.media import Picture
from silvertalk.media.sound import Sound
from silvertalk.talker.base import Take, Talker, only_sound
from silvertalk.utils.background import in_background

BATCHES_AHEAD = 1
PICTURES_AHEAD = 8


class Portrait(Talker):
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
        ``Portrait.from_exp("exp").render_file("me.jpg", "speech.wav", "out.mp4")``

    Raises:
        FileNotFoundError: Something of this is not there.
        ValueError: Another network.
    """

    note = "The picture of this video is synthetic: a machine made a photo say this sound."
    options = PortraitOptions

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
        model = Path(translation).name if isinstance(translation, str | os.PathLike) else type(translation).__name__
        self.name = f"{model} ({self.engine.name})"

    @classmethod
    def from_exp(cls, expdir: str | os.PathLike = "exp", **options) -> Talker:
        """Load what a recipe trained.

        Args:
            expdir: Folder of experiments; the newest of each kind is taken unless another is named.
            **options: Of ``PortraitSetup``.

        Raises:
            FileNotFoundError: Nothing of a kind was trained.
        """
        return PortraitSetup(expdir=str(expdir), **options).talker()

    def prepare(
        self, face: str | os.PathLike, options: PortraitOptions | None = None, seconds: float | None = None
    ) -> Head:
        """Find the head in a photo, or in the first usable frame of a video; see ``Talker.prepare``.

        Raises:
            NoFaceError: No face in the photo, or a profile.
        """
        options = options or PortraitOptions()
        picture, points = read_photo(face, self.backend, options.select, options.start)
        std_z = self.statistics.std_face[:, 2]
        head = make_head(picture, points, self.engine.img_size, std_z, self.official, options.close_mouth)
        return replace(head, name=str(face))

    def _open(self, face, sounds: Mapping[str, Sound], options: PortraitOptions, phase: int | None) -> PortraitTake:
        sound = only_sound(sounds, "a portrait")
        head = face if isinstance(face, Head) else self.prepare(face, options)
        return PortraitTake(self, head, sound, options, streamed=phase is not None)


class PortraitTake(Take):
    """A head that is about to say a sound.

    Attributes:
        head: The head.
    """

    def __init__(self, portrait: Portrait, head: Head, sound: Sound, options: PortraitOptions, streamed: bool = False):
        super().__init__(head.name, [sound], options.fps, max(1, round(sound.seconds * options.fps)))
        self.portrait, self.head, self.options, self.streamed = portrait, head, options, streamed
        self.engine = portrait.engine

    def pictures(self, first: int = 0) -> Generator[Picture]:
        """See ``Take``; what lies before ``first`` is drawn, too, because a face moves on from where it was."""
        wav = self.sounds[0].take_wav()
        moved = self.portrait.motion.landmarks(self.head.face, wav, self.options)
        del wav  # it is let go of there
        landmarks = at_rate(moved, self.fps, self.num_frames)
        if self.streamed:
            landmarks = from_rest_to_rest(landmarks, self.head.face, self.num_frames, self.fps)
        batches = in_background(self._batches(landmarks), BATCHES_AHEAD)
        drawn = in_background(self._drawn(batches), BATCHES_AHEAD)
        return in_background(islice(self._shown(drawn), first, None), PICTURES_AHEAD)

    def _batches(self, landmarks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Draw landmarks (68, 3) and put the portrait beside them: yields (B, 6, S, S)."""
        head, size, held = self.head, self.engine.img_size, []
        move = MovingPortrait(head.portrait, head.photographed()) if self.portrait.moves_portrait else None
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

    def _shown(self, drawn: Iterable[np.ndarray]) -> Iterator[Picture]:
        """What the video shows of drawn portraits."""
        for portrait in drawn:
            yield Picture.from_rgb(portrait[..., ::-1]) if self.options.crop else self.head.paste(portrait)


def _is_official(content) -> bool:
    """Whether a content branch is a file of the published kind."""
    return isinstance(content, str | os.PathLike) and not (
        Path(content).is_dir() or (Path(content).parent / "config.yaml").is_file()
    )
