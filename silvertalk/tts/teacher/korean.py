"""Korean in Kokoro's IPA: the standard pronunciation, letter by letter.

Kokoro has no Korean voice and no marks for tense and unreleased consonants. Its Hindi voices tell three kinds of stops
apart, its Japanese ones have the tempo: plain stops are written voiced, tense ones doubled. Chosen by what a recogniser
hears: see ``egs/kokoro/tts1/RESULTS.md``.
"""

import re

from silvertalk.tts.korean_pronunciation import pronounce_korean, take_apart
from silvertalk.tts.normalise.hangul import INITIALS, MEDIALS

_ONSETS = "ɡ kk n d tt ɾ m b pp s ss - ʥ ʨʨ ʨʰ kʰ tʰ pʰ h"
_VOWELS = "ɑ ɛ jɑ jɛ ɔ e jɔ je o wɑ wɛ we jo u wɔ we wi ju ɯ ɯi i"
ONSETS = dict(zip(INITIALS, _ONSETS.split(), strict=True)) | {"ㅇ": ""}
FIRST = {"ㄱ": "k", "ㄷ": "t", "ㅂ": "p", "ㅈ": "ʨ"}  # of a word; a voiced stop there is heard as a nasal
AFTER_STOP = {"ㄲ": "k", "ㄸ": "t", "ㅃ": "p", "ㅉ": "ʨ"}  # which is long enough
BEFORE_I = {"ㅅ": "ɕ", "ㅆ": "ɕɕ"}
VOWELS = dict(zip(MEDIALS, _VOWELS.split(), strict=True))
CODAS = {" ": "", "ㄱ": "k", "ㄴ": "n", "ㄷ": "t", "ㄹ": "l", "ㅁ": "m", "ㅂ": "p", "ㅇ": "ŋ"}
MARKS = ",.!?"


def spell_korean(text: str) -> list[str]:
    """Spell Korean in IPA.

    Example:
        ``spell_korean("국물이 많다")`` -> ``["k", "u", "ŋ", "m", "u", "ɾ", "i", " ", "m", "ɑ", "n", "tʰ", "ɑ"]``

    Args:
        text: Hangul, with numbers and signs written out.

    Returns:
        A token for each initial, vowel and final; words are parted by spaces, marks follow them.
    """
    tokens = []
    before = ""  # the last final, "" at the beginning of a word
    for character in pronounce_korean(re.sub(r"\s+", " ", text.strip()), link_words=False):
        if "가" <= character <= "힣":
            initial, medial, final = take_apart(character)
            tokens += [_onset(initial, medial, before), VOWELS[medial], CODAS[final]]
            before = final
        elif character in MARKS + " ":
            tokens.append(character)
            before = ""
    return [token for token in tokens if token]


def _onset(initial: str, medial: str, before: str) -> str:
    if initial in BEFORE_I and medial in "ㅣㅑㅒㅕㅖㅛㅠㅟ":
        return BEFORE_I[initial]
    if initial == "ㄹ" and before == "ㄹ":
        return "l"
    changed = FIRST if not before else AFTER_STOP if before in "ㄱㄷㅂ" else {}
    return changed.get(initial, ONSETS[initial])
