import pytest

from silvertalk.evaluate.transcript import count_errors, spoken_letters, spoken_words


@pytest.mark.parametrize(
    ("reference", "heard", "errors", "hits"),
    [
        ("bin blue at f two now", "bin blue at f two now", 0, 6),
        ("bin blue at f two now", "bin red at f two now", 1, 5),
        ("bin blue at f two now", "bin at f two now", 1, 5),
        ("bin blue at f two now", "bin blue at at f two soon", 2, 5),
        ("bin blue", "", 2, 0),
        ("", "bin", 1, 0),
        ("a b c", "c a b", 2, 2),
        ("a b", "b a", 2, 1),  # as many errors without a hit
        ("", "", 0, 0),
    ],
)
def test_errors_and_hits(reference, heard, errors, hits):
    assert count_errors(reference.split(), heard.split()) == (errors, hits)


@pytest.mark.parametrize(
    ("written", "heard", "language"),
    [
        (
            "Mr. Smith paid $3.50, twenty-six times.",
            "mr smith paid three dollars and fifty cents twenty six times",
            "en",
        ),
        ("'Don’t!' said the boys' dog -- etc.", "don't said the boys dog etcetera", "en"),
        ("In 1845, at the Café...", "in eighteen forty-five at the cafe", "en"),
        ("Okay: 3 p.m.", "ok three p. m.", "en"),
        ("3시 30분에 68,000원!", "세 시 삼십 분에 육만 팔천 원", "ko"),
        ("我有2本书，2026年。", "我有两本书 二零二六年", "zh"),
        ("L’été — déjà?", "l'été déjà", "fr"),
    ],
)
def test_both_sides_are_compared_as_spoken(written, heard, language):
    letters = [spoken_letters(spoken_words(text, language), language) for text in (written, heard)]
    assert letters[0] == letters[1] != ""
    if language != "zh":
        assert spoken_words(written, language) == spoken_words(heard, language)


def test_spaces_are_letters_only_where_writers_agree_on_them():
    assert spoken_letters(["go", "on"], "en") == "go on"
    assert spoken_letters(["갈", "수"], "ko") == "갈수"
