"""How a face moves and how a portrait is rendered; without torch, for command lines."""

import math
from dataclasses import dataclass

from silvertalk.media.timing import FPS, MAKEITTALK_FPS
from silvertalk.talker.options import Setup, VideoOptions
from silvertalk.talker.registry import find_setup
from silvertalk.training.experiment import newest_experiment

PORTRAIT_NETWORKS = ("autovc", "content", "speaker", "translation")
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
class MotionOptions(AnimationOptions, VideoOptions):
    """How a face moves, and the video of it.

    Args:
        fps: Frames per second of the result, at most the 62.5 of the landmarks.
        reuse_speaker: Move as somebody else: a sound file of that speaker, or emb.pickle:NAME of the published code.
    """

    fps: float = FPS
    reuse_speaker: str | None = None

    def __post_init__(self):
        AnimationOptions.__post_init__(self)
        VideoOptions.__post_init__(self)
        if not 1 <= self.fps <= MAKEITTALK_FPS:
            raise ValueError(f"fps {self.fps:g} is not between 1 and {MAKEITTALK_FPS:g}")


@dataclass
class PortraitOptions(MotionOptions):
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
class CartoonOptions(MotionOptions):
    """How a cartoon is rendered, besides how it moves.

    Args:
        close_mouth: Close the mouth at rest further than the puppet's own tables do, which leave a quarter open.
        mouth: drawn: its inside is the drawing's; painted: dark, teeth and tongue are added; auto: painted where the
            drawing's mouth is closed.
        inner_lip: Let the lips' rims follow the opening instead of moving by themselves; leave out for what the
            puppet's triangles say.
        background: Picture to show behind it, stretched to its size; leave out for white.
    """

    close_mouth: bool = False
    mouth: str = "auto"
    inner_lip: bool | None = None
    background: str | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.mouth not in MOUTHS:
            raise ValueError(f"mouth '{self.mouth}' is none of {', '.join(MOUTHS)}")


@dataclass
class PortraitSetup(Setup, PortraitOptions):
    """A photo that moves as a whole, by MakeItTalk.

    Args:
        autovc_exp: Folder of the voice conversion, or a published checkpoint; leave out for the newest in expdir.
        content_exp: The same of the content branch.
        speaker_exp: The same of the speaker-aware branch.
        translation_exp: The same of the image translation.
        statistics: Statistics of stage 11, or a copy of the published code; leave out for those of the content branch.
        img_size: Side of the portrait that is drawn, pixels; leave out for what the image translation was trained on.
        refine: wav2lip: its generator draws the lips once more.
        wav2lip_exp: Folder of that generator, or a published checkpoint; leave out for the newest in expdir.
        engine: What runs the image translation: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
    """

    rendered = PortraitOptions
    autovc_exp: str | None = None
    content_exp: str | None = None
    speaker_exp: str | None = None
    translation_exp: str | None = None
    statistics: str | None = None
    img_size: int | None = None
    refine: str | None = None
    wav2lip_exp: str | None = None
    engine: str = "auto"
    precision: str = "auto"

    def talker(self):
        """See ``Setup``."""
        from silvertalk.makeittalk.portrait.portrait import Portrait
        from silvertalk.makeittalk.portrait.refined import RefinedPortrait

        lips = self._lips()
        if lips is not None:
            lips.weights()  # says what is missing before anything slow
        portrait = Portrait(
            *_networks(self, PORTRAIT_NETWORKS), self.statistics, self.face_backend,
            self.device, self.engine, self.precision, img_size=self.img_size,
        )  # fmt: skip
        return portrait if lips is None else RefinedPortrait(portrait, lips.talker())

    def weights(self) -> list:
        """See ``Setup``."""
        lips = self._lips()
        return [*_networks(self, PORTRAIT_NETWORKS), *(lips.weights() if lips else [])]

    def _lips(self) -> Setup | None:
        """What draws the lips once more."""
        if self.refine is None:
            return None
        if self.refine != "wav2lip":
            raise ValueError(f"refine '{self.refine}' is not wav2lip; leave it out for the portrait's own lips")
        run = {name: getattr(self, name) for name in ("expdir", "face_backend", "device", "engine", "precision")}
        return find_setup(self.refine)(wav2lip_exp=self.wav2lip_exp, **run)


@dataclass
class CartoonSetup(Setup, CartoonOptions):
    """A drawing that moves: a puppet (silvertalk puppet make).

    Args:
        autovc_exp: Folder of the voice conversion, or a published checkpoint; leave out for the newest in expdir.
        content_exp: The same of the content branch.
        speaker_exp: The same of the speaker-aware branch.
        statistics: Statistics of stage 11, or a copy of the published code; leave out for those of the content branch.
        device: cpu or cuda.
    """

    rendered = CartoonOptions
    autovc_exp: str | None = None
    content_exp: str | None = None
    speaker_exp: str | None = None
    statistics: str | None = None
    device: str = "cpu"

    def talker(self):
        """See ``Setup``."""
        from silvertalk.makeittalk.cartoon.cartoon import Cartoon
        from silvertalk.makeittalk.portrait.motion import Motion

        return Cartoon(Motion(*self.weights(), self.statistics, self.device))

    def weights(self) -> list:
        """See ``Setup``."""
        return _networks(self, ("autovc", "content", "speaker"))


def _networks(setup, names) -> list:
    """Where the networks of a portrait are: as named, or the newest."""
    return [getattr(setup, f"{name}_exp") or newest_experiment(setup.expdir, f"makeittalk_{name}_") for name in names]
