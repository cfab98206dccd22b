"""Cartoons: a drawing says a sound.

The chain is that of portraits up to the landmarks; then the puppet's triangles carry the drawing along
(Zhou et al., "MakeItTalk: Speaker-Aware Talking-Head Animation", SIGGRAPH Asia 2020, section 4.5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from silvertalk.face.prepare.dump import MIN_SOUND
from silvertalk.face.watermark import make_watermark
from silvertalk.makeittalk.cartoon.puppet import Puppet, read_drawing
from silvertalk.makeittalk.geometry import close_mouth
from silvertalk.makeittalk.mouth import paint_mouth
from silvertalk.makeittalk.options import MOUTHS, CartoonOptions
from silvertalk.makeittalk.portrait.motion import Motion, at_rate
from silvertalk.makeittalk.warp import Warp, blend
from silvertalk.media import Picture, VideoWriter
from silvertalk.media.provenance import provenance
from silvertalk.media.sound import Sound, heard_together
from silvertalk.utils import progress
from silvertalk.utils.background import in_background

FACE_WINDOW, MOUTH_WINDOW = 17, 11  # frames over which landmarks are smoothed, as published
PICTURES_AHEAD = 8
WHITE = 255


@dataclass
class CartoonResult:
    """What was rendered."""

    out: str  # the file
    num_frames: int
    fps: float


class Cartoon:
    """Animates puppets.

    Args:
        motion: The networks that move a face with a sound.

    Example:
        ``Cartoon(Motion.from_exp("exp")).animate("egs/cartoon/counsellor", "speech.wav", "out.mp4")``
    """

    def __init__(self, motion: Motion):
        self.motion = motion

    def animate(
        self,
        puppet: str | os.PathLike | Puppet,
        sound: str | os.PathLike | Sound,
        out,
        background: str | os.PathLike | None = None,
        options: CartoonOptions | None = None,
    ) -> CartoonResult:
        """Let a puppet say a sound.

        Args:
            puppet: Its folder, its picture, or the puppet.
            sound: Any file with sound, or the sound.
            out: The mp4 to write, as long as the sound; see ``VideoWriter``.
            background: Picture shown behind the puppet, stretched to its size; None: white.
            options: How.

        Raises:
            FileNotFoundError: A file of these is missing.
            ValueError: The puppet is damaged, or there is less than 0.1 s of sound.
        """
        options = options or CartoonOptions()
        puppet = puppet if isinstance(puppet, Puppet) else Puppet.load(puppet)
        behind = None if background is None else read_drawing(background)[..., :3]
        sound = sound if isinstance(sound, Sound) else Sound.from_file(sound)
        if sound.seconds < MIN_SOUND:
            raise ValueError(f"{sound.name}: lasts {sound.seconds:.3f} s, less than {MIN_SOUND} s; give a longer sound")
        if options.inner_lip not in (None, puppet.inner_lip):
            puppet = puppet.with_mesh(options.inner_lip)
        num_frames = max(1, round(sound.seconds * options.fps))
        pieces, rate = heard_together([sound.heard], max(sound.seconds, num_frames / options.fps))
        name = getattr(out, "name", "stream") if hasattr(out, "write") else str(out)
        about = provenance(
            "The picture of this video is synthetic: a machine made a drawing say this sound.",
            self.motion.name,
            puppet.name,
            [sound.name],
            options.changed(),
        )
        face = CartoonFace(puppet, behind, options.mouth)
        with VideoWriter(
            out, options.fps, pieces, rate, quality=options.crf, preset=options.preset, metadata={"comment": about}
        ) as writer:
            shown = in_background(self.pictures(face, sound.take_wav(), num_frames, options), PICTURES_AHEAD)
            for picture in progress(shown, desc=Path(name).name, total=num_frames):
                writer.write(picture)
        return CartoonResult(name, num_frames, options.fps)

    def pictures(
        self, face: CartoonFace, wav: np.ndarray, num_frames: int, options: CartoonOptions
    ) -> Iterator[Picture]:
        """Draw the frames of a puppet that says a sound, 16 kHz float (N,) in [-1, 1]."""
        puppet, mark = face.puppet, None
        rest = close_mouth(puppet.closed, amount=1) if options.close_mouth else puppet.closed
        moved = self.motion.landmarks(rest, wav, options, FACE_WINDOW, MOUTH_WINDOW)
        del wav  # it lets go of it, too
        for points in at_rate(moved, options.fps, num_frames):
            picture = Picture.from_rgb(face.draw(puppet.to_pixels(points))[..., ::-1])
            if options.watermark:
                mark = mark or make_watermark(options.watermark, picture)
                mark.draw(picture)
            yield picture


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
