import numpy as np
import pytest
import torch

from silvertalk.syncnet import judge as sync
from silvertalk.syncnet.networks import SyncNet


def embeddings(windows=60, late=0, seed=0):
    """Unit vectors of lips, and of sound that comes ``late`` frames after them."""
    lips = np.random.default_rng(seed).normal(size=(windows, 64))
    lips /= np.linalg.norm(lips, axis=1, keepdims=True)
    return np.roll(lips, late, axis=0), lips


@pytest.mark.parametrize("late", [-7, 0, 3])
def test_offset_is_positive_when_the_sound_is_late(late):
    confidence, offset = sync.confidence_and_offset(sync.offset_curve(*embeddings(late=late)))
    assert offset == late
    assert confidence > 0.8


def test_unrelated_sound_gives_no_confidence():
    audio, _ = embeddings(seed=1)
    _, lips = embeddings(seed=2)
    assert sync.confidence_and_offset(sync.offset_curve(audio, lips))[0] < 0.1
    assert sync.pair_accuracy(audio, lips) == pytest.approx(0.5, abs=0.1)


def test_pair_accuracy_of_matching_and_constant_embeddings():
    audio, lips = embeddings()
    assert sync.pair_accuracy(audio, lips) == 1.0
    assert sync.pair_accuracy(np.ones((40, 4)) / 2, np.ones((40, 4)) / 2) == 0.5
    assert np.isnan(sync.pair_accuracy(audio[:4], lips[:4]))


def test_distance_has_the_form_of_lse_d():
    audio, lips = embeddings(late=4)
    assert sync.window_distances(audio, lips).mean() == pytest.approx(0, abs=1e-6)
    assert len(sync.window_distances(audio, lips)) == 56
    other, _ = embeddings(seed=1)
    scores = sync.expert_scores(other, lips)
    assert scores["distance"] > 1.2  # unrelated unit vectors are sqrt(2) apart
    assert scores["distance_spread"] < 0.1
    with pytest.raises(ValueError, match="too short"):
        sync.window_distances(audio[:3], lips[:3])


def test_short_clips():
    curve = sync.offset_curve(*embeddings(windows=8))
    assert np.isnan(curve[0])
    assert sync.confidence_and_offset(curve)[1] == 0
    with pytest.raises(ValueError, match="too short"):
        sync.confidence_and_offset(sync.offset_curve(*embeddings(windows=3)))


def test_windows_are_those_of_training():
    torch.manual_seed(0)
    expert = SyncNet(width=0.05).eval()
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (12, 96, 96, 3)).astype(np.uint8)
    mel = rng.uniform(-4, 4, (39, 80)).astype(np.float32)  # 12 frames of sound: 1 + 0.48 * 80 columns
    audio, video = sync.embed(expert, faces, mel, batch_size=3)
    assert len(audio) == len(video) == 8
    n = 6
    window = faces[n : n + 5, 48:, :, ::-1].transpose(0, 3, 1, 2).reshape(1, 15, 48, 96) / np.float32(255)
    start = int(80 * n / 25)
    with torch.no_grad():
        wanted = expert(torch.tensor(mel[start : start + 16].T.copy())[None, None], torch.tensor(window.copy()))
    np.testing.assert_allclose(audio[n], wanted[0][0], atol=1e-5)
    np.testing.assert_allclose(video[n], wanted[1][0], atol=1e-5)


def test_less_than_a_window_is_an_error():
    with pytest.raises(ValueError, match="no window"):
        sync.embed(SyncNet(width=0.05).eval(), np.zeros((4, 96, 96, 3), np.uint8), np.zeros((16, 80)))
