"""The voice: text to sound by ESPnet's models or any other synthesiser, and checks around ESPnet's training."""

from silvertalk.tts.default import load_voice
from silvertalk.tts.experiment import find_checkpoint, repair_experiment, resolve_config
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.g2p import choose_g2p
from silvertalk.tts.options import SpeakOptions
from silvertalk.tts.synthesizer import Synthesizer
from silvertalk.tts.text import UnknownCharacterError, find_unknown, normalize_text, read_token_list
from silvertalk.tts.training.config import check_train_config, load_train_config, min_num_samples
from silvertalk.tts.voice import Speech, SpokenSentence, Utterance, Voice

__all__ = [
    "SpeakOptions",
    "Speech",
    "SpokenSentence",
    "Synthesizer",
    "TextFrontEnd",
    "UnknownCharacterError",
    "Utterance",
    "Voice",
    "check_train_config",
    "choose_g2p",
    "find_checkpoint",
    "find_unknown",
    "load_train_config",
    "load_voice",
    "min_num_samples",
    "normalize_text",
    "read_token_list",
    "repair_experiment",
    "resolve_config",
]
