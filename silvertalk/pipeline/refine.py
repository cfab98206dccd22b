"""An animated portrait whose lips are drawn once more, by Wav2Lip."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from silvertalk.makeittalk.options import PortraitOptions
from silvertalk.makeittalk.portrait.portrait import Portrait, PortraitResult
from silvertalk.training.experiment import newest_experiment
from silvertalk.wav2lip.lipsync import LipSync
from silvertalk.wav2lip.options import RenderOptions

BETWEEN_CRF = 8  # of the video that Wav2Lip is given: nothing is to be lost in it


class RefinedPortrait:
    """A portrait that moves, with Wav2Lip's lips; renders as ``Portrait`` does.

    Args:
        portrait: Moves the head and draws it.
        lipsync: Draws the lips.
    """

    def __init__(self, portrait: Portrait, lipsync: LipSync):
        self.portrait, self.lipsync = portrait, lipsync

    def render(
        self,
        face: str | os.PathLike,
        wav: np.ndarray,
        sampling_rate: int,
        out,
        options: PortraitOptions | None = None,
    ) -> PortraitResult:
        """Animate a photo with a sound; see ``Portrait.render``."""
        return self._twice(out, options, self.portrait.render, self.lipsync.render, face, wav, sampling_rate)

    def animate(
        self, photo: str | os.PathLike, sound: str | os.PathLike, out, options: PortraitOptions | None = None
    ) -> PortraitResult:
        """Animate a photo with the sound of a file; see ``Portrait.animate``."""
        return self._twice(out, options, self.portrait.animate, self.lipsync.sync_file, photo, sound)

    def _twice(self, out, options: PortraitOptions | None, animate, sync, face, *sound) -> PortraitResult:
        """Animate into a file, then draw the lips of that."""
        options = options or PortraitOptions()
        with tempfile.TemporaryDirectory(prefix="silvertalk") as folder:
            between = Path(folder) / Path(face).with_suffix(".mp4").name
            result = animate(face, *sound, between, replace(options, watermark=None, crf=BETWEEN_CRF))
            lips = RenderOptions(
                fps=result.fps, select=",".join(f"{value:.1f}" for value in result.bbox), gate=options.gate,
                watermark=options.watermark, crf=options.crf, preset=options.preset, cache=False,
            )  # fmt: skip
            done = sync(between, *sound, out, lips)
        return PortraitResult(done.out, done.num_frames, done.fps, result.bbox)


def load_portrait(
    expdir: str | os.PathLike = "exp",
    refine: str | None = None,
    wav2lip_exp: str | os.PathLike | None = None,
    **options,
) -> Portrait | RefinedPortrait:
    """Load what animates photos.

    Args:
        expdir: Folder of experiments.
        refine: wav2lip, or None: the lips stay as the portrait has them.
        wav2lip_exp: Folder of the generator, or a published checkpoint; None: the newest in ``expdir``.
        **options: Of ``Portrait.from_exp``.

    Raises:
        ValueError: ``refine`` is something else.
    """
    if refine not in (None, "wav2lip"):
        raise ValueError(f"refine '{refine}' is not wav2lip; leave it out for the portrait's own lips")
    if refine is None:
        return Portrait.from_exp(expdir, **options)
    generator = wav2lip_exp or newest_experiment(expdir, "wav2lip_")  # before anything slow
    portrait = Portrait.from_exp(expdir, **options)
    shared = {name: options.get(name, "auto") for name in ("device", "engine", "precision")}
    return RefinedPortrait(portrait, LipSync(generator, backend=portrait.backend, **shared))
