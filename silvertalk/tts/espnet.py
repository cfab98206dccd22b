"""ESPnet without its chatter."""

import argparse
import contextlib
import io
import logging
from collections.abc import Iterator

from silvertalk.tts.training.config import UPSAMPLING


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence ESPnet's imports and the building of its models.

    It imports its English g2p whether it is used or not, which looks for NLTK data and prints when there is no
    network, and it logs whole networks.
    """
    chatter = io.StringIO()
    root = logging.getLogger()
    level = root.level
    try:
        root.setLevel(max(level, logging.WARNING))
        with contextlib.redirect_stderr(chatter), contextlib.redirect_stdout(chatter):
            yield
    finally:
        root.setLevel(level)
        logging.debug("while ESPnet was loaded: %s", chatter.getvalue())


def load_task(config: dict) -> type:
    """Import ESPnet's task of a voice: GAN-TTS for models of sound, TTS for those of spectrograms.

    Args:
        config: Its config.yaml (``resolve_config``).
    """
    with quiet():
        if config["tts"] in UPSAMPLING:
            from espnet2.tasks.gan_tts import GANTTSTask as Task
        else:
            from espnet2.tasks.tts import TTSTask as Task
    return Task


def build_model(config: dict):
    """Build ESPnet's model of a voice with its start values.

    Args:
        config: Its config.yaml (``resolve_config``).
    """
    task = load_task(config)
    with quiet():
        return task.build_model(argparse.Namespace(**config))
