"""A voice and a generator that together make a face say a text."""

import os
from pathlib import Path

from silvertalk.tts import Synthesizer
from silvertalk.wav2lip.lipsync import LipSync, LipSyncResult
from silvertalk.wav2lip.options import RenderOptions


def newest_experiment(expdir: str | os.PathLike, prefix: str) -> Path:
    """Find the experiment of a kind that was trained last.

    Args:
        expdir: Folder of experiments, e.g. ``exp``.
        prefix: ``tts_`` or ``wav2lip_``.

    Raises:
        FileNotFoundError: There is none.
    """
    found = [
        path.parent for path in Path(expdir).glob(f"{prefix}*/latest.pth") if (path.parent / "config.yaml").is_file()
    ]
    if not found:
        stage = {"tts_": 7, "wav2lip_": 10}[prefix]
        raise FileNotFoundError(f"no trained {prefix}* in {expdir}; run stage {stage}, or name its folder")
    return max(found, key=lambda folder: (folder / "latest.pth").stat().st_mtime)


class TalkingFace:
    """Text to a video of a face that says it.

    Args:
        synthesizer: The voice.
        lipsync: The face.

    Example:
        ``TalkingFace.from_exp("exp").say("good morning", face="me.mp4", out="out.mp4")``
    """

    def __init__(self, synthesizer: Synthesizer, lipsync: LipSync):
        self.synthesizer, self.lipsync = synthesizer, lipsync

    @classmethod
    def from_exp(
        cls,
        expdir: str | os.PathLike = "exp",
        tts_exp: str | os.PathLike | None = None,
        wav2lip_exp: str | os.PathLike | None = None,
        **lipsync,
    ) -> "TalkingFace":
        """Load what a recipe trained.

        Args:
            expdir: Folder of experiments; the newest voice and generator in it are taken.
            tts_exp: Folder of the voice, instead.
            wav2lip_exp: Folder of the generator, or a published checkpoint, instead.
            **lipsync: Options of ``LipSync``: backend, device, engine, precision, batch_size.
        """
        generator = LipSync(wav2lip_exp or newest_experiment(expdir, "wav2lip_"), **lipsync)
        device = "cuda" if lipsync.get("device") == "cuda" else "cpu"
        return cls(Synthesizer.from_exp(tts_exp or newest_experiment(expdir, "tts_"), device=device), generator)

    def say(self, text: str, face: str | os.PathLike, out, options: RenderOptions | None = None) -> LipSyncResult:
        """Make a face say a text.

        Args:
            text: What to say.
            face: Video, photo, folder of pictures or avatar.
            out: The mp4 to write, as long as the speech; see ``VideoWriter``.
            options: How to render it.
        """
        wav, sampling_rate = self.synthesizer(text)
        return self.lipsync.render(face, wav, sampling_rate, out, options)
