"""English and Chinese text as it is spoken, and the choice of language."""

import pytest

from silvertalk.bin import tts_g2p
from silvertalk.tts.normalise import detect_corpus_language, detect_language, normalise
from silvertalk.tts.normalise.tokens import prepare, tokenise

ENGLISH = {
    "1,234,567": "one million two hundred thirty-four thousand five hundred sixty-seven",
    "In 1999 and 2005": "In nineteen ninety-nine and two thousand five",
    "the 1990s and 80s": "the nineteen nineties and eighties",
    "the 21st time": "the twenty-first time",
    "007": "zero zero seven",
    "3.14": "three point one four",
    "$3.50": "three dollars and fifty cents",
    "$2 million": "two million dollars",
    "£1.01": "one pound and one penny",
    "20% of 5 kg": "twenty percent of five kilograms",
    "100 km/h": "one hundred kilometers per hour",
    "5 in a row": "five in a row",
    "-5°C": "minus five degrees Celsius",
    "1/2 and 3/4": "one half and three quarters",
    "5-6 people": "five to six people",
    "1914-1918": "nineteen fourteen to nineteen eighteen",
    "2026-11-20": "November twentieth twenty twenty-six",
    "10:30 am, 5:00": "ten thirty am, five o'clock",
    "9:05 p.m.": "nine oh five p m.",
    "won 3:2": "won three to two",
    "Henry VIII": "Henry the eighth",
    "Chapter IV": "Chapter four",
    "Dr. Smith vs. Mr. Jones": "doctor Smith versus mister Jones",
    "Acme Inc.": "Acme incorporated.",
    "No. 5": "number five",
    "No. Yes": "No. Yes",
    "i.e. here": "that is here",
    "AT&T": "AT and T",
    "and/or he/she": "and or he or she",
    "me@ex.com": "me at ex dot com",
    "well-known 'quoted' don't": "well-known quoted don't",
    "010-1234-5678": "zero one zero, one two three four, five six seven eight",
    "Wait... what?!": "Wait, what?",
    "ｆｕｌｌ　ｗｉｄｔｈ": "full width",
}
CHINESE = {
    "2026年11月20日，3000元": "二零二六年十一月二十日, 三千元",
    "2个人，2月，第2次": "两个人, 二月, 第二次",
    "12000": "一万两千",
    "100200": "十万零二百",
    "10005": "一万零五",
    "15": "十五",
    "3.14": "三点一四",
    "-5℃": "零下五摄氏度",
    "30%": "百分之三十",
    "$5万": "五万美元",
    "15:30": "十五点三十分",
    "14:05": "十四点零五分",
    "1/2": "二分之一",
    "3:2": "三比二",
    "5~6次": "五到六次",
    "2kg": "两公斤",
    "2026-11-20": "二零二六年十一月二十日",
    "138-1234-5678": "一三八, 一二三四, 五六七八",
    "《书》很好。": "书很好.",
}


@pytest.mark.parametrize("text", ENGLISH)
def test_english(text):
    result = normalise(text, "en")
    assert (result.text, result.unknown) == (ENGLISH[text], [])


@pytest.mark.parametrize("text", CHINESE)
def test_chinese(text):
    result = normalise(text, "zh")
    assert (result.text, result.unknown) == (CHINESE[text], [])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_characters_of_other_scripts_are_reported(language):
    result = normalise("café 😀 안녕", language)
    assert result.text == "café"
    assert [(u.index, u.character) for u in result.unknown] == [(5, "😀"), (7, "안"), (8, "녕")]


def test_language_by_script():
    assert detect_language("Samsung의 美 공장 3곳") == "ko"
    assert detect_language("我用iPhone") == "zh"
    assert detect_language("I use 3 phones") == "en"
    assert normalise("ATM 3대").text == "에이티엠 세 대"


def test_a_language_without_a_reader_is_refused():
    with pytest.raises(ValueError, match="'xx'.*ko, en, zh"):
        normalise("a", "xx")


def test_tokens_joined_are_the_text():
    text = prepare("제3회 2026-11-20(금) 15:30, ㎏ｋ 😀 a@b.co… 1/2kg").text
    assert "".join(token.text for token in tokenise(text)) == text


@pytest.mark.parametrize("language", ["ko", "en", "zh"])
def test_empty_and_long_text(language):
    assert normalise("", language).text == ""
    assert normalise(" \n\t", language).text == ""
    assert len(normalise("3시 is 三点. " * (800 if language == "ko" else 80), language).text) > 400


def test_language_of_a_corpus_is_that_of_most_texts(tmp_path, capsys):
    assert detect_corpus_language(["안녕하세요", "ATM", "네 ♥", "R&D 3"] * 2 + ["그래요"]) == ("ko", 5, 9)
    with pytest.raises(ValueError, match="most letters of 2 texts are Cyrillic"):
        detect_corpus_language(["добрый день", "OK"])
    (tmp_path / "text").write_text("a-1 宝马配挂跛骡鞍\na-2 用 iPhone 拍照\n", encoding="utf-8")
    tts_g2p.main(["--g2p", "none", "--text", str(tmp_path / "text")])
    assert capsys.readouterr().out == "zh none\n"
    (tmp_path / "text").write_text("a-1\n")
    with pytest.raises(SystemExit, match="text: most letters of 1 texts are No: .*"):
        tts_g2p.main(["--g2p", "none", "--text", str(tmp_path / "text")])
