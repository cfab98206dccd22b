"""The voice: checks around ESPnet's GAN-TTS programs, and text to sound with what they trained."""

from silvertalk.tts.experiment import find_checkpoint, repair_experiment, resolve_config
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.g2p import choose_g2p
from silvertalk.tts.options import SpeakOptions
from silvertalk.tts.synthesizer import Synthesizer
from silvertalk.tts.text import UnknownCharacterError, find_unknown, normalize_text, read_token_list
from silvertalk.tts.training.config import check_train_config, load_train_config, min_num_samples

__all__ = [
    "SpeakOptions",
    "Synthesizer",
    "TextFrontEnd",
    "UnknownCharacterError",
    "check_train_config",
    "choose_g2p",
    "find_checkpoint",
    "find_unknown",
    "load_train_config",
    "min_num_samples",
    "normalize_text",
    "read_token_list",
    "repair_experiment",
    "resolve_config",
]
