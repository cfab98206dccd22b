"""Which grapheme-to-phoneme converter a voice uses, and whether it runs here.

ESPnet's converters go by ESPnet's names. ``espeak`` is ours: eSpeak NG without phonemizer, its phonemes written into
the text before ESPnet reads it (ESPnet's own g2p is then none).
"""

import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from silvertalk.tts.espeak import pronounce

NONE = "none"
ESPEAK = "espeak"
SPACE = "<space>"  # between words, as ESPnet's converters with a space symbol write it
MARKS = ",.!?;:"

# Names of ESPnet 202511 (espnet2/text/phoneme_tokenizer.py) -> modules and NLTK data that they need.
_ENGLISH = (("g2p_en",), ("taggers/averaged_perceptron_tagger_eng", "corpora/cmudict"))
_KOREAN = (("g2pk", "mecab"), ("corpora/cmudict",))
_ESPEAK_LANGUAGES = (
    "arabic german french spanish russian greek finnish hungarian dutch english_us_vits hindi italian ukrainian polish"
)
NEEDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    NONE: ((), ()),
    ESPEAK: (("espeakng_loader",), ()),
    **dict.fromkeys(("g2p_en", "g2p_en_no_space"), _ENGLISH),
    **dict.fromkeys(("g2pk", "g2pk_no_space", "g2pk_explicit_space"), _KOREAN),
    **dict.fromkeys(("korean_jaso", "korean_jaso_no_space"), (("jamo",), ())),
    **{
        f"pyopenjtalk{kind}": (("pyopenjtalk",), ())
        for kind in ("", "_kana", "_accent", "_accent_with_pause", "_prosody")
    },
    **{f"pypinyin_g2p{kind}": (("pypinyin",), ()) for kind in ("", "_phone", "_phone_without_prosody")},
    **{f"espeak_ng_{language}": (("phonemizer",), ()) for language in _ESPEAK_LANGUAGES.split()},
    "g2p_is": (("ice_g2p",), ()),
}
# What to install for a module that is missing.
PACKAGES = {
    "mecab": "python-mecab-ko",
    "espeakng_loader": "espeakng-loader",
    "phonemizer": "phonemizer, with PHONEMIZER_ESPEAK_LIBRARY naming an eSpeak NG library",
    "ice_g2p": "ice-g2p",
}
NOT_IMPLEMENTED = {"espeak_ng_ukrainian": "ESPnet lists it but does not implement it; use espeak with --language uk"}
VOICES = {
    "en": "en-us",
    "fr": "fr-fr",
    "zh": "cmn",
    "pt": "pt-br",
}  # eSpeak's names where they differ


@dataclass(frozen=True)
class Choice:
    """A converter and why it was taken."""

    name: str
    reason: str


def choose_g2p(language: str, wanted: str = "auto") -> Choice:
    """Choose the converter of a language.

    Args:
        language: ``ko``, ``en``, ``zh`` or any other language of eSpeak NG, as ``de``.
        wanted: ``auto``, ``espeak``, or a name of ESPnet's, which is checked.

    Raises:
        ValueError: There is no converter of this name, or the language must be named for ``auto``.
        RuntimeError: The converter cannot run here; the message says what to install.
    """
    if wanted == "auto":
        return _choose(language)
    if wanted not in NEEDS:
        raise ValueError(f"no g2p '{wanted}'; there is auto, {', '.join(NEEDS)}")
    lacking = what_lacks(wanted)
    if lacking:
        raise RuntimeError(f"g2p {wanted} cannot run here: {lacking}")
    return Choice(wanted, "it was asked for")


def _choose(language: str) -> Choice:
    if language in ("auto", "none", ""):
        raise ValueError("--g2p auto needs the language: add --language ko, en, zh or another")
    if language == "zh":
        return Choice("pypinyin_g2p_phone", "Chinese: initials and finals with tones by pypinyin")
    if language != "ko":
        choose_g2p(language, ESPEAK)
        return Choice(ESPEAK, f"eSpeak NG speaks '{VOICES.get(language, language)}' without downloads")
    lacking = what_lacks("g2pk")
    if lacking:
        return Choice("korean_jaso", f"Korean letters as they are written; for pronunciation by g2pk {lacking}")
    return Choice("g2pk", "Korean pronunciation by g2pk and MeCab, which are installed")


def what_lacks(name: str) -> str:
    """Say what must be installed before a converter of ``NEEDS`` runs here; "" when it does."""
    if name in NOT_IMPLEMENTED:
        return NOT_IMPLEMENTED[name]
    modules, data = NEEDS[name]
    missing = [PACKAGES.get(module, module) for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        return f"install {' and '.join(missing)}"
    absent = [path for path in data if not _has_nltk_data(path)]
    if absent:
        return f"fetch its data: python -m nltk.downloader {' '.join(path.split('/')[1] for path in absent)}"
    return ""


def _has_nltk_data(path: str) -> bool:
    """Look where NLTK looks, without its import of some seconds."""
    folders = [Path(folder) for folder in os.environ.get("NLTK_DATA", "").split(os.pathsep) if folder]
    roots = [sys.prefix, f"{sys.prefix}/share", f"{sys.prefix}/lib", "/usr/share", "/usr/local/share", "/usr/lib"]
    folders += [Path(root) / "nltk_data" for root in (Path.home(), *roots, "/usr/local/lib")]
    return any((folder / f"{path}.zip").is_file() for folder in folders)


def phonemise(text: str, language: str) -> list[str]:
    """Turn text into eSpeak's phonemes: vowels carry their stress mark, words are parted by ``<space>``.

    Example:
        ``phonemise("Hello, you", "en")`` -> ``["h", "ə", "l", "ˈoʊ", ",", "<space>", "j", "uː"]``

    Args:
        text: Text; the marks ``, . ! ? ; :`` are kept as tokens, other marks go.
        language: As for ``choose_g2p``.
    """
    tokens: list[str] = []
    for piece in re.findall(rf"[{MARKS}]|[^{MARKS}]+", text):
        if piece in MARKS:
            tokens.append(piece)
            continue
        spoken = pronounce(piece, VOICES.get(language, language), separator="|")
        for word in spoken.split():
            tokens.extend([SPACE] if tokens else [])
            tokens.extend(phoneme for phoneme in word.split("|") if phoneme)
    return tokens
