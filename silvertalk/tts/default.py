"""Which voice speaks when none is named."""

import logging
import os
from pathlib import Path

from silvertalk.training.experiment import newest_experiment
from silvertalk.tts.registry import open_voice
from silvertalk.tts.voice import Voice

# Comes with the package; egs/kathleen trains it.
SHIPPED = Path(__file__).resolve().parents[1] / "voices" / "en_kathleen"


def default_voice(expdir: str | os.PathLike) -> Path:
    """The folder of the voice that was trained last; without one, of the English voice that comes with Silvertalk."""
    try:
        return newest_experiment(expdir, "tts_")
    except FileNotFoundError as error:
        logging.info("%s; the English voice that comes with Silvertalk speaks", error)
        return SHIPPED


def load_voice(
    expdir: str | os.PathLike, voice: str | os.PathLike | None = None, device: str = "auto", **options
) -> Voice:
    """Load a voice.

    Args:
        expdir: Folder of experiments, for ``default_voice``.
        voice: Folder of the voice, or the name of one that is installed, instead; see ``open_voice``.
        device: auto, cpu or cuda; auto is the processor, on which a voice is quicker than it speaks.
        **options: What the voice takes; one of ESPnet's: engine, precision, num_threads, vocoder_file.

    Raises:
        FileNotFoundError: There is no such voice.
    """
    device = "cuda" if device.startswith("cuda") else "cpu"
    return open_voice(voice or default_voice(expdir).absolute(), device=device, **options)
