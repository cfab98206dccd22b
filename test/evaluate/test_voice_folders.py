import numpy as np
import pytest

from silvertalk.evaluate import score_voice, voice_folders
from silvertalk.evaluate.speaker import SpeakerSimilarity
from silvertalk.evaluate.tables import merge_scores
from silvertalk.evaluate.words import Recognition
from silvertalk.media import write_audio

RATE = 16000
ROWS = [{"utt_id": "u", "kind": "generated", "level": -20.0}]


def write_sound(path, f0=120):
    """Write a buzz."""
    t = np.arange(RATE // 2) / RATE
    wav = 0.02 * sum(np.sin(2 * np.pi * k * f0 * t) for k in range(1, 20))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, np.pad(wav, 2000).astype(np.float32), RATE)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two generated sentences, the first of which is recorded, and two other recordings; no network judges them."""
    for name in ("made/one.wav", "made/new one.wav", "real/one.flac", "real/two.wav", "real/three.wav"):
        write_sound(tmp_path / name, 100 + 10 * len(name))
    (tmp_path / "text").write_text("one first sentence\nnew_one another sentence\ntwo second sentence\n")
    embed = lambda wav: np.abs(np.fft.rfft(wav))[:1000]  # noqa: E731
    monkeypatch.setattr(score_voice, "SpeakerSimilarity", lambda recordings: SpeakerSimilarity(recordings, embed))
    return tmp_path


def score(folders, generated="made", text="text"):
    """Score, and return (name, kind) of every row, and the page."""
    text = folders / text if text else None
    page = voice_folders.score_voices(folders / generated, folders / "real", text, folders / "out", Recognition("none"))
    return [(r["utt_id"], r["kind"]) for r in merge_scores(folders / "out", "voice")], page


def test_recorded_and_other_sentences_are_scored(folders, monkeypatch):
    rows, page = score(folders)
    assert rows == [("new_one", "generated"), ("one", "real"), ("one", "generated"), ("one", "control")]
    assert "| synthetic voice |" in page and (folders / "out/scores.md").read_text() == page
    calls = []
    monkeypatch.setattr(score_voice.VoiceScorer, "score", lambda self, utt_id: calls.append(utt_id) or ROWS)
    score(folders)
    assert calls == []  # what is scored stays so
    write_sound(folders / "made/one.wav", 200)
    score(folders)
    assert calls == ["new_one", "one"]


def test_recordings_of_other_sentences_stand_beside(folders):
    (folders / "made/one.wav").unlink()
    rows, _ = score(folders, text=None)
    assert rows == [("new_one", "generated"), ("one", "real"), ("three", "real"), ("two", "real")]


def test_what_cannot_be_scored_is_an_error(folders):
    with pytest.raises(FileNotFoundError, match="no folder .*sound files"):
        score(folders, generated="nothing")
    with pytest.raises(FileNotFoundError, match="--text"):
        score(folders, text="no text")
    (folders / "other").write_text("x a sentence\n")
    with pytest.raises(ValueError, match="none of the names"):
        score(folders, text="other")
    write_sound(folders / "made/one.flac")
    with pytest.raises(ValueError, match="one name"):
        score(folders)


def test_texts_of_both_kinds(tmp_path):
    (tmp_path / "text").write_text("a-1 hello there\n\nb-2\n")
    assert voice_folders.read_texts(tmp_path / "text") == {"a-1": "hello there", "b-2": ""}
    (tmp_path / "t.txt").write_text("\ufeffa 1.flac|Hello 1.5|more\nv1.2|x\n", encoding="utf-8")
    assert voice_folders.read_texts(tmp_path / "t.txt") == {"a_1": "Hello 1.5", "v1.2": "x"}
