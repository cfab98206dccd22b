import numpy as np
import pytest
import torch

from silvertalk.evaluate import features


def test_frechet_distance_of_known_sets():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(400, 3))
    assert features.frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert features.frechet_distance(first, first + [3, 0, 0]) == pytest.approx(9)
    # (2 s - s)^2 of each axis' standard deviation s
    assert features.frechet_distance(first, 2 * first) == pytest.approx(
        first.var(axis=0, ddof=1).sum() + (first.mean(axis=0) ** 2).sum()
    )
    assert np.isnan(features.frechet_distance(first[:1], first))


def test_fewer_samples_than_dimensions_agree_with_the_definition():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(6, 9)), rng.normal(size=(8, 9)) + 1
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0)).sum()
    wanted = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * root
    assert features.frechet_distance(first, second) == pytest.approx(wanted, rel=1e-5)


def test_descriptors_tell_a_face_from_its_smear(photo):
    import cv2

    from silvertalk.face import make_backend

    backend, describe = make_backend("dlib"), features.FaceDescriptor()
    view = backend.view(photo)
    landmarks = backend.landmarks(view, backend.detect(view)[0])
    sharp = describe(photo, landmarks, photo)
    assert sharp.shape == (128,)
    nudged, smear = np.roll(photo, 2, axis=1), cv2.GaussianBlur(photo, (0, 0), 3)
    near = np.linalg.norm(describe(nudged, landmarks + [2, 0, 0], nudged) - sharp)
    assert near < 0.1 < np.linalg.norm(describe(smear, landmarks, smear) - sharp)


def test_optional_networks_are_used_only_where_their_weights_are(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert features.load_lpips() is None
    assert [describer.name for describer in features.load_describers()] == ["faces"]


@pytest.mark.recipe
def test_inception_features_of_a_crop(photo, tmp_path, monkeypatch):
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    weights = tmp_path / "hub" / "checkpoints" / features.INCEPTION_FILES[0]
    weights.parent.mkdir(parents=True)
    torch.save(inception_v3(weights=None, init_weights=False).state_dict(), weights)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    describe = features.load_describers()[1]
    first, second = (describe(photo, np.zeros((68, 2)), face) for face in (photo, photo[::-1]))
    # Random weights shrink everything, but not in the same way.
    assert describe.name == "inception" and first.shape == (2048,)
    assert np.abs(first - second).max() > 0.01 * np.abs(first).max()


def test_lpips_averages_over_pairs(photo):
    class Difference(torch.nn.Module):
        def forward(self, first, second):
            assert first.min() >= -1 and first.max() <= 1 and first.shape[2] >= features.LPIPS_MIN_SIZE
            return (first - second).abs().mean()[None, None, None]

    lpips, small = features.Lpips(Difference()), photo[:30, :30]
    darker = small // 2
    assert lpips([(small, small)]) == 0
    assert lpips([(darker, small), (small, small)]) == pytest.approx(lpips([(darker, small)]) / 2)
    assert np.isnan(lpips([]))
