"""The texts of the teacher's corpus, and stage 1 of what has been spoken."""

import re
from pathlib import Path

import pytest

from silvertalk.tts.normalise import normalise
from silvertalk.tts.normalise.hangul import FINALS, INITIALS, MEDIALS
from silvertalk.tts.teacher.corpus import read_texts

TEXTS = Path(__file__).resolve().parents[2] / "egs/kokoro/tts1/texts"
LEAST = {"ko": 1500, "en": 600}


@pytest.mark.parametrize("language", LEAST)
def test_texts_are_many_readable_and_none_of_them_is_tested(language):
    texts, tested = read_texts(TEXTS / f"{language}.txt"), read_texts(TEXTS / f"{language}_test.txt")
    assert len(texts) >= LEAST[language] and len(tested) == 50

    def letters(text):
        return re.sub(r"\W", "", normalise(text, language).text.casefold())

    assert not {*map(letters, texts)} & {*map(letters, tested)}
    assert [text for text in texts + tested if normalise(text, language).unknown] == []


def test_korean_texts_have_every_letter_in_every_place():
    codes = {ord(c) - 0xAC00 for text in read_texts(TEXTS / "ko.txt") for c in text if "가" <= c <= "힣"}
    assert {code // 588 for code in codes} == set(range(len(INITIALS)))
    assert {code % 588 // 28 for code in codes} == set(range(len(MEDIALS)))
    rare = {FINALS.index(final) for final in "ㄽㅋ"}  # 외곬, 부엌
    assert {code % 28 for code in codes} >= set(range(len(FINALS))) - rare
