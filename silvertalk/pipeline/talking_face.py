"""A voice and a face that together say a text."""

import os
from collections.abc import Sequence

from silvertalk.training.experiment import newest_experiment
from silvertalk.tts import SpeakOptions, Synthesizer
from silvertalk.tts.default import load_voice
from silvertalk.tts.speech_file import write_texts
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
            from silvertalk.makeittalk.portrait.portrait import Portrait

            renderer = Portrait.from_exp(expdir, **options)
        else:
            renderer = LipSync(wav2lip_exp or newest_experiment(expdir, "wav2lip_"), **options)
        return cls(load_voice(expdir, tts_exp, options.get("device", "auto")), renderer)

    def say(
        self,
        text: str,
        face: str | os.PathLike,
        out,
        options=None,
        speaking: SpeakOptions | None = None,
        captions: Sequence[str | os.PathLike] = (),
    ):
        """Make a face say a text.

        Args:
            text: What to say.
            face: Video, photo, folder of pictures or (lips only) avatar.
            out: The mp4 to write, as long as the speech; see ``VideoWriter``.
            options: How to render it: ``RenderOptions`` or ``PortraitOptions``.
            speaking: How to speak.
            captions: Files of captions, .srt or .vtt, to write when the video is whole.

        Returns:
            ``LipSyncResult`` or ``PortraitResult``.
        """
        speech = self.synthesizer.speak(text, speaking)
        result = self.renderer.render(face, speech.wav, speech.sampling_rate, out, options)
        write_texts(speech.sentences, self.synthesizer, captions)
        return result
