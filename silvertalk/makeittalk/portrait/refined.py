"""An animated portrait whose lips are drawn once more, by a talker of films."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path

from silvertalk.makeittalk.options import PortraitOptions
from silvertalk.makeittalk.portrait.portrait import Portrait
from silvertalk.media import Picture
from silvertalk.media.sound import Sound
from silvertalk.talker.base import Take, Talker, only_sound
from silvertalk.talker.options import RenderOptions

BETWEEN_CRF = 8  # of the video that the lips are drawn on: nothing is to be lost in it


class RefinedPortrait(Talker):
    """A portrait that moves, with another talker's lips.

    Args:
        portrait: Moves the head and draws it.
        lips: Draws the lips.
    """

    note, options = Portrait.note, PortraitOptions

    def __init__(self, portrait: Portrait, lips: Talker):
        self.portrait, self.lips, self.name = portrait, lips, f"{portrait.name}, {lips.name}"

    def prepare(self, face, options: PortraitOptions | None = None, seconds: float | None = None):
        """See ``Portrait.prepare``."""
        return self.portrait.prepare(face, options)

    def _open(self, face, sounds: Mapping[str, Sound], options: PortraitOptions, phase: int | None) -> Take:
        sound = only_sound(sounds, "a portrait")
        again = replace(sound, wav=sound.wav.copy())  # each of the two takes it away
        return RefinedTake(self, self.portrait.open(face, again, options, phase), sound, options)


class RefinedTake(Take):
    """A portrait is animated into a file, on which the lips are drawn."""

    def __init__(self, talker: RefinedPortrait, portrait: Take, sound: Sound, options: PortraitOptions):
        super().__init__(portrait.face, [sound], portrait.fps, portrait.num_frames)
        self._folder = tempfile.TemporaryDirectory(prefix="silvertalk")
        self._talker, self._portrait, self._options, self._lips = talker, portrait, options, None

    def pictures(self, first: int = 0) -> Generator[Picture]:
        """See ``Take``."""
        film = Path(self._folder.name) / "portrait.mp4"
        plain = replace(self._options, watermark=None, crf=BETWEEN_CRF)
        with self._talker.portrait.writer(film, self._portrait, plain, None, 0) as writer:
            for picture in self._portrait.pictures():
                writer.write(picture)
        box = ",".join(f"{value:.1f}" for value in self._portrait.head.face_box(self._options.crop))
        lips = RenderOptions(fps=self.fps, select=box, gate=self._options.gate, cache=False)
        self._lips = self._talker.lips.open(film, self.sounds[0], lips)
        yield from self._lips.pictures(first)

    def spans_without_face(self) -> list[tuple[float, float]]:
        """See ``Take``."""
        return self._lips.spans_without_face() if self._lips else []

    def close(self) -> None:
        """Remove the film between."""
        self._folder.cleanup()
