"""Where text is cut."""

import pytest

from silvertalk.tts.sentences import break_line, divide, split_text, width

# Sentences parted by |: every cut, and every place that looks like one and is none.
CASES = [
    # English
    "One. |Two! |Three?",
    "Dr. Kim met Mrs. Lee at St. Mary's. |They talked.",
    "It costs $3.50, or 2.5 kg. |Cheap!",
    "We met on Nov. 20, 2026. |It rained.",
    "He lives in the U.S. and works at 9 a.m. on Mondays. |Really?",
    "Read e.g. chapter 3.2. |Then stop.",
    "See No. 5 and vol. 2. |No. |I won't.",
    "J. R. Smith wrote it. |Nobody read it.",
    "Apples, pears, etc. |Then we left.",
    "Apple Inc. CEO Smith spoke. |Nobody listened.",
    "Visit www.example.com. |Mail me@example.com. |Version 1.2.3 is out.",
    "“Come in.” |She came in.",
    '"Really?" he asked. |"Yes." |She left.',
    "He came (at last!) and sat down. |(Nobody saw it.) |Then he left.",
    "What?! |No way!!! |Well... I see... |But no.",
    "A smile :( breaks nothing. |Right?",
    'He left."Why?" she asked. |Nobody knew.',
    "all is small. |no capitals here. |right?",
    "1. Apples are red. |They are sweet.",
    "Wait for it… nothing. |Done",
    "The price was 5. |They paid.",
    # Korean
    "안녕하세요. |오늘은 2026. 11. 20. 금요일입니다. |3.1절은 3. 1. 입니다. |끝.",
    "3시 30분에 만나요! |15.5kg이에요. |정말요?",
    "“안녕하세요.”라고 말했다. |그리고 갔다.",
    '"어디 가세요?" 라고 물었다. |"집에요."',
    "그는 (정말?) 갔다. |그게... 뭐더라. |음… 그래요.",
    "비가 왔다.|그래서 쉬었다.",
    "Dr. 김이 왔다. |iPhone은 비싸다. |Wi-Fi가 된다.",
    "「좋아요。」|그래요。",
    "마감은 2026-11-20. |잊지 마세요.",
    # Chinese
    "你好。|今天是2026年11月20日！|真的吗？|是的。",
    "他说：“你好。”|然后走了。",
    "他来了。|“你好！”|她说。",
    "圆周率是3.14。|对吗？！|对。",
]


@pytest.mark.parametrize("case", CASES)
def test_sentences_end_where_a_reader_pauses(case):
    found = [sentence.text for sentence in split_text(case.replace("|", ""))]
    assert found == [sentence.strip() for sentence in case.split("|")]


def test_how_a_sentence_ends():
    sentences = split_text("A b. C d? E f! G h... J k\n\n  K l.  \r\n")
    assert [s.ending for s in sentences] == [".", "?", "!", "…", "\n", "\n"]
    assert [s.number for s in sentences] == [1, 2, 3, 4, 5, 6] and sentences[5].text == "K l."
    assert split_text(" \n\n") == []
    with pytest.raises(ValueError, match="5 columns.*give 20 or more"):
        split_text("a", 5)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 500,
        "a" * 2000,
        "가나다라 마바사, " * 300,
        "天" * 1000,
        "I said, 3,000 times, that " * 100,
        "각" * 1000,
        "😀" * 500,
    ],
)
def test_long_text_is_cut_into_pieces_that_can_be_spoken(text):
    pieces = [sentence.text for sentence in split_text(text)]
    assert max(map(width, pieces)) <= 200
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert sum(width(piece) > 40 for piece in pieces) >= 0.9 * len(pieces)  # no crumbs


def test_long_sentences_are_cut_at_commas_first():
    text = "When the rain had stopped, the children went to the park, where, on a wet bench, 3,000 ants were walking."
    pieces = divide(text, ".", lambda piece: width(piece) <= 60)
    assert pieces == [
        ("When the rain had stopped, the children went to the park,", ","),
        ("where, on a wet bench, 3,000 ants were walking.", "."),
    ]
    pieces = divide("one two three four", ".", lambda piece: width(piece) <= 10)
    assert pieces == [("one two", ""), ("three four", ".")]


def test_decomposed_hangul_is_no_wider_and_is_never_torn():
    import unicodedata

    text = unicodedata.normalize("NFD", "각" * 300)
    assert width(text) == 600 and width("e\u0301") == 1
    for sentence in split_text(text):
        assert set(unicodedata.normalize("NFC", sentence.text)) == {"각"}


def test_a_line_is_broken_in_the_middle():
    assert break_line("short", 10) == ["short"]
    assert break_line("one two three four five six", 16) == ["one two three", "four five six"]
    assert break_line("가나다라마바사", 8) == ["가나다", "라마바사"]
    assert break_line("one two three four five six", 10) is None
