"""Korean in Kokoro's IPA: the standard pronunciation, letter by letter.

Kokoro has no Korean voice and no marks for tense and unreleased consonants. Chosen by what a recogniser hears: see
``egs/kokoro/tts1/RESULTS.md``.
"""

import re

from silvertalk.tts.korean_pronunciation import pronounce_korean, take_apart
from silvertalk.tts.korean_words import respell
from silvertalk.tts.normalise.hangul import INITIALS, MEDIALS

# After silence and after voiceless sounds.
_ONSETS = "k kk n t tt ɾ m p pp s ss - ʨ tʨ ʨʰ kʰ tʰ pʰ h"
ONSETS = dict(zip(INITIALS, _ONSETS.split(), strict=True)) | {"ㅇ": ""}
VOICED = {"ㄱ": "ɡ", "ㄷ": "d", "ㅂ": "b", "ㅈ": "ʥ"}  # between voiced sounds
BEFORE_I = {"ㅅ": "ɕ", "ㅆ": "ɕɕ"}
_VOWELS = "a ɛ ja jɛ ʌ e jʌ je o wa wɛ we jo u wʌ we wi ju ɯ ɯi i"
VOWELS = dict(zip(MEDIALS, _VOWELS.split(), strict=True))
CODAS = {" ": "", "ㄱ": "k", "ㄴ": "n", "ㄷ": "t", "ㄹ": "l", "ㅁ": "m", "ㅂ": "p", "ㅇ": "ŋ"}
MARKS = ",.!?"


def spell_korean(text: str) -> list[str]:
    """Spell Korean in IPA.

    Example:
        ``spell_korean("국물이 많다")`` -> ``["k", "u", "ŋ", "m", "u", "ɾ", "i", " ", "m", "a", "n", "tʰ", "a"]``

    Args:
        text: Hangul, with numbers and signs written out.

    Returns:
        A token for each initial, vowel and final; words are parted by spaces, marks follow them.
    """
    written = respell(re.sub(r"\s+", " ", text.strip()))
    spoken = pronounce_korean(written)
    tokens = []
    voiced, before = False, " "  # whether the last sound was, and the last final
    for place, character in enumerate(spoken):
        if not "가" <= character <= "힣":
            linked = character == " " and _initial(spoken, place + 1) != _initial(written, place + 1) == "ㅇ"
            tokens += [character] if character in MARKS + " " and not linked else []
            voiced = voiced and character == " "
            continue
        initial, medial, final = take_apart(character)
        tokens += [_onset(initial, medial, before, voiced), VOWELS[medial], CODAS[final]]
        voiced, before = final in " ㄴㄹㅁㅇ", final
    return [token for token in tokens if token]


def _initial(text: str, place: int) -> str:
    """The initial of the syllable at a place; "" where there is none."""
    return take_apart(text[place])[0] if "가" <= text[place : place + 1] <= "힣" else ""


def _onset(initial: str, medial: str, before: str, voiced: bool) -> str:
    if initial in BEFORE_I and medial in "ㅣㅑㅒㅕㅖㅛㅠㅟ":
        return BEFORE_I[initial]
    if initial == "ㄹ" and before == "ㄹ":
        return "l"
    return VOICED[initial] if voiced and initial in VOICED else ONSETS[initial]
