"""The standard's own examples (표준 발음법), article by article."""

import csv
from pathlib import Path

import pytest

from silvertalk.tts.korean_pronunciation import pronounce_korean

with open(Path(__file__).parent / "korean_pronunciation_cases.tsv", encoding="utf-8") as file:
    CASES = list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['article']} {case['written']}")
def test_case(case):
    assert pronounce_korean(case["written"]) == case["pronounced"]


def test_there_are_enough_cases_of_every_article():
    assert len(CASES) >= 200
    articles = " ".join(case["article"] for case in CASES)
    for article in (5, *range(8, 22), *range(23, 31)):
        assert f"{article}항" in articles.replace("·", "항 ")


def test_only_the_seven_finals_are_left_and_spaces_and_marks_stay():
    text = "값 있는 닭, 흙! 앞뒤로 꽃잎이 흩어졌다? 옳지."
    spoken = pronounce_korean(text)
    finals = {(ord(letter) - 0xAC00) % 28 for letter in spoken if "가" <= letter <= "힣"}
    assert finals <= {0, 1, 4, 7, 8, 16, 17, 21}
    assert [c for c in spoken if not "가" <= c <= "힣"] == [c for c in text if not "가" <= c <= "힣"]


def test_a_mark_parts_phrases():
    assert pronounce_korean("꽃, 위") == "꼳, 위"


def test_words_may_stay_apart():
    assert pronounce_korean("꽃 위, 책 넣는다", link_words=False) == "꼳 위, 챙 넌는다"


def test_nothing_and_other_scripts_stay():
    assert pronounce_korean("") == "" and pronounce_korean("ABC 12") == "ABC 12"
