import numpy as np
import pytest

from silvertalk.data import Utterance, write_data_dir, write_scp
from silvertalk.evaluate import score_voice, voice
from silvertalk.evaluate.score_voice import VoiceScorer, _other_sentences, score_job
from silvertalk.evaluate.speaker import SpeakerSimilarity
from silvertalk.evaluate.tables import column, merge_scores
from silvertalk.evaluate.words import Recognition
from silvertalk.media import read_audio, write_audio

RATE = voice.SAMPLING_RATE


def vowel(f0=120.0, seconds=0.6, formants=(700, 1200)):
    """A buzz through two resonances between silences, float (T,)."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = sum(
        np.sin(2 * np.pi * k * f0 * time) * sum(1 / (1 + ((k * f0 - f) / 90) ** 2) for f in formants)
        for k in range(1, int(7000 / f0))
    )
    envelope = np.interp(time, [0, 0.05, seconds - 0.05, seconds], [0, 1, 1, 0])
    # A little noise: WORLD, like every log spectrum, dislikes exact zeros.
    sound = 0.1 * sound * envelope + 1e-4 * np.random.default_rng(0).normal(size=len(time))
    return np.pad(sound, int(0.2 * RATE)).astype(np.float32)


def test_identical_voices_have_no_distance():
    features = voice.analyse(vowel())
    scores = voice.compare_voices(features, features)
    assert scores == {"mcd": 0.0, "log_f0_rmse": 0.0, "vuv_error": 0.0, "duration_ratio": 1.0, "duration_error": 0.0}


def test_silence_at_the_ends_does_not_count():
    long = voice.analyse(np.pad(vowel(), RATE))
    short = voice.analyse(vowel())
    assert long.seconds == pytest.approx(short.seconds, abs=0.03)
    assert 0.55 < short.seconds < 0.75


def test_log_f0_error_of_a_pitch_shift_is_its_logarithm():
    scores = voice.compare_voices(voice.analyse(vowel(f0=120 * 1.25)), voice.analyse(vowel(f0=120)))
    assert scores["log_f0_rmse"] == pytest.approx(np.log(1.25), abs=0.02)


def test_distortion_grows_with_the_spectral_difference():
    real = voice.analyse(vowel())
    near, far = (voice.analyse(vowel(formants=f)) for f in ((720, 1250), (300, 2300)))
    distances = [voice.compare_voices(v, real)["mcd"] for v in (near, far)]
    assert 0 < distances[0] < distances[1]


def test_level_does_not_matter():
    scores = voice.compare_voices(voice.analyse(0.5 * vowel()), voice.analyse(vowel()))
    assert scores["mcd"] < 0.3


def test_duration_ratio():
    scores = voice.compare_voices(voice.analyse(vowel(seconds=0.9)), voice.analyse(vowel(seconds=0.6)))
    assert scores["duration_ratio"] == pytest.approx(1.5, abs=0.1)
    assert scores["duration_error"] == pytest.approx(100 * (scores["duration_ratio"] - 1))
    assert voice.compare_voices(voice.analyse(vowel(seconds=0.4)), voice.analyse(vowel()))["duration_error"] > 20


def test_silence_is_refused():
    for wav in (np.zeros(RATE), np.zeros(0), vowel()[:800]):
        with pytest.raises(ValueError, match="of sound"):
            voice.analyse(wav)


def test_long_pairs_are_thinned(monkeypatch):
    monkeypatch.setattr(voice, "MAX_FRAMES", 40)
    features = voice.analyse(vowel())
    assert voice.compare_voices(features, features)["mcd"] == 0.0


def test_control_is_another_sentence_of_the_same_speaker():
    said = [("a-1", "a", "x"), ("a-2", "a", "x"), ("a-3", "a", "y"), ("b-1", "b", "z")]
    others = _other_sentences([Utterance(u, spk, text) for u, spk, text in said])
    assert others == {"a-1": "a-3", "a-2": "a-3", "a-3": "a-1"}


@pytest.fixture(autouse=True)
def _embedding(monkeypatch):
    """Voices are described by their mean spectrum."""

    def embed(wav):
        return np.abs(np.fft.rfft(wav))[:1000]

    monkeypatch.setattr(score_voice, "SpeakerSimilarity", lambda recordings: SpeakerSimilarity(recordings, embed))


class Ear:
    """A recogniser that always hears the same, but nothing in silence."""

    description = "an ear"

    def __call__(self, wav):
        return ["Sentence", "0", "now"] if np.any(wav) else []

    def unknown(self, words):
        return [word for word in words if word == "one"]


@pytest.fixture
def corpus(tmp_path):
    """Three recordings, a synthetic voice of two of which one is silent."""
    utterances, synthetic = [], {}
    for n, formants in enumerate([(700, 1200), (300, 2300), (500, 1500)]):
        utt_id = f"a-{n}"
        write_audio(tmp_path / f"{utt_id}.wav", vowel(formants=formants), RATE)
        utterances.append(Utterance(utt_id, "a", f"sentence {n}", str(tmp_path / f"{utt_id}.wav")))
        if n < 2:
            synthetic[utt_id] = tmp_path / f"tts{n}.wav"
            write_audio(synthetic[utt_id], vowel(130, formants=formants) * (n == 0), RATE)
    write_data_dir(tmp_path / "ref", utterances)
    write_scp(tmp_path / "decode/wav/wav.scp", synthetic)
    return tmp_path


def test_scores_are_resumable_and_a_bad_utterance_keeps_its_line(corpus, monkeypatch):
    arguments = (corpus / "decode", corpus / "ref", corpus / "scores", Recognition("none"))
    with pytest.raises(FileNotFoundError):
        score_job(corpus / "nothing", *arguments[1:])
    score_job(*arguments, job=1, num_jobs=2)
    with pytest.raises(RuntimeError, match="a-1"):
        merge_scores(corpus / "scores", "voice")
    score_job(*arguments, job=2, num_jobs=2)
    monkeypatch.setattr(VoiceScorer, "score", None)  # nothing is scored twice
    score_job(*arguments, job=1, num_jobs=2)
    score_job(*arguments)
    rows = merge_scores(corpus / "scores", "voice")
    assert [(r["utt_id"], r["kind"]) for r in rows[:4]] == [
        ("a-0", "real"),
        ("a-0", "generated"),
        ("a-0", "control"),
        ("a-1", "real"),
    ]
    assert list(column(rows, "generated", "mcd")) == ["a-0"]
    assert column(rows, "generated", "mcd")["a-0"] < column(rows, "control", "mcd")["a-0"]
    assert "of sound" in next(r for r in rows if (r["utt_id"], r["kind"]) == ("a-1", "generated"))["note"]
    assert set(column(rows, "real", "speaker_similarity")) == {"a-0", "a-1"}
    assert column(rows, "real", "level")["a-0"] < 0 and column(rows, "generated", "silence")["a-1"] == 100
    assert (corpus / "scores/voice/recogniser").read_text() == "it was asked for none\n"
    assert not column(rows, "real", "words")


def test_words_are_those_that_are_said(corpus, monkeypatch):
    monkeypatch.setattr(Recognition, "choose", lambda *_: (Ear(), Ear.description))
    score_job(corpus / "decode", corpus / "ref", corpus / "scores")
    rows = merge_scores(corpus / "scores", "voice")
    found = {(r["utt_id"], r["kind"]): r for r in rows}
    first = found["a-0", "generated"]
    assert (first["words"], first["word_errors"], first["word_hits"]) == (2, 1, 2)
    assert first["heard"] == "sentence zero now" and first["letter_errors"] == 4
    # A silent voice has said nothing, whatever else cannot be measured of it.
    silent = found["a-1", "generated"]
    assert (silent["words"], silent["word_errors"], silent["word_hits"]) == (2, 2, 0)
    assert silent["unknown_words"] == "one" and "of sound" in silent["note"]


def test_every_file_is_read_once(corpus, monkeypatch):
    read = []
    monkeypatch.setattr(
        score_voice, "read_audio", lambda path, *span: read.append(str(path)) or read_audio(path, *span)
    )
    score_job(corpus / "decode", corpus / "ref", corpus / "scores", Recognition("none"))
    assert sorted(read) == sorted(str(path) for path in corpus.glob("*.wav"))


def test_a_sentence_that_nobody_recorded(corpus):
    said = Utterance("new", "a", "another sentence")
    scorer = VoiceScorer([said], {"new": corpus / "tts0.wav"}, Ear())
    (row,) = scorer.score("new")
    assert row["kind"] == "generated" and row["word_hits"] == 1 and "mcd" not in row


@pytest.mark.parametrize(
    ("given", "texts", "language"),
    [
        ("auto", ["안녕", "hello", "세 시"], "ko"),
        ("auto", ["hello"], "en"),
        ("auto", [], "en"),
        ("en-us", ["안녕"], "en"),
        ("cmn", [], "zh"),
    ],
)
def test_language(given, texts, language):
    assert Recognition(language=given).language_of(texts) == language
