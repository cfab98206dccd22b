"""English words in Hangul by their sounds: 외래어 표기법 제3장 제1절 영어의 표기, its item in brackets at each rule.

The sounds are those of eSpeak NG's British voice: the rules go by British pronunciation, without r after vowels.
"""

import functools
import re

from silvertalk.tts.espeak import pronounce
from silvertalk.tts.normalise.tokens import pairs

VOICE = "en-gb-x-rp"
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"

# IPA of a vowel -> the vowels of its syllables (표 1; diphthongs by their parts, [제8항]); "short" matters for [제1항].
VOWELS = pairs(
    """
    iə ㅣㅓ, ɪə ㅣㅓ, eə ㅔㅓ, ɛə ㅔㅓ, ʊə ㅜㅓ, aɪ ㅏㅣ, eɪ ㅔㅣ, ɔɪ ㅗㅣ, aʊ ㅏㅜ, əʊ ㅗ, oʊ ㅗ, iː ㅣ,
    uː ㅜ, ɑː ㅏ, ɔː ㅗ, ɜː ㅓ, ɛː ㅔㅓ, oː ㅗ, ɪ ㅣ, i ㅣ, ɛ ㅔ, e ㅔ, æ ㅐ, a ㅐ, ɒ ㅗ, ʊ ㅜ, u ㅜ, ʌ ㅓ,
    ə ㅓ, ɘ ㅡ, ɐ ㅓ, ɔ ㅗ, o ㅗ, ɑ ㅏ, ᵻ ㅣ, y ㅟ
    """
)
SHORT = set("ɪiɛeæaɒʊuʌəɐ")
CONSONANTS = pairs(
    """
    tʃ ㅊ, dʒ ㅈ, ʦ ㅊ, p ㅍ, b ㅂ, t ㅌ, d ㄷ, k ㅋ, ɡ ㄱ, g ㄱ, f ㅍ, v ㅂ, θ ㅅ, ð ㄷ, s ㅅ, z ㅈ, ʃ ㅅ,
    ʒ ㅈ, h ㅎ, x ㅎ, m ㅁ, n ㄴ, ŋ ㅇ, l ㄹ, ɹ ㄹ, r ㄹ, ɾ ㄹ, ʔ
    """
)
GLIDES = {  # [제9항]
    "j": {"ㅏ": "ㅑ", "ㅐ": "ㅒ", "ㅓ": "ㅕ", "ㅔ": "ㅖ", "ㅗ": "ㅛ", "ㅜ": "ㅠ", "ㅣ": "ㅣ"},
    "w": {"ㅏ": "ㅘ", "ㅐ": "ㅙ", "ㅓ": "ㅝ", "ㅔ": "ㅞ", "ㅗ": "ㅝ", "ㅜ": "ㅜ", "ㅣ": "ㅟ"},
}
SH_VOWELS = pairs(
    """
    ㅏ ㅑ, ㅐ ㅒ, ㅓ ㅕ, ㅔ ㅖ, ㅗ ㅛ, ㅜ ㅠ, ㅣ ㅣ
    """
)
CODAS = {"m": "ㅁ", "n": "ㄴ", "ŋ": "ㅇ", "l": "ㄹ"}
STOP_CODAS = {"p": "ㅂ", "t": "ㅅ", "k": "ㄱ"}  # [제1항]
WITH_I = {"tʃ", "dʒ", "ʒ"}  # 치, 지 where no vowel follows [제3항 3, 제4항]

_SOUND = re.compile("|".join(sorted([*VOWELS, *CONSONANTS, "j", "w"], key=len, reverse=True)))


@functools.lru_cache(maxsize=4096)
def word_in_hangul(word: str) -> str:
    """Spell an English word in Hangul by eSpeak's pronunciation.

    Example:
        ``word_in_hangul("strike")`` -> ``"스트라이크"``
    """
    ipa = pronounce(word, VOICE)
    # [제5, 6항]: apple [æpl] 애플, garden [ɡɑːdn] 가든; eSpeak gives the syllabic l and n a vowel, written here "ɘ".
    if re.search(r"[bcdfgkptz]les?$", word.lower()):
        ipa = re.sub(r"əl(z?)$", r"ɘl\1", ipa)
    ipa = re.sub(r"(?<=[td])ən$", "ɘn", ipa)
    return sounds_in_hangul(re.sub(r"t(s)$", "ʦ", ipa))


def sounds_in_hangul(ipa: str) -> str:
    """Spell sounds in IPA in Hangul; stress and what is no English sound is passed over."""
    sounds = _SOUND.findall(re.sub(r"[ˈˌ\s]", "", ipa))
    syllables: list[list[str]] = []  # initial, medial, final
    place = 0
    while place < len(sounds):
        place = _add_sound(syllables, sounds, place)
    return "".join(compose(*syllable) for syllable in syllables)


def _add_sound(syllables: list[list[str]], sounds: list[str], place: int) -> int:
    """Spell the sound at a place, with a glide and vowel after it; return the place behind them."""
    onset, following = "", place
    if sounds[place] in CONSONANTS:
        onset, following = sounds[place], place + 1
    glide = sounds[following] if following < len(sounds) and sounds[following] in GLIDES else ""
    nucleus = following + bool(glide)
    if nucleus >= len(sounds) or sounds[nucleus] not in VOWELS:
        if glide and not onset:  # a glide without a vowel is one
            syllables.append(["ㅇ", "ㅣ" if glide == "j" else "ㅜ", " "])
            return following + 1
        _add_bare_consonant(syllables, sounds, place)
        return place + 1
    first, *others = VOWELS[sounds[nucleus]]
    _add_syllable(syllables, sounds, place, onset, glide, first)
    syllables.extend(["ㅇ", vowel, " "] for vowel in others)
    return nucleus + 1


def _add_syllable(syllables: list, sounds: list[str], place: int, onset: str, glide: str, vowel: str) -> None:
    initial = CONSONANTS.get(onset, "") or "ㅇ"
    if onset == "ŋ":  # never begins a syllable: singer 싱어
        _close(syllables, "ㅇ")
        initial = "ㅇ"
    if onset == "l" and place and sounds[place - 1] not in ("m", "n", "ŋ"):  # [제6항 2]: ㄹㄹ, slide 슬라이드
        _close(syllables, "ㄹ")
    if onset == "ʃ":
        vowel = SH_VOWELS[vowel]
    elif glide == "j" and onset in ("tʃ", "dʒ", "ʒ"):
        pass  # [제4항, 표준]: no ㅑ after ㅈ, ㅊ
    elif glide == "j" and onset and vowel in GLIDES["j"]:
        vowel = GLIDES["j"][vowel]
    elif glide == "w" and onset and onset not in ("k", "ɡ", "g", "h"):  # [제9항 1]: swing 스윙, but quick 퀵
        syllables.append([initial, "ㅡ", " "])
        initial, vowel = "ㅇ", GLIDES["w"][vowel]
    elif glide:
        vowel = GLIDES[glide][vowel]
    syllables.append([initial, vowel, " "])


def _add_bare_consonant(syllables: list, sounds: list[str], place: int) -> None:
    """Spell a consonant that no vowel follows: as a final, or with ㅡ or ㅣ."""
    sound = sounds[place]
    following = sounds[place + 1] if place + 1 < len(sounds) else ""
    before = sounds[place - 1] if place else ""
    if sound in ("m", "n") and before == "l" and place > 1 and sounds[place - 2] in VOWELS:  # [제6항 1]: film 필름
        syllables.append(["ㄹ", "ㅡ", CODAS[sound]])
        return
    if sound in CODAS and before in VOWELS and _close(syllables, CODAS[sound]):
        return
    # [제1항 1, 2]: voiceless stops after a short vowel, before the end or a consonant that is no liquid or nasal.
    ends = not following or following in CONSONANTS and following not in ("l", "ɹ", "r", "m", "n", "ŋ")
    if sound in STOP_CODAS and before in SHORT and ends and _close(syllables, STOP_CODAS[sound]):
        return
    if sound == "ʃ":  # [제3항 2]: flash 플래시, shrub 슈러브
        syllables.append(["ㅅ", "ㅠ" if following in CONSONANTS and following else "ㅣ", " "])
    elif CONSONANTS[sound]:
        if sound == "l" and syllables:
            _close(syllables, "ㄹ")
        syllables.append([CONSONANTS[sound], "ㅣ" if sound in WITH_I else "ㅡ", " "])


def _close(syllables: list, final: str) -> bool:
    """Give the last syllable a final, where it has none."""
    if not syllables or syllables[-1][2] != " ":
        return False
    syllables[-1][2] = final
    return True


def compose(initial: str, medial: str, final: str = " ") -> str:
    """Compose a Hangul syllable of its letters; final " " is none."""
    return chr(0xAC00 + (INITIALS.index(initial) * 21 + MEDIALS.index(medial)) * 28 + FINALS.index(final))


def has_final(syllable: str) -> bool:
    """Whether a Hangul syllable ends in a consonant."""
    return "가" <= syllable <= "힣" and (ord(syllable) - 0xAC00) % 28 > 0
