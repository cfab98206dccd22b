"""Speak a sentence with eSpeak NG and tell when each phoneme begins.

The library and its data come with the package espeakng-loader (eSpeak NG,
GPL-3.0, https://github.com/espeak-ng/espeak-ng), called here through its C
interface (speak_lib.h).
"""

import _ctypes
import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

VOICE = b"en-us"
WORDS_PER_MINUTE = 150
AUDIO_OUTPUT_SYNCHRONOUS = 2
OPTION_PHONEME_EVENTS = 1
PARAMETER_RATE = 1
CHARS_UTF8 = 1
EVENT_END, EVENT_PHONEME = 0, 7


@dataclass
class Phoneme:
    """One spoken sound."""

    symbol: str  # eSpeak's mnemonic, e.g. "A:" or "p"; "" is silence
    start: float  # seconds
    end: float  # seconds


class _Event(ctypes.Structure):
    """``espeak_EVENT``; the last field is the part of its union that phonemes use."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("symbol", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@contextlib.contextmanager
def _engine() -> Iterator[tuple[ctypes.CDLL, int]]:
    """Start eSpeak NG and unload it afterwards: the library and its rate (Hz).

    What it says depends on what it has said before, by its oscillators' phases;
    only a freshly loaded library speaks a sentence always alike.
    """
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data_path = espeakng_loader.get_data_path().encode()
    try:
        rate = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data_path, OPTION_PHONEME_EVENTS)
        if rate <= 0:
            raise RuntimeError(f"eSpeak NG does not start with the data in {data_path}; install espeakng-loader again")
        if library.espeak_SetVoiceByName(VOICE):
            raise RuntimeError(f"eSpeak NG has no voice '{VOICE.decode()}'; install espeakng-loader again")
        library.espeak_SetParameter(PARAMETER_RATE, WORDS_PER_MINUTE, 0)
        yield library, rate
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)


def speak(text: str) -> tuple[np.ndarray, int, list[Phoneme]]:
    """Speak a sentence.

    Args:
        text: English.

    Returns:
        float32 (T,) in [-1, 1], its rate (Hz), and the phonemes in order,
        which cover the sound from 0 to its end without gaps.
    """
    chunks: list[np.ndarray] = []
    begins: list[tuple[float, str]] = []

    def collect(samples, count, events):
        if samples and count:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in _until_end(events):
            if event.type == EVENT_PHONEME:
                begins.append((event.audio_position / 1000, event.symbol.decode("utf-8", "replace").strip("_:| ")))
        return 0

    callback = _Callback(collect)  # kept alive until the call is over
    message = text.encode()
    with _engine() as (library, rate):
        library.espeak_SetSynthCallback(callback)
        library.espeak_Synth(message, len(message) + 1, 0, 1, 0, CHARS_UTF8, None, None)
        library.espeak_Synchronize()
    if not chunks:
        raise RuntimeError(f"eSpeak NG made no sound of '{text}'")
    wav = np.concatenate(chunks).astype(np.float32) / 32768
    return wav, rate, _phonemes(begins, len(wav) / rate)


def _until_end(events):
    """Yield the events of a callback; the list ends with one of type EVENT_END."""
    index = 0
    while events[index].type != EVENT_END:
        yield events[index]
        index += 1


def _phonemes(begins: list[tuple[float, str]], duration: float) -> list[Phoneme]:
    """Turn begin times into intervals that cover the whole sound (seconds)."""
    begins = [(0.0, ""), *sorted(begins, key=lambda item: item[0])]
    ends = [start for start, _ in begins[1:]] + [duration]
    return [Phoneme(symbol, start, end) for (start, symbol), end in zip(begins, ends, strict=True) if end > start]
