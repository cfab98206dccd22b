"""The 98-point detector."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from silvertalk.face.detect.awing import AwingDetector, AwingFan, decode

GOLDENS = Path(__file__).parents[2] / "goldens" / "makeittalk"


@pytest.fixture(scope="module")
def network(load_module):
    """With golden weights."""
    with torch.random.fork_rng():
        return load_module(GOLDENS / "fill.py").fill_module(AwingFan()).eval()


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """From a file of weights as it is published: wrapped, and with keys of its own."""
    path = tmp_path_factory.mktemp("awing") / "WFLW_1HG.pth"
    with torch.random.fork_rng():
        torch.save({"state_dict": {**AwingFan(1).state_dict(), "more": torch.zeros(1)}}, path)
    return AwingDetector(path)


def test_keys_and_shapes_are_published_ones(network):
    manifest = json.loads((GOLDENS / "awing_fan98.keys.json").read_text())
    state = network.state_dict()
    assert [[key, list(v.shape), str(v.dtype).removeprefix("torch.")] for key, v in state.items()] == manifest


def test_heatmaps_and_points_match_golden(network, load_module):
    golden = np.load(GOLDENS / "awing_fan98.npz")
    picture = load_module(GOLDENS / "inputs.py").uniform_image(31, (1, 3, 256, 256))
    with torch.inference_mode():
        maps = network(torch.from_numpy(picture))
    np.testing.assert_allclose(maps[-1][..., ::4, ::4], golden["heat_last_stride4"], atol=1e-5)
    np.testing.assert_allclose(maps[0][0, 0], golden["heat0_ch0"], atol=1e-5)
    off = np.abs(decode(maps[-1][:, :98]).numpy() * 4 - golden["preds_x4"]).max(axis=-1) > 1e-3
    assert off.sum() <= 2


def test_points_are_moved_towards_the_larger_neighbour():
    maps = torch.zeros(1, 3, 8, 10)
    maps[0, 0, 3, 4], maps[0, 0, 3, 5], maps[0, 0, 2, 4] = 1.0, 0.5, 0.2
    maps[0, 1, 0, 9] = 1.0  # in the corner: it stays
    maps[0, 2, 5, 5] = 1.0
    assert decode(maps)[0].tolist() == [[4.75, 3.25], [9.5, 0.5], [5.5, 5.5]]


def test_detector_of_larger_pictures_and_the_74_points(detector, photo):
    calls = []
    detector.network.forward = lambda x: [calls.append(x.shape), torch.eye(64).expand(1, 99, 64, 64)][1:]
    points = detector(np.pad(photo, ((0, 272), (0, 272), (0, 0))))
    assert calls == [(1, 3, 256, 256)]
    np.testing.assert_allclose(points, 0.5 * 4 * 2)  # the first cell of 64, in 512 pixels
    ours = np.arange(204.0).reshape(68, 3)
    combined = detector.combined(np.pad(photo, ((0, 272), (0, 272), (0, 0))), ours)
    assert combined.shape == (74, 2)
    np.testing.assert_array_equal(combined[:27], ours[:27, :2])
    np.testing.assert_allclose(combined[27:], 4)


def test_other_weights_are_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="conv1.conv.weight"):
        AwingDetector(tmp_path / "other.pth")
