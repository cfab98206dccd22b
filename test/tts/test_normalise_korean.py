"""Korean text as it is spoken: the case table, and what holds for any text."""

import csv
import random
import re
from pathlib import Path

import pytest

from silvertalk.tts.normalise import normalise
from silvertalk.tts.normalise.hangul import word_in_hangul
from silvertalk.tts.normalise.korean_numbers import native_korean, sino_korean

SPOKEN = re.compile(r"[가-힣 ,.?!]*")
TABLE = Path(__file__).with_name("korean_cases.tsv")
SAMPLES = (
    "0 1 5 12 30 2026 3,000 0.5 . , ? ! ~ - – : / · % ℃ kg km/h $ ₩ ( ) \" ' ㅋㅋ ㅠ ㄱ 가 안녕 제 시 분 번 명 개 살 "
    "만 억 여 에 은 대 년 월 일 출구 A ATM kg iPhone & @ # + = × < > * _ … ... 😀 漢 美 Ⅳ II ½ ① ☂ \u200b ♥ é ß α "
    "www.a.com a@b.co 010-1234-5678 15:30 3:2 1/2 2026-11-20 1.2.3 6·25 운동 AM PM USD ° \n \t ９ ٣ ﷺ"
)
ATOMS = SAMPLES.split(" ")


def read_cases():
    with open(TABLE, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def random_texts(count):
    rng = random.Random(6)
    for _ in range(count):
        yield "".join(rng.choice(ATOMS) + " " * (rng.random() < 0.3) for _ in range(rng.randint(1, 7)))


def test_the_table_is_large_and_cites_a_rule_for_every_case():
    cases = read_cases()
    assert len(cases) >= 300
    assert len({case["input"] for case in cases}) == len(cases)
    assert all(case["rule"] for case in cases)


@pytest.mark.parametrize("rule", sorted({case["rule"] for case in read_cases()}))
def test_every_case_of_the_table(rule):
    cases = [case for case in read_cases() if case["rule"] == rule]
    spoken = {case["input"]: normalise(case["input"], "ko") for case in cases}
    assert {text: result.text for text, result in spoken.items()} == {case["input"]: case["expected"] for case in cases}
    assert not any(result.unknown for result in spoken.values())


def test_spoken_text_is_hangul_and_stays_as_it_is():
    for text in [*random_texts(1500), *(case["expected"] for case in read_cases())]:
        spoken = normalise(text, "ko").text
        assert SPOKEN.fullmatch(spoken), (text, spoken)
        assert normalise(spoken, "ko").text == spoken, text


def test_no_character_is_lost_silently():
    # Any printable character between two words is heard, is a mark of the documented tables, or is reported.
    from silvertalk.tts.normalise import korean_tables as table

    quiet = table.PAUSES | table.SILENT | set(" .?!-…–~_")
    plain = normalise("가 나", "ko").text
    for code in [*range(0x21, 0x250), *range(0x370, 0x3D0), *range(0x2010, 0x2700), *range(0x1F600, 0x1F650)]:
        character = chr(code)
        result = normalise(f"가 {character} 나", "ko")
        known = result.text != plain or character.isspace() or not character.isprintable()
        reported = [u.character for u in result.unknown] == [character]
        folded = set(normalise_form(character)) <= quiet
        assert known or reported or folded, f"U+{code:04X} {character}"


def normalise_form(character):
    from silvertalk.tts.normalise.tokens import prepare

    return prepare(character).text.strip()


def test_every_digit_is_heard():
    for number in (0, 7, 10, 45, 101, 2026, 30000, 12345678):
        for frame in ("{}", "가{}나", "{}명", "{}번 버스", "제{}장", "{}kg", "({})", "₩{}", "약 {}여 개", "{}~{}개"):
            text = frame.format(number, number + 1)
            assert normalise(text, "ko").text != normalise(frame.format("", ""), "ko").text, text


def test_unknown_characters_come_with_their_place_and_name():
    result = normalise("안녕 😀 반가워ㅠㅠ", "ko")
    assert result.text == "안녕 반가워"
    assert [(u.index, u.character) for u in result.unknown] == [(3, "😀"), (8, "ㅠ"), (9, "ㅠ")]
    assert result.unknown[0].name == "GRINNING FACE"
    # Places are those of the text as given, whatever was folded before them.
    decomposed = "한글 ㎏ ♥"
    assert [decomposed[u.index] for u in normalise(decomposed, "ko").unknown] == ["♥"]


def test_a_gloss_in_hanja_is_reported_and_the_word_keeps_its_particle():
    result = normalise("한자(漢字)는", "ko")
    assert result.text == "한자는"
    assert "".join(u.character for u in result.unknown) == "漢字"


def test_numbers_agree_with_the_other_way_of_counting():
    from num2words import num2words

    rng = random.Random(1)
    for number in [*range(100), *(rng.randrange(10**12) for _ in range(200))]:
        assert sino_korean(number).replace(" ", "") == num2words(number, lang="ko").replace(" ", ""), number
    assert len({native_korean(number) for number in range(1, 100)}) == 99


def test_english_words_by_their_sounds():
    assert [word_in_hangul(word) for word in ("strike", "swing", "film", "slide", "keats", "shrub")] == [
        "스트라이크",
        "스윙",
        "필름",
        "슬라이드",
        "키츠",
        "슈러브",
    ]
