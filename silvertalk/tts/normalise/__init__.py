"""Written text as it is spoken: numbers, dates, money, units, letters and symbols become words.

Every language has tables and a reader; characters without a reading are reported with their place, never dropped
silently. ``docs/TEXT.md`` lists what is read how.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

from silvertalk.tts.normalise.chinese import normalise_chinese
from silvertalk.tts.normalise.english import normalise_english
from silvertalk.tts.normalise.korean import normalise_korean
from silvertalk.tts.normalise.tokens import Normalised, Unknown, prepare

READERS: dict[str, Callable[[str], Normalised]] = {
    "ko": normalise_korean,
    "en": normalise_english,
    "zh": normalise_chinese,
}
LANGUAGES = ("auto", *READERS)
SCRIPTS = {"HANGUL", "CJK", "LATIN"}  # first words of the Unicode names of their letters


def normalise(text: str, language: str = "auto") -> Normalised:
    """Write text as it is spoken.

    Example:
        ``normalise("3시 30분", "ko").text`` -> ``"세 시 삼십 분"``

    Args:
        text: Any text.
        language: ``ko``, ``en``, ``zh``, or ``auto``: by the letters of the text.

    Returns:
        The spoken text, and the characters that have no reading in this language.

    Raises:
        ValueError: The language has no reader.
    """
    if language not in LANGUAGES:
        raise ValueError(f"no text normalisation for language '{language}'; there is {', '.join(LANGUAGES)}")
    return READERS[detect_language(text) if language == "auto" else language](text)


def detect_language(text: str) -> str:
    """Tell the language by script: Hangul means Korean, else Chinese characters Chinese, else English.

    One Hangul syllable decides, since Korean text holds Latin words and Chinese characters, but not the other way.
    """
    text = prepare(text).text
    if any("가" <= character <= "힣" or "\u3131" <= character <= "\u3163" for character in text):
        return "ko"
    return "zh" if any("\u3400" <= character <= "\u9fff" for character in text) else "en"


def detect_corpus_language(texts: Iterable[str]) -> tuple[str, int, int]:
    """Tell the language of many texts: that of most of them.

    Returns:
        The language, the number of its texts, and the number of all.

    Raises:
        ValueError: Most letters are of a script that none of the languages has, or there are none.
    """
    languages: Counter[str] = Counter()
    scripts: Counter[str] = Counter()
    for text in texts:
        languages[detect_language(text)] += 1
        scripts.update(unicodedata.name(letter, "NO NAME").split()[0] for letter in text if letter.isalpha())
    script = max(scripts, key=scripts.__getitem__, default="no")
    if script not in SCRIPTS:
        raise ValueError(f"most letters of {languages.total()} texts are {script.title()}: no language is told by that")
    language, number = languages.most_common(1)[0]
    return language, number, languages.total()


def describe(unknown: list[Unknown]) -> str:
    """Say in one line which characters are not spoken and where."""
    shown = ", ".join(f"'{u.character}' ({u.name}) at place {u.index + 1}" for u in unknown[:5])
    return shown + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")


__all__ = ["LANGUAGES", "Normalised", "Unknown", "describe", "detect_corpus_language", "detect_language", "normalise"]
