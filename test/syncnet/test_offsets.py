"""Sync networks judge the lags of a clip."""

import numpy as np
import pytest
import torch

from silvertalk.face.lips import MAX_LAG
from silvertalk.media import wav2lip_mel
from silvertalk.syncnet.offsets import ExpertScorer, make_scorer, mean_distance
from silvertalk.syncnet.syncnet_v2 import SyncNetV2


@pytest.fixture
def clip():
    """Faces, sound and mel of a clip of 11 frames."""
    rng = np.random.default_rng(0)
    wav = rng.normal(0, 0.1, 11 * 640).astype(np.float32)
    return list(rng.integers(0, 255, (11, 64, 64, 3), dtype=np.uint8)), wav, wav2lip_mel(wav).T


class Twins:
    """An expert whose embeddings of lips and sound agree where the frame's grey level is the mel's."""

    img_size = 96

    def to(self, device):
        return self

    def parameters(self):
        return iter([torch.zeros(1)])

    def __call__(self, mel, face):
        def embed(x):
            angle = x * np.pi
            return torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)

        return embed(mel[:, 0, 0, 0]), embed(face[:, 0, 0, 0])


@pytest.mark.parametrize("late", [0, 3, -6])
def test_expert_finds_the_lag(monkeypatch, late):
    monkeypatch.setattr("silvertalk.syncnet.offsets.load_checkpoint", lambda exp_dir: Twins())
    levels = np.random.default_rng(1).integers(0, 256, 60)
    faces = (np.full((64, 64, 3), level, np.uint8) for level in levels)  # a stream, in another size than the expert's
    heard = np.roll(levels, late) / 255
    mel = np.repeat(heard[np.minimum((np.arange(210) * 5 + 15) // 16, 59)][:, None], 80, axis=1)
    curve = ExpertScorer("exp")(faces, None, mel)
    assert curve.shape == (2 * MAX_LAG + 1,) and int(curve.argmax()) - MAX_LAG == late
    assert curve.max() > 0.98 and np.median(curve) < 0.8


def test_distance_is_that_of_windows_with_a_partner():
    video = np.random.default_rng(0).normal(size=(30, 8))
    audio = np.roll(video, 4, axis=0)
    curve = mean_distance(audio, video, 12)
    assert int(np.argmin(curve)) - 12 == 4 and curve[16] == pytest.approx(0)
    assert np.isnan(mean_distance(audio[:10], video[:10], 12)[0])


def test_published_network_is_used_where_its_weights_are(tmp_path, clip):
    assert make_scorer(None, None) is None and make_scorer("", "") is None
    assert make_scorer(None, tmp_path) is None  # a folder without it
    torch.save(SyncNetV2().state_dict(), tmp_path / "syncnet_v2.model")
    scorer = make_scorer(None, tmp_path)
    curve = scorer(*clip)
    assert scorer.name == "syncnet_v2" and curve.shape == (2 * MAX_LAG + 1,) and (curve < 0).all()
    faces, wav, mel = clip
    with pytest.raises(ValueError, match="frames"):
        scorer(faces[:4], wav, mel)
    with pytest.raises(ValueError, match="too short"):
        scorer(faces[:7], wav, mel)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="syncnet_v2"):
        make_scorer(None, tmp_path / "no_syncnet_v2.model")
    with pytest.raises(FileNotFoundError, match="nothing"):
        make_scorer(tmp_path / "nothing", None)
