"""What every face that speaks has in common: a face and a sound become frames, and frames a video.

A new talker implements ``Talker._open``, which gives a ``Take``. Rendering to a
file or a stream, previews, the mark in the corner and what the file says about
itself stand here, once.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np

from silvertalk.face.prepare.dump import MIN_SOUND
from silvertalk.face.watermark import make_watermark
from silvertalk.media import Picture, VideoWriter
from silvertalk.media.provenance import provenance
from silvertalk.media.sound import Sound, heard_together
from silvertalk.media.timing import FPS
from silvertalk.talker.options import VideoOptions
from silvertalk.utils import progress

CHOSEN = ""  # stands for the face that the options choose
SPANS_LISTED = 5


@dataclass
class Result:
    """What was rendered."""

    out: str  # the file
    num_frames: int
    fps: float
    spans_without_face: list[tuple[float, float]] = field(default_factory=list)  # first and last second of each; there
    # the frames were passed through

    @property
    def seconds_without_face(self) -> float:
        """Of the result."""
        return sum(last - first for first, last in self.spans_without_face)


class Take(ABC):
    """A face that is about to say a sound.

    Args:
        face: Name of what is animated, for the file's header.
        sounds: What it says; more than one where several faces speak.
        fps: Frames per second.
        num_frames: Frames in all.
        pixel_aspect: Width over height of a pixel.

    Attributes:
        period: Frames after which the film comes round to where it was.
    """

    period = 1

    def __init__(self, face, sounds: list[Sound], fps: float, num_frames: int, pixel_aspect: Fraction = Fraction(1)):
        self.face, self.sounds = str(face), sounds
        self.fps, self.num_frames, self.pixel_aspect = fps, num_frames, pixel_aspect

    @abstractmethod
    def pictures(self, first: int = 0) -> Generator[Picture]:
        """Draw the frames from number ``first`` on; closing the iterator ends all work."""

    def heard(self) -> tuple[Iterator[np.ndarray], int]:
        """Sound of the result, in pieces float32 (channels, n) as long together as the result, and its rate (Hz)."""
        seconds = max(self.num_frames / self.fps, *(sound.seconds for sound in self.sounds), 0.0)
        return heard_together([sound.heard for sound in self.sounds], seconds)

    def spans_without_face(self) -> list[tuple[float, float]]:
        """Seconds of the result in which no face could be drawn."""
        return []

    def close(self) -> None:  # noqa: B027
        """Let go of what the take holds beside memory."""


class Talker(ABC):
    """Makes faces speak.

    Attributes:
        note: What is synthetic in its videos, for people.
        options: Class of its options of rendering.
        name: The network and what runs it, for people.
    """

    note: ClassVar[str]
    options: ClassVar[type[VideoOptions]] = VideoOptions
    name: str

    def prepare(self, face, options=None, seconds: float | None = None):
        """Keep ready what several takes of one face need.

        Args:
            face: What ``open`` takes.
            options: How it will be rendered, of the class ``options``.
            seconds: How much of a film will be shown; None: all, for takes of any length.

        Returns:
            What ``open`` takes in place of the face.
        """
        return face

    def frame_rate(self, face, options) -> float:
        """Frames per second of a face's takes.

        Args:
            face: What ``prepare`` gave.
            options: How it will be rendered.
        """
        return options.fps or FPS

    @abstractmethod
    def _open(self, face, sounds: Mapping[str, Sound], options, phase: int | None) -> Take:
        """See ``open``, which has checked the sounds."""

    def open(
        self, face, sounds: Sound | Mapping[str, Sound], options: VideoOptions | None = None, phase: int | None = None
    ) -> Take:
        """Look at a face, and get ready to draw it.

        Args:
            face: Video, photo, folder of pictures, avatar, puppet, or what ``prepare`` gave.
            sounds: What it says; or choice of a face -> what that one says.
            options: How.
            phase: None: a video of its own. A number: a piece of an endless stream, which begins with that frame of
                the film's endless back and forth; a face that has no film begins and ends at rest.

        Raises:
            NoFaceError: A chosen face is not there.
            ValueError: Less than 0.1 s of sound, or options that do not fit.
        """
        sounds = {CHOSEN: sounds} if isinstance(sounds, Sound) else dict(sounds)
        for sound in sounds.values():
            if sound.seconds < MIN_SOUND:
                raise ValueError(
                    f"{sound.name}: lasts {sound.seconds:.3f} s, less than {MIN_SOUND} s; give a longer sound"
                )
        return self._open(face, sounds, options or self.options(), phase)

    def render_file(self, face, audio: str | os.PathLike, out, options: VideoOptions | None = None) -> Result:
        """Let a face say the sound of a file; see ``render_sounds``."""
        return self.render_sounds(face, Sound.from_file(audio), out, options)

    def render(self, face, wav: np.ndarray, sampling_rate: int, out, options: VideoOptions | None = None) -> Result:
        """Let a face say a sound, (T,) in [-1, 1], of a rate (Hz); see ``render_sounds``."""
        return self.render_sounds(face, Sound.from_array(wav, sampling_rate), out, options)

    def render_sounds(
        self, face, sounds: Sound | Mapping[str, Sound], out, options: VideoOptions | None = None
    ) -> Result:
        """Let a face say a sound, or several faces of one film a sound each, which are heard together.

        Args:
            face: See ``open``.
            sounds: Likewise.
            out: The mp4 to write; see ``VideoWriter``.
            options: How.

        Raises:
            NoFaceError: A chosen face is not there.
            ValueError: Less than 0.1 s of sound, or options that do not fit.
        """
        options = options or self.options()
        name = getattr(out, "name", "stream") if hasattr(out, "write") else str(out)
        with closing(self.open(face, sounds, options)) as take:
            pieces, rate = take.heard()
            with self.writer(out, take, options, pieces, rate) as writer:
                shown = self.shown(take, options)
                for picture in progress(shown, desc=Path(name).name, total=take.num_frames):
                    writer.write(picture)
            spans = take.spans_without_face()
        _warn_of_missing_faces(take.face, spans)
        return Result(name, take.num_frames, take.fps, spans)

    def preview(
        self, face, sounds: Sound | Mapping[str, Sound], frame: int, options: VideoOptions | None = None
    ) -> np.ndarray:
        """Render one frame: uint8 RGB (H, W, 3).

        Args:
            face: See ``open``.
            sounds: Likewise.
            frame: Number of the frame in the result.
            options: How.

        Raises:
            ValueError: The result would have fewer frames.
        """
        options = options or self.options()
        with closing(self.open(face, sounds, options)) as take:
            if not 0 <= frame < take.num_frames:
                raise ValueError(f"there is no frame {frame}; the result has {take.num_frames}, from 0 on")
            with closing(self.shown(take, options, frame)) as shown:
                return next(shown).rgb()

    def shown(self, take: Take, options: VideoOptions, first: int = 0) -> Generator[Picture]:
        """The frames of a take as its video shows them, with the mark in the corner."""
        mark = None
        with closing(take.pictures(first)) as pictures:
            for picture in pictures:
                if options.watermark:
                    mark = mark or make_watermark(options.watermark, picture)
                    picture = picture.copy()
                    mark.draw(picture)
                yield picture

    def writer(self, out, take: Take, options: VideoOptions, pieces, rate: int) -> VideoWriter:
        """What encodes a take, and says in the file how it was made.

        Args:
            out: See ``VideoWriter``.
            take: The take, or the first of several.
            options: How.
            pieces: Sound, see ``VideoWriter``.
            rate: Its rate (Hz).
        """
        about = provenance(self.note, self.name, take.face, [sound.name for sound in take.sounds], options.changed())
        return VideoWriter(
            out,
            take.fps,
            pieces,
            rate,
            quality=options.crf,
            preset=options.preset,
            keyframes=options.keyframes,
            live=options.live,
            pixel_aspect=take.pixel_aspect,
            metadata={"comment": about},
        )


def only_sound(sounds: Mapping[str, Sound], what: str) -> Sound:
    """The one sound of a take with one face.

    Raises:
        ValueError: Several faces were chosen.
    """
    if len(sounds) > 1:
        raise ValueError(f"{what} has one face; give it one sound, not {len(sounds)}")
    return next(iter(sounds.values()))


def _warn_of_missing_faces(face: str, spans: list[tuple[float, float]]) -> None:
    """Warn where frames were passed through."""
    if spans:
        seconds = sum(last - first for first, last in spans)
        listed = ", ".join(f"{first:.2f}-{last:.2f} s" for first, last in spans[:SPANS_LISTED])
        more = f" and {len(spans) - SPANS_LISTED} more" if len(spans) > SPANS_LISTED else ""
        logging.warning("%s: no face to draw on for %.2f s (%s%s); passed through", face, seconds, listed, more)
