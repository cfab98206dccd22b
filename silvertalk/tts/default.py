"""Which voice speaks when none is named."""

import logging
import os
from pathlib import Path

from silvertalk.training.experiment import newest_experiment
from silvertalk.tts.synthesizer import Synthesizer

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
    expdir: str | os.PathLike, exp_dir: str | os.PathLike | None = None, device: str = "auto", **options
) -> Synthesizer:
    """Load a voice.

    Args:
        expdir: Folder of experiments, for ``default_voice``.
        exp_dir: Folder of the voice, instead.
        device: auto, cpu or cuda; auto is the processor, on which a voice is quicker than it speaks.
        **options: Of ``Synthesizer``: engine, precision, num_threads.

    Raises:
        FileNotFoundError: There is no such voice.
    """
    device = "cuda" if device.startswith("cuda") else "cpu"
    return Synthesizer.from_exp(exp_dir or default_voice(expdir), device=device, **options)
