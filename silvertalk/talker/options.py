"""How a talking face is rendered, and which networks do it; without torch, for command lines."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from silvertalk.training.experiment import find_weights
from silvertalk.utils.cache import content_key

QUALITIES = ("fast", "improved", "enhanced")
MASKS = ("landmarks", "parsing")
LOOPS = ("pingpong", "hold")
LENGTHS = ("sound", "video")


@dataclass
class VideoOptions:
    """What every video takes.

    Args:
        fps: Frames per second of the result; leave out for the rate of the face video (25 for pictures).
        gate: Close the lips where nobody speaks.
        watermark: Text, or PNG with transparency, to show in a corner.
        crf: Quality of H.264, 0 to 51, lower is better.
        preset: Speed of H.264, ultrafast to veryslow.
        keyframes: Most frames between two that can be shown without others; leave out for the codec's choice, and a
            second's in a stream.
        live: Encode without delay: no frame waits for a later one. Streams always are.
    """

    fps: float | None = None
    gate: bool = True
    watermark: str | None = None
    crf: int = 18
    preset: str = "veryfast"
    keyframes: int | None = None
    live: bool = False

    def __post_init__(self):
        if self.fps is not None and not 1 <= self.fps <= 120:
            raise ValueError(f"fps {self.fps:g} is not between 1 and 120")
        if self.keyframes is not None and self.keyframes < 1:
            raise ValueError(f"keyframes {self.keyframes} is less than 1")

    def changed(self) -> dict:
        """Options that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


@dataclass
class RenderOptions(VideoOptions):
    """How lips are drawn on a film.

    Args:
        quality: fast: hard paste of the lower face; improved: soft mask along jaw and nose, filmed skin detail,
            sharp lips; enhanced: improved, and the face restored by a network from weights_dir.
        start: First second of the face video to use.
        select: Whose face: largest, a number from the left (0 is the first), x1,y1,x2,y2 in pixels, or a photo.
        length: sound: as long as the sound; video: as long as the face video, silent after the sound.
        loop: When the sound is longer than the video: pingpong runs it back and forth, hold stays on its last frame.
        mask: landmarks, or parsing by a network from weights_dir.
        mask_size: Factor on the region that may change.
        mask_feather: Factor on the width of its soft rim.
        mouth_tracking: Let the mask follow jaw and lips of every frame; otherwise one mean shape.
        debug_mask: Tint the mask.
        restorer: Restoration network of enhanced: auto, gfpgan, codeformer, restoreformer.
        restore_blend: Share of the restored face, 0 to 1.
        weights_dir: Folder with weights of restoration and parsing networks.
        level: Bring very quiet or loud speech to the level the networks know; what is heard stays as it is.
        soundtrack: What is heard: driving (the sound that moves the lips), original (the face video's), or a file.
        cache: Keep face tracks between runs.
    """

    quality: str = "improved"
    start: float = 0.0
    select: str = "largest"
    length: str = "sound"
    loop: str = "pingpong"
    mask: str = "landmarks"
    mask_size: float = 1.0
    mask_feather: float = 1.0
    mouth_tracking: bool = True
    debug_mask: bool = False
    restorer: str = "auto"
    restore_blend: float = 0.8
    weights_dir: str | None = None
    level: bool = True
    soundtrack: str = "driving"
    cache: bool = True

    def __post_init__(self):
        super().__post_init__()
        for name, known in (("quality", QUALITIES), ("mask", MASKS), ("loop", LOOPS), ("length", LENGTHS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} '{getattr(self, name)}' is none of {', '.join(known)}")
        if not (0 <= self.restore_blend <= 1 and self.mask_size > 0 and self.mask_feather >= 0 and self.start >= 0):
            raise ValueError("restore_blend is 0 to 1, mask_size above 0, mask_feather and start not below 0")


@dataclass
class Setup(ABC):
    """A talker's entry in the registry: its options of rendering, and where its networks are and how they run.

    A dataclass that inherits this and, behind it, the talker's options of rendering. Its fields are the options of
    ``silvertalk lipsync --model NAME`` and of stage 15; its docstring is their help.

    Args:
        expdir: Folder of experiments; the newest networks (and voice) in it are used.
        face_backend: What finds faces: auto, dlib, face_alignment or s3fd.
        device: auto, cpu or cuda.
    """

    rendered: ClassVar[type[VideoOptions]]  # the options of rendering alone
    expdir: str = "exp"
    face_backend: str = "auto"
    device: str = "auto"

    @abstractmethod
    def talker(self):
        """Load the networks: the ``Talker``."""

    @abstractmethod
    def weights(self) -> list[str | Path]:
        """Experiment folders and files that the networks come from.

        Raises:
            FileNotFoundError: Nothing was trained.
        """

    def rendering(self):
        """How to render, without the networks."""
        return self.rendered(**{field.name: getattr(self, field.name) for field in fields(self.rendered)})

    def key(self) -> str:
        """Name that changes with the networks' weights."""
        paths = [Path(path) for path in self.weights()]
        return " ".join(content_key(find_weights(path) if path.is_dir() else path) for path in paths)
