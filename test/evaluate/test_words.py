from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from silvertalk.evaluate import words
from silvertalk.evaluate.transcript import count_errors, spoken_words
from silvertalk.evaluate.words import (
    Recognition,
    WordRecognizer,
    add_room_tone,
    grammar_words,
)

GRID = Path(__file__).parents[2] / "egs" / "grid" / "av1" / "conf" / "grid.gram"


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
    assert recognizer.unknown(["hello", "xyzzyx", "goodbye"]) == ["goodbye"]
    assert "x.gram" in recognizer.description
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


def test_whisper_is_a_recogniser(monkeypatch):
    heard = lambda *options: type("Ear", (), {"description": "Whisper", "__call__": lambda _, wav: " ".join(options)})()  # noqa: E731
    monkeypatch.setattr(words, "Whisper", heard)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    recognizer, description = Recognition(whisper_model="tiny", grammar=GRID).choose("ko")
    assert recognizer(np.ones(4000)) == ["tiny", "ko", "cpu"] and description == "Whisper"
    assert recognizer.unknown(["안녕"]) == []


def test_the_best_recogniser_is_taken(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setattr(words, "WhisperRecognizer", lambda *_: SimpleNamespace(description="whisper"))
    monkeypatch.setattr(words, "WordRecognizer", lambda grammar: SimpleNamespace(description=grammar or "lm"))
    assert Recognition(whisper_model="w", grammar="g").choose("en")[1] == "whisper"
    assert Recognition(grammar="g").choose("en")[1] == "g"
    assert Recognition().choose("en")[1] == "lm"
    nothing, reason = Recognition().choose("ko")
    assert nothing is None and "'ko'" in reason and "--whisper_model" in reason
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Recognition(whisper_model="w", grammar="g").choose("en")[1] == "g"
    assert "not installed" in Recognition(whisper_model="w").choose("ko")[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recogniser": "grammar"}, "--grammar"),
        ({"recogniser": "whisper"}, "--whisper_model"),
        ({"recogniser": "lm", "language": "ko"}, "English only"),
        ({"recogniser": "htk"}, "none of auto, grammar"),
    ],
)
def test_a_recogniser_that_cannot_be_had_is_an_error(options, said):
    with pytest.raises(ValueError, match=said):
        Recognition(**options).choose(options.get("language", "en"))


def test_none_is_no_recogniser():
    assert Recognition("none", grammar=GRID).choose("en") == (None, "it was asked for none")


@pytest.mark.recipe  # seconds
def test_any_english_is_heard(media):
    from silvertalk.media import read_audio

    recognizer = WordRecognizer()
    assert recognizer.unknown(["missus", "whittemore", "xyzzyx", "okay"]) == ["xyzzyx"]
    wav, _ = read_audio(media / "speech" / "en_kathleen" / "arctic_a0003.flac", 16000)
    said = spoken_words("For the twentieth time that evening the two men shook hands.")
    assert count_errors(said, spoken_words(" ".join(recognizer(wav))))[1] >= 8
