"""How a face moves and how a portrait is rendered; without torch, for command lines."""

import math
from dataclasses import dataclass, fields

from silvertalk.media.timing import FPS, MAKEITTALK_FPS

MOUTHS = ("auto", "drawn", "painted")


@dataclass
class AnimationOptions:
    """How a face moves.

    Args:
        amp_lip_x: Factor on the width of the mouth's movement.
        amp_lip_y: Factor on its height.
        amp_pos: Factor on the movement of face and head that comes with the voice; 0: only the lips move.
        close_mouth: Begin with a closed mouth where the photo shows an open one.
        blink: Let the eyes blink, every 1.4 to 2.4 seconds.
        seed: Of the times of the blinks.
        published: Move as the published code does: the last 0.3 s stand still, pieces of 8.2 s do not pass into
            each other.
    """

    amp_lip_x: float = 2.0
    amp_lip_y: float = 2.0
    amp_pos: float = 0.5
    close_mouth: bool = False
    blink: bool = True
    seed: int = 0
    published: bool = False

    def __post_init__(self):
        for name in ("amp_lip_x", "amp_lip_y", "amp_pos"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)}; give a number, 1 for a movement as it was learnt")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more")


@dataclass
class VideoOptions(AnimationOptions):
    """How a face moves, and the video of it.

    Args:
        fps: Frames per second of the result, at most the 62.5 of the landmarks.
        reuse_speaker: Move as somebody else: a sound file of that speaker, or emb.pickle:NAME of the published code.
        gate: Keep the lips at rest where nobody speaks.
        watermark: Text, or PNG with transparency, to show in a corner.
        crf: Quality of H.264, 0 to 51, lower is better.
        preset: Speed of H.264, ultrafast to veryslow.
    """

    fps: float = FPS
    reuse_speaker: str | None = None
    gate: bool = True
    watermark: str | None = None
    crf: int = 18
    preset: str = "veryfast"

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.fps <= MAKEITTALK_FPS:
            raise ValueError(f"fps {self.fps:g} is not between 1 and {MAKEITTALK_FPS:g}")

    def changed(self) -> dict:
        """Options that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


@dataclass
class PortraitOptions(VideoOptions):
    """How a portrait is rendered, besides how it moves.

    Args:
        start: First second of a video to take the portrait from.
        select: Whose face: largest, a number from the left (0 is the first), x1,y1,x2,y2 in pixels, or a photo.
        crop: Write the head's square only, in the network's size; otherwise the whole photo.
    """

    start: float = 0.0
    select: str = "largest"
    crop: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.start < 0:
            raise ValueError(f"start {self.start:g} is below 0")


@dataclass
class CartoonOptions(VideoOptions):
    """How a cartoon is rendered, besides how it moves.

    Args:
        close_mouth: Close the mouth at rest further than the puppet's own tables do, which leave a quarter open.
        mouth: drawn: its inside is the drawing's; painted: dark, teeth and tongue are added; auto: painted where the
            drawing's mouth is closed.
        inner_lip: Let the lips' rims follow the opening instead of moving by themselves; leave out for what the
            puppet's triangles say.
    """

    close_mouth: bool = False
    mouth: str = "auto"
    inner_lip: bool | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.mouth not in MOUTHS:
            raise ValueError(f"mouth '{self.mouth}' is none of {', '.join(MOUTHS)}")
