"""Cartoons: a drawing says a sound.

The chain is that of portraits up to the landmarks; then the puppet's triangles carry the drawing along
(Zhou et al., "MakeItTalk: Speaker-Aware Talking-Head Animation", SIGGRAPH Asia 2020, section 4.5).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from itertools import islice

import cv2
import numpy as np

from silvertalk.makeittalk.cartoon.puppet import Puppet, read_drawing
from silvertalk.makeittalk.geometry import close_mouth
from silvertalk.makeittalk.mouth import paint_mouth
from silvertalk.makeittalk.options import MOUTHS, CartoonOptions
from silvertalk.makeittalk.portrait.motion import Motion, at_rate, from_rest_to_rest
from silvertalk.makeittalk.warp import Warp, blend
from silvertalk.media import Picture
from silvertalk.media.sound import Sound
from silvertalk.talker.base import Take, Talker, only_sound
from silvertalk.utils.background import in_background

FACE_WINDOW, MOUTH_WINDOW = 17, 11  # frames over which landmarks are smoothed, as published
PICTURES_AHEAD = 8
WHITE = 255


class Cartoon(Talker):
    """Animates puppets.

    Args:
        motion: The networks that move a face with a sound.

    Example:
        ``Cartoon(Motion(autovc, content, speaker)).render_file("egs/cartoon/counsellor", "speech.wav", "out.mp4")``
    """

    note = "The picture of this video is synthetic: a machine made a drawing say this sound."
    options = CartoonOptions

    def __init__(self, motion: Motion):
        self.motion, self.name = motion, motion.name

    def prepare(self, face, options: CartoonOptions | None = None, seconds: float | None = None) -> CartoonFace:
        """Read a puppet: its folder, its picture, or a ``Puppet``; see ``Talker.prepare``.

        Raises:
            FileNotFoundError: A file of it, or the background, is missing.
            ValueError: The puppet is damaged.
        """
        options = options or CartoonOptions()
        puppet = face if isinstance(face, Puppet) else Puppet.load(face)
        behind = None if options.background is None else read_drawing(options.background)[..., :3]
        if options.inner_lip not in (None, puppet.inner_lip):
            puppet = puppet.with_mesh(options.inner_lip)
        return CartoonFace(puppet, behind, options.mouth)

    def _open(self, face, sounds: Mapping[str, Sound], options: CartoonOptions, phase: int | None) -> CartoonTake:
        sound = only_sound(sounds, "a puppet")
        face = face if isinstance(face, CartoonFace) else self.prepare(face, options)
        return CartoonTake(self.motion, face, sound, options, streamed=phase is not None)


class CartoonTake(Take):
    """A puppet that is about to say a sound."""

    def __init__(self, motion: Motion, face: CartoonFace, sound: Sound, options: CartoonOptions, streamed: bool):
        super().__init__(face.puppet.name, [sound], options.fps, max(1, round(sound.seconds * options.fps)))
        self.motion, self.drawing, self.options, self.streamed = motion, face, options, streamed

    def pictures(self, first: int = 0) -> Generator[Picture]:
        """See ``Take``; what lies before ``first`` is drawn, too, because a face moves on from where it was."""
        return in_background(islice(self._drawn(), first, None), PICTURES_AHEAD)

    def _drawn(self) -> Iterator[Picture]:
        puppet, wav = self.drawing.puppet, self.sounds[0].take_wav()
        rest = close_mouth(puppet.closed, amount=1) if self.options.close_mouth else puppet.closed
        moved = self.motion.landmarks(rest, wav, self.options, FACE_WINDOW, MOUTH_WINDOW)
        del wav  # it lets go of it, too
        landmarks = at_rate(moved, self.fps, self.num_frames)
        if self.streamed:
            landmarks = from_rest_to_rest(landmarks, rest, self.num_frames, self.fps)
        for points in landmarks:
            yield Picture.from_rgb(self.drawing.draw(puppet.to_pixels(points))[..., ::-1])


class CartoonFace:
    """Draws a puppet with its landmarks moved.

    Args:
        puppet: The puppet.
        background: uint8 BGR, stretched to the puppet's size; None for white.
        mouth: drawn: its inside is the drawing's; painted: dark, teeth and tongue are added; auto: painted where
            the drawing's mouth is closed.
    """

    def __init__(self, puppet: Puppet, background: np.ndarray | None = None, mouth: str = "auto"):
        if mouth not in MOUTHS:
            raise ValueError(f"mouth '{mouth}' is none of {', '.join(MOUTHS)}")
        height, width = puppet.picture.shape[:2]
        self.puppet = puppet
        self._painted = mouth == "painted" or (mouth == "auto" and not puppet.mouth_is_drawn_open)
        self._background = (
            np.full((height, width, 3), WHITE, np.uint8)
            if background is None
            else cv2.resize(background, (width, height), interpolation=cv2.INTER_LINEAR)
        )
        self._warp = Warp(puppet.picture, puppet.vertices(puppet.drawn), puppet.triangles)

    def draw(self, points: np.ndarray) -> np.ndarray:
        """Draw one frame.

        Args:
            points: Landmarks (68, 2), pixels.

        Returns:
            uint8 BGR (H, W, 3).
        """
        frame = blend(self._warp(self.puppet.vertices(points)), self._background)
        if self._painted:
            paint_mouth(frame, points[60:68])
        return frame
