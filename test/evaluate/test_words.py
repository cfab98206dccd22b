from pathlib import Path

import numpy as np
import pytest

from silvertalk.evaluate.words import WordRecognizer, add_room_tone, count_word_errors, grammar_words

GRID = Path(__file__).parents[2] / "egs" / "grid" / "av1" / "conf" / "grid.gram"


@pytest.mark.parametrize(
    ("reference", "heard", "errors"),
    [
        ("bin blue at f two now", "bin blue at f two now", 0),
        ("bin blue at f two now", "bin red at f two now", 1),
        ("bin blue at f two now", "bin at f two now", 1),
        ("bin blue at f two now", "bin blue at at f two soon", 2),
        ("bin blue", "", 2),
        ("", "bin", 1),
        ("a b c", "c a b", 2),
    ],
)
def test_word_errors(reference, heard, errors):
    assert count_word_errors(reference.split(), heard.split()) == errors


def test_grammar_words():
    text = """#JSGF V1.0;
    // comment with words
    grammar test; /* another
    one */
    public <s> = <a> [very] (/0.5/ good | bad {tag})* "word" <a>;
    <a> = one | two;
    """
    assert grammar_words(text) == {"very", "good", "bad", "word", "one", "two"}


def test_grid_grammar_is_the_corpus():
    words = grammar_words(GRID.read_text())
    assert len(words) == 4 + 4 + 4 + 25 + 10 + 4
    assert "w" not in words


def test_missing_pronunciation_is_named(tmp_path):
    (tmp_path / "x.gram").write_text("#JSGF V1.0;\ngrammar x;\npublic <s> = hello xyzzyx;\n")
    with pytest.raises(ValueError, match="xyzzyx"):
        WordRecognizer(tmp_path / "x.gram")
    (tmp_path / "x.dict").write_text("xyzzyx Z IH Z IY K S\n")
    recognizer = WordRecognizer(tmp_path / "x.gram")
    assert recognizer(np.zeros(100)) == []
    with pytest.raises(FileNotFoundError, match="no grammar"):
        WordRecognizer(tmp_path / "y.gram")


@pytest.mark.recipe  # seconds
def test_real_sentences_are_heard(media):
    from silvertalk.media import read_audio

    recognizer = WordRecognizer(GRID)
    wav, _ = read_audio(media / "grid" / "s1" / "bbaf2n.mpg", 16000)
    assert recognizer(wav) == ["bin", "blue", "at", "f", "two", "now"]


def test_room_tone_fills_digital_silence_only():
    rng = np.random.default_rng(1)
    speech = np.pad(0.1 * rng.uniform(-1, 1, 8000), 8000)
    filled = add_room_tone(speech)
    assert np.std(filled[:4000]) == pytest.approx(0.002, rel=0.1)
    assert 0.45 < np.abs(filled).max() < 0.55
    np.testing.assert_array_equal(filled, add_room_tone(speech))
    noisy = speech + 0.01 * rng.normal(size=len(speech))
    np.testing.assert_allclose(add_room_tone(noisy), 0.5 * noisy / np.abs(noisy).max())
