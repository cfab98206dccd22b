import numpy as np
import pytest

from silvertalk.data import Utterance
from silvertalk.evaluate.speaker import SpeakerSimilarity, spread
from silvertalk.media import write_audio

RATE = 16000


def direction(wav):
    """The embedding of a stand-in: two first samples."""
    return np.asarray(wav[:2], np.float64)


@pytest.fixture
def recordings(tmp_path):
    """Three of speaker a, one of which points elsewhere, one of b, one that is no sound."""
    utterances = []
    for utt_id, start in (("a-0", (0.5, 0)), ("a-1", (0.25, 0)), ("a-2", (0, 0.5)), ("b-0", (0, 0.5))):
        path = tmp_path / f"{utt_id}.wav"
        write_audio(path, np.array([*start, *[0.0] * 1000], np.float32), RATE)
        utterances.append(Utterance(utt_id, utt_id[0], "x", str(path)))
    (tmp_path / "c.wav").write_text("no sound")
    return [*utterances, Utterance("c-0", "c", "x", str(tmp_path / "c.wav"))]


def test_a_voice_is_compared_with_other_recordings_of_its_speaker(recordings, caplog):
    judge = SpeakerSimilarity(recordings, direction)
    assert judge.similarity(np.array([1.0, 0.0]), "a", "a-2") == pytest.approx(1, abs=1e-3)
    assert judge.similarity(np.array([0.0, 1.0]), "a", "a-2") == pytest.approx(0, abs=1e-3)
    assert 0.3 < judge.similarity(np.array([0.0, 1.0]), "a", "a-0") < 1  # a-2 counts, too
    assert np.isnan(judge.similarity(np.array([0.0, 1.0]), "b", "b-0"))  # nothing else is recorded
    assert judge.similarity(np.array([0.0, 1.0]), "b", "another") == pytest.approx(1, abs=1e-3)
    assert np.isnan(judge.similarity(np.array([0.0, 1.0]), "nobody", "x"))
    assert np.isnan(judge.similarity(np.array([0.0, 1.0]), "c", "x"))
    assert "c-0" in caplog.text


def test_few_recordings_are_enough(recordings):
    judge = SpeakerSimilarity(recordings, direction, count=1)
    assert judge.similarity(np.array([1.0, 0.0]), "a", "a-2") == pytest.approx(1, abs=1e-3)
    assert judge.similarity(np.array([1.0, 0.0]), "a", "a-0") == pytest.approx(0, abs=1e-3)


def test_spread():
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 4) == [1, 2]
