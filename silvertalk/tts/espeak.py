"""How eSpeak NG pronounces a text, offline.

The library and its data come with the package espeakng-loader (eSpeak NG, GPL-3.0,
https://github.com/espeak-ng/espeak-ng), called here through its C interface (speak_lib.h).
"""

import ctypes
import functools
import threading

AUDIO_OUTPUT_SYNCHRONOUS = 2  # no sound device is opened
CHARS_UTF8 = 1
PHONEMES_IPA = 0x02
SEPARATOR_SHIFT = 8  # bits 8 to 23 of the mode are the separator
_lock = threading.Lock()  # the library has one voice for the whole process


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        import espeakng_loader
    except ImportError as error:
        raise RuntimeError("eSpeak NG is missing; install the package espeakng-loader") from error
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path()
    if library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), 0) <= 0:
        raise RuntimeError(f"eSpeak NG does not start with the data in {data}; install espeakng-loader again")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    return library


def pronounce(text: str, voice: str = "en-us", separator: str = "") -> str:
    """Return the IPA of a text, its words parted by spaces, with stress marks and without punctuation.

    Args:
        text: Any text in the voice's language; numbers are read by eSpeak's own rules.
        voice: eSpeak's name of a language, as ``en-us``, ``de``, ``fr-fr``.
        separator: One character to put between the phonemes of a word.

    Raises:
        ValueError: eSpeak has no such voice.
        RuntimeError: The library is missing.
    """
    mode = PHONEMES_IPA | (ord(separator) << SEPARATOR_SHIFT if separator else 0)
    with _lock:
        library = _library()
        if library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"eSpeak NG has no voice '{voice}'")
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while rest.value:  # one clause a call; the pointer is null after the last
            clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), CHARS_UTF8, mode).decode())
    return " ".join(" ".join(clauses).split())
