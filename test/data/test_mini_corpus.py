"""The mini corpus: what its generator claims, measured on its videos."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from silvertalk.data import read_data_dir, validate_data_dir
from silvertalk.media import probe, read_audio, read_frames

LOCAL = Path(__file__).parents[2] / "egs/mini/av1/local"
SENTENCES = """\
tr_no_dev astro-0001 good morning anna please drink some water
dev astro-0002 my father is coming home
"""


def make(folder, *options):
    """Run the generator; returns what it logged."""
    (folder / "sentences.txt").write_text(SENTENCES)
    command = [sys.executable, LOCAL / "make_corpus.py", "--db_root", folder / "db", "--data_dir", folder / "data",
               "--sentences", folder / "sentences.txt", *options]  # fmt: skip
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stderr


def measure(video):
    """Lip distance over face height in every frame (T,), by dlib."""
    import dlib
    import face_recognition_models

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(face_recognition_models.pose_predictor_model_location())
    openings = []
    for frame in read_frames(video):
        faces = detector(frame, 0)
        assert len(faces) == 1, f"frame {len(openings)}: {len(faces)} faces"
        points = np.array([(p.x, p.y) for p in predictor(frame, faces[0]).parts()])
        inner = np.linalg.norm(points[[61, 62, 63]] - points[[67, 66, 65]], axis=1).mean()
        openings.append(inner / np.linalg.norm(points[8] - points[27]))
    return np.array(openings)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mini")
    make(folder, "--nj", "2")
    return folder


def test_data_directories(corpus):
    for name, text in (("tr_no_dev", "good morning anna please drink some water"), ("dev", "my father is coming home")):
        validate_data_dir(corpus / "data" / name)
        (utterance,) = read_data_dir(corpus / "data" / name)
        assert utterance.text == text and utterance.spk == "astro"
        info = probe(utterance.video)
        assert (info.width, info.height, info.fps) == (320, 320, 25) and info.has_audio


def test_mouth_follows_the_phonemes(corpus):
    truth = json.loads((corpus / "db/astro-0001.json").read_text())
    driven, seen = np.array(truth["opening"]), measure(corpus / "db/astro-0001.mp4")
    assert np.corrcoef(driven, seen)[0, 1] > 0.95
    assert seen[driven < 0.01].max() < 0.03 and (driven < 0.01).sum() >= 8  # closed in the silences
    assert seen[driven > 0.7].min() > 0.08 and driven.max() > 0.7  # open at /a/
    # The true offset is 0: no other one fits better.
    fit = [np.corrcoef(np.roll(driven, lag)[5:-5], seen[5:-5])[0, 1] for lag in range(-4, 5)]
    assert np.argmax(fit) == 4


def test_lips_close_at_bilabials(corpus):
    truth = json.loads((corpus / "db/astro-0001.json").read_text())
    for symbol, start, end in truth["phonemes"]:
        if symbol in ("p", "m") and 0.3 < start < truth["phonemes"][-1][1] - 0.1:
            first, last = int(start * 25), int(np.ceil(end * 25))
            assert min(truth["opening"][first : last + 1]) < 0.1, (symbol, start)


def test_sound_of_the_video_is_that_of_the_wav(corpus):
    in_video, rate = read_audio(corpus / "db/astro-0001.mp4")
    alone, same_rate = read_audio(corpus / "db/astro-0001.wav")
    assert rate == same_rate == 22050 and abs(len(in_video) - len(alone)) < 10
    frames = sum(1 for _ in read_frames(corpus / "db/astro-0001.mp4"))
    assert frames == round(len(alone) / rate * 25)
    cut = slice(rate // 2, rate // 2 + rate // 4)
    lags = [np.dot(in_video[cut.start + k : cut.stop + k], alone[cut]) for k in range(-50, 51)]
    assert np.argmax(lags) == 50


@pytest.mark.recipe  # seconds
def test_what_is_there_is_kept_and_settings_count(corpus, tmp_path):
    assert "0 clips made, 2 were there" in make(corpus)
    (corpus / "db/astro-0002.wav").unlink()
    assert "1 clips made, 1 were there" in make(corpus)
    assert "1 clips made" in make(tmp_path, "--av_offset_frames", "3", "--max_utterances", "1")
    shifted = json.loads((tmp_path / "db/astro-0001.json").read_text())["opening"]
    truth = json.loads((corpus / "db/astro-0001.json").read_text())["opening"]
    np.testing.assert_allclose(shifted[3:], truth[:-3])
    assert max(shifted[:3]) == 0


@pytest.mark.recipe  # seconds
def test_a_sentence_sounds_alike_whatever_was_said_before(corpus, tmp_path):
    """The corpus must not depend on jobs and restarts."""
    (tmp_path / "sentences.txt").write_text("\n".join(SENTENCES.splitlines()[::-1]) + "\n")
    command = [sys.executable, LOCAL / "make_corpus.py", "--db_root", tmp_path / "db", "--data_dir", tmp_path / "data",
               "--sentences", tmp_path / "sentences.txt"]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    for name in ("astro-0001.wav", "astro-0002.wav", "astro-0001.json", "astro-0002.json", "astro-0001.mp4"):
        assert (tmp_path / "db" / name).read_bytes() == (corpus / "db" / name).read_bytes(), name


def test_sentences_of_the_corpus():
    lines = [line.split(" ", 2) for line in (LOCAL / "sentences.txt").read_text().splitlines()]
    sets = {name: [text for other, _, text in lines if other == name] for name in ("tr_no_dev", "dev", "eval1")}
    assert {name: len(texts) for name, texts in sets.items()} == {"tr_no_dev": 32, "dev": 4, "eval1": 4}
    assert len({utt_id for _, utt_id, _ in lines}) == 40 and all(u.startswith("astro-") for _, u, _ in lines)
    words = set(" ".join(sets["tr_no_dev"]).split())
    assert set("".join(words)) == set("abcdefghijklmnopqrstuvwxyz'")
    for name in ("dev", "eval1"):
        assert set(" ".join(sets[name]).split()) <= words
        assert not set(sets[name]) & set(sets["tr_no_dev"])
