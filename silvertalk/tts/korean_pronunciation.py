"""How written Korean is pronounced, in Hangul: the standard pronunciation (표준 발음법, 문화체육관광부 고시).

The regular rules are worked out on syllables; what depends on the meaning or the making of a word (제24 to 제29항) goes
by the tables of ``korean_words``. Where the standard allows two pronunciations, the one that is easier to understand is
taken. Words of one phrase are joined (꽃 위 [꼬 뒤], 제15항); a mark parts phrases.

``test/tts/korean_pronunciation_cases.tsv`` has the standard's own examples, each with its article.
"""

import re
from dataclasses import dataclass

from silvertalk.tts.korean_words import respell
from silvertalk.tts.normalise.hangul import FINALS, INITIALS, MEDIALS, compose

NONE = " "
REPRESENTATIVE = dict(  # 제9항, and the simple ones of 제10, 11항
    zip("ㄲㅋㅅㅆㅈㅊㅌㅍㄳㄵㄼㄽㄾㅄㄺㄻㄿ", "ㄱㄱㄷㄷㄷㄷㄷㅂㄱㄴㄹㄹㄹㅂㄱㅁㅂ", strict=True)
)
SPLIT = {  # what stays, and what goes over to the next syllable (제14항)
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
}  # fmt: skip
TENSE = dict(zip("ㄱㄷㅂㅅㅈ", "ㄲㄸㅃㅆㅉ", strict=True))
ASPIRATED = dict(zip("ㄱㄷㅂㅈ", "ㅋㅌㅍㅊ", strict=True))
NASAL = {"ㄱ": "ㅇ", "ㄷ": "ㄴ", "ㅂ": "ㅁ"}
STEMS_IN_LG = "맑읽굵밝늙긁붉묽얽갉낡옭"  # verbs, whose ㄺ is ㄹ before ㄱ (제11항)
I_GLIDES = "ㅣㅕ"  # before which ㄷ and ㅌ become ㅈ and ㅊ (제17항)
_WORD = re.compile(r"[가-힣]+")


@dataclass
class _Syllable:
    initial: str
    medial: str
    final: str
    begins_word: bool
    index: int  # in the text
    written: str

    def __str__(self) -> str:
        return compose(self.initial, self.medial, self.final)


def pronounce_korean(text: str, link_words: bool = True) -> str:
    """Write Korean as it is pronounced.

    Example:
        ``pronounce_korean("국물이 없어요.")`` -> ``"궁무리 업써요."``

    Args:
        text: Hangul with numbers and signs written out (``silvertalk.tts.normalise``); other characters stay.
        link_words: Let a final go over to a vowel of the next word (꽃 위 [꼬 뒤]); else words stay clear ([꼳 위]).

    Returns:
        Hangul with the seven finals ㄱㄴㄷㄹㅁㅂㅇ, with as many characters as what ``respell`` makes of the text.
    """
    return "".join(_pronounce_phrase(phrase, link_words) for phrase in re.split(r"([^가-힣 ]+)", respell(text)))


def _pronounce_phrase(text: str, link_words: bool) -> str:
    syllables = [
        _Syllable(*take_apart(letter), place == 0, match.start() + place, letter)
        for match in _WORD.finditer(text)
        for place, letter in enumerate(match[0])
    ]
    if not syllables:
        return text
    for syllable in syllables:
        _simplify_vowel(syllable)
    for here, following in zip(syllables, syllables[1:], strict=False):
        _join(here, following, link_words)
    last = syllables[-1]
    last.final = _closed(last.final.replace("ㄶ", "ㄴ").replace("ㅀ", "ㄹ").replace("ㅎ", "ㄷ"))
    letters = list(text)
    for syllable in syllables:
        letters[syllable.index] = str(syllable)
    return "".join(letters)


def take_apart(syllable: str) -> tuple[str, str, str]:
    """Letters of a Hangul syllable: initial, vowel, final (" " is none)."""
    code = ord(syllable) - 0xAC00
    return INITIALS[code // 588], MEDIALS[code % 588 // 28], FINALS[code % 28]


def _simplify_vowel(s: _Syllable) -> None:
    """제5항: 져 쪄 쳐, 예 and 례 apart from other ㅖ, and 의."""
    if s.medial == "ㅕ" and s.initial in "ㅈㅉㅊ":
        s.medial = "ㅓ"
    elif s.medial == "ㅖ" and s.initial not in "ㅇㄹㄴ":  # 녜: 상견례 [상견녜]
        s.medial = "ㅔ"
    elif s.medial == "ㅢ" and (s.initial != "ㅇ" or not s.begins_word):
        s.medial = "ㅣ"


def _join(here: _Syllable, following: _Syllable, link_words: bool) -> None:
    """Apply what happens between a final and the next initial."""
    if here.final == NONE:
        return
    if following.initial == "ㅇ":
        _link(here, following, link_words)
    else:
        _weaken_h(here, following)
        _meet(here, following)


def _link(here: _Syllable, following: _Syllable, link_words: bool) -> None:
    """제13 to 제17항: a final before a vowel."""
    final = here.final
    if following.begins_word:  # 제15항; nasals and ㄹ keep their place
        final = _closed(final.replace("ㄶ", "ㄴ").replace("ㅀ", "ㄹ").replace("ㅎ", "ㄷ"))
        here.final = final
        if final in NASAL and link_words:
            here.final, following.initial = NONE, final
        return
    if final in "ㅎㅇ":  # 제12항 4; ㅇ stays
        here.final = NONE if final == "ㅎ" else final
        return
    stays, goes = SPLIT.get(final, NONE + final)
    if goes == "ㅎ":  # 제12항 4: 많아 [마나]
        stays, goes = NONE, stays
    elif goes == "ㅅ" and stays != NONE:  # 제14항: 값을 [갑쓸]
        goes = "ㅆ"
    if following.medial in I_GLIDES and goes in "ㄷㅌ":  # 제17항
        goes = "ㅈ" if goes == "ㄷ" else "ㅊ"
        if following.medial == "ㅕ":
            following.medial = "ㅓ"
    here.final, following.initial = stays, goes


def _weaken_h(here: _Syllable, following: _Syllable) -> None:
    """제12항: ㅎ on either side, and 제17항 붙임: 닫히다 [다치다]."""
    if here.final in ("ㅎ", "ㄶ", "ㅀ"):
        here.final = {"ㅎ": NONE, "ㄶ": "ㄴ", "ㅀ": "ㄹ"}[here.final]
        if following.initial in ASPIRATED:
            following.initial = ASPIRATED[following.initial]
        elif following.initial == "ㅅ":
            following.initial = "ㅆ"
        elif here.final == NONE:  # 놓는 [논는]
            here.final = "ㄴ" if following.initial in "ㄴㅁ" else "ㄷ"
            if following.initial == "ㅎ":
                here.final, following.initial = NONE, "ㅌ"
        return
    if following.initial != "ㅎ":
        return
    stays, goes = SPLIT.get(here.final, NONE + here.final)
    if following.begins_word or here.final in "ㅅㅆㅊㅌ" or here.final in ("ㄳ", "ㅄ", "ㄽ", "ㄾ"):
        stays, goes = NONE, _closed(here.final)  # 옷 한 벌 [오탄벌]
    elif goes == "ㄷ" and following.medial in I_GLIDES:  # 굳히다 [구치다]
        goes = "ㅈ"
    if goes == "ㅈ":
        following.medial = following.medial.replace("ㅕ", "ㅓ")
    if goes in ASPIRATED:
        here.final, following.initial = stays, ASPIRATED[goes]


def _meet(here: _Syllable, following: _Syllable) -> None:
    """제10, 11, 18 to 20, 23, 25항: a final before a consonant."""
    final, initial = here.final, following.initial
    if initial in TENSE and _makes_tense(here, following):
        initial = TENSE[initial]
    if final == "ㄺ" and following.initial == "ㄱ" and here.written in STEMS_IN_LG:  # 제11항 다만
        final = "ㄹ"
    elif final == "ㄼ" and here.written == "밟":  # 제10항 다만
        final = "ㅂ"
    final = _closed(final)
    if initial == "ㄹ" and final in "ㄱㄷㅂㅁㅇ":  # 제19항
        initial = "ㄴ"
    if initial == "ㄹ" and final == "ㄴ" or initial == "ㄴ" and final == "ㄹ":  # 제20항
        final, initial = "ㄹ", "ㄹ"
    if initial in "ㄴㅁ" and final in NASAL:  # 제18항
        final = NASAL[final]
    here.final, following.initial = final, initial


def _makes_tense(here: _Syllable, following: _Syllable) -> bool:
    """제23항: after ㄱ, ㄷ, ㅂ; 제24, 25항: after the double finals of verbs (and not of 삶)."""
    if _closed(here.final) in NASAL:
        return True
    if here.final == "ㄻ":
        causes = here.written in "굶옮곪" and following.written == "기"  # 옮기다 [옴기다], 제24항 다만
        return not causes and here.written != "삶" and following.initial in "ㄱㄷㅅㅈ" and not following.begins_word
    return here.final in ("ㄵ", "ㄼ", "ㄾ") and following.initial in "ㄱㄷㅅㅈ" and here.written not in "덟"


def _closed(final: str) -> str:
    """One of the seven finals (제8 to 11항)."""
    return REPRESENTATIVE.get(final, final)
