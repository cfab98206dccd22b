"""A voice and a face that together say a text."""

import os
from collections.abc import Sequence

from silvertalk.pipeline.session import Session
from silvertalk.talker.base import Result, Talker
from silvertalk.talker.options import VideoOptions
from silvertalk.talker.registry import find_setup
from silvertalk.tts import SpeakOptions
from silvertalk.tts.default import load_voice
from silvertalk.tts.speech_file import write_texts

# More than a text takes: so much of a film is looked at before the voice begins.
SECONDS_PER_LETTER, SECONDS_MORE = 0.35, 5.0


class TalkingFace:
    """Text to a video of a face that says it.

    Args:
        voice: The voice.
        talker: The face's talker.

    Example:
        ``TalkingFace.from_exp("exp").say("good morning", face="me.mp4", out="out.mp4")``
    """

    def __init__(self, voice, talker: Talker):
        self.voice, self.talker = voice, talker

    @classmethod
    def from_exp(
        cls,
        expdir: str | os.PathLike = "exp",
        tts_exp: str | os.PathLike | None = None,
        model: str = "wav2lip",
        **options,
    ) -> "TalkingFace":
        """Load what a recipe trained.

        Args:
            expdir: Folder of experiments; the newest voice and networks in it are taken.
            tts_exp: Folder of the voice, instead.
            model: wav2lip (lips on a video or photo), makeittalk (a photo that moves), cartoon, or another's name.
            **options: Of the talker, as ``silvertalk say --model MODEL --help`` lists them: wav2lip_exp, device, ...

        Raises:
            ValueError: Another model, or an option that it does not have.
        """
        setup = find_setup(model)(expdir=str(expdir), **options)
        talker = setup.talker()  # the quicker one to miss something
        return cls(load_voice(expdir, tts_exp, setup.device), talker)

    def say(
        self,
        text: str,
        face: str | os.PathLike,
        out,
        options: VideoOptions | None = None,
        speaking: SpeakOptions | None = None,
        captions: Sequence[str | os.PathLike] = (),
    ) -> Result:
        """Make a face say a text.

        Args:
            text: What to say.
            face: Video, photo, folder of pictures, avatar or puppet.
            out: The mp4 to write, as long as the speech; see ``VideoWriter``.
            options: How to render it, of the talker's ``options``.
            speaking: How to speak.
            captions: Files of captions, .srt or .vtt, to write when the video is whole.
        """
        speed = speaking.speed if speaking else 1.0
        seconds = SECONDS_PER_LETTER * len(text) / speed + SECONDS_MORE
        session = Session(self.voice, self.talker, face, options, speaking, seconds)
        result, sentences = session.write(text, out)
        write_texts(sentences, self.voice, captions)
        return result
