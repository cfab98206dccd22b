"""A voice and a face that together say a text."""

import os

from silvertalk.tts import Synthesizer
from silvertalk.utils.experiment import newest_experiment
from silvertalk.wav2lip.lipsync import LipSync

MODELS = ("wav2lip", "makeittalk")


class TalkingFace:
    """Text to a video of a face that says it.

    Args:
        synthesizer: The voice.
        renderer: The face: ``LipSync``, ``Portrait`` or ``RefinedPortrait``.

    Example:
        ``TalkingFace.from_exp("exp").say("good morning", face="me.mp4", out="out.mp4")``
    """

    def __init__(self, synthesizer: Synthesizer, renderer):
        self.synthesizer, self.renderer = synthesizer, renderer

    @classmethod
    def from_exp(
        cls,
        expdir: str | os.PathLike = "exp",
        tts_exp: str | os.PathLike | None = None,
        wav2lip_exp: str | os.PathLike | None = None,
        model: str = "wav2lip",
        **options,
    ) -> "TalkingFace":
        """Load what a recipe trained.

        Args:
            expdir: Folder of experiments; the newest voice and networks in it are taken.
            tts_exp: Folder of the voice, instead.
            wav2lip_exp: Folder of the generator, or a published checkpoint, instead.
            model: wav2lip (lips on a video or photo) or makeittalk (a photo that moves).
            **options: Of ``LipSync``, or of ``Portrait.from_exp``: device, engine, precision, ...

        Raises:
            ValueError: Another model.
        """
        if model not in MODELS:
            raise ValueError(f"model '{model}' is none of {', '.join(MODELS)}")
        if model == "makeittalk":
            from silvertalk.makeittalk.portrait import Portrait

            renderer = Portrait.from_exp(expdir, **options)
        else:
            renderer = LipSync(wav2lip_exp or newest_experiment(expdir, "wav2lip_"), **options)
        return cls(load_voice(expdir, tts_exp, options.get("device", "auto")), renderer)

    def say(self, text: str, face: str | os.PathLike, out, options=None):
        """Make a face say a text.

        Args:
            text: What to say.
            face: Video, photo, folder of pictures or (lips only) avatar.
            out: The mp4 to write, as long as the speech; see ``VideoWriter``.
            options: How to render it: ``RenderOptions`` or ``PortraitOptions``.

        Returns:
            ``LipSyncResult`` or ``PortraitResult``.
        """
        wav, sampling_rate = self.synthesizer(text)
        return self.renderer.render(face, wav, sampling_rate, out, options)


def load_voice(expdir: str | os.PathLike, tts_exp: str | os.PathLike | None, device: str = "auto") -> Synthesizer:
    """Load a voice, the newest of a folder of experiments unless one is named."""
    return Synthesizer.from_exp(
        tts_exp or newest_experiment(expdir, "tts_"), device="cuda" if device == "cuda" else "cpu"
    )
