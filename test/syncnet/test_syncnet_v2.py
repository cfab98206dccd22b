"""The network of the LSE metrics is the published one."""

import json

import numpy as np
import pytest
import torch

from silvertalk.syncnet import syncnet_v2
from silvertalk.syncnet.syncnet_v2 import SyncNetV2
from silvertalk.training.weights import load_state


@pytest.fixture(scope="module")
def network(fill):
    """The published network with the golden weights."""
    state = {key: torch.from_numpy(value) for key, value in fill.state("SyncNetModel").items()}
    return load_state(SyncNetV2(), state, "filled").eval()


@pytest.fixture(scope="module")
def golden(goldens):
    return np.load(goldens / "SyncNetModel.npz")


def close(result, wanted):
    """Compare within 1e-4 of the largest value, as the golden files suggest."""
    np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_keys_shapes_and_types_are_published_ones(goldens):
    manifest = json.loads((goldens / "SyncNetModel.keys.json").read_text())
    state = SyncNetV2().state_dict()
    assert [[key, list(v.shape), str(v.dtype).removeprefix("torch.")] for key, v in state.items()] == manifest


def test_embeddings_match_golden(network, golden, fill):
    sound = torch.from_numpy(fill.tensor("SyncNetModel:mfcc", (2, 1, 13, 20), -20, 20))
    lips = torch.from_numpy(fill.tensor("SyncNetModel:lip", (2, 3, 5, 224, 224), 0, 255))
    with torch.inference_mode():
        close(network.embed_audio(sound).numpy(), golden["aud"])
        close(network.lip_features(lips).numpy(), golden["lipfeat"])
        close(network.embed_lips(lips).numpy(), golden["lip"])


def test_distances_match_golden(golden, fill):
    features = fill.tensor("SyncNetModel:feat", (46, 1024), -1, 1)
    audio = features[:40] + fill.tensor("SyncNetModel:noise", (40, 1024), -0.5, 0.5)
    measured = syncnet_v2.read_distances(syncnet_v2.distances(audio, features[3:43]))
    close(measured.curve, golden["pdist_mean"])
    close(measured.lse_d, golden["lse_d"])
    close(measured.lse_c, golden["lse_c"])
    close(measured.framewise, golden["framewise_conf"])
    # The lips of frame n are those of the sound of n + 3: it is late, which the published tool calls -3.
    assert measured.offset == 3 == -int(golden["offset"])


def test_mfcc_match_golden(golden):
    np.testing.assert_allclose(syncnet_v2.mfcc(golden["mfcc_wav"]), golden["mfcc"], atol=1e-3)


def test_mfcc_in_blocks_and_of_silence(golden, monkeypatch):
    monkeypatch.setattr(syncnet_v2, "FRAMES_AT_ONCE", 7)
    np.testing.assert_allclose(syncnet_v2.mfcc(golden["mfcc_wav"]), golden["mfcc"], atol=1e-3)
    assert np.isfinite(syncnet_v2.mfcc(np.zeros(1000))).all()
    assert syncnet_v2.mfcc(np.ones(10)).shape == (1, 13)


def test_a_clip_in_batches_is_its_windows_one_by_one(network):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (11, 224, 224, 3)).astype(np.uint8)
    wav = 0.1 * rng.normal(size=11 * 640).astype(np.float32)
    audio, video = syncnet_v2.embed(network, iter(frames), wav, batch_size=4)
    assert audio.shape == video.shape == (6, 1024)
    n = 3
    window = torch.from_numpy(frames[n : n + 5].transpose(3, 0, 1, 2)[None].astype(np.float32))
    columns = torch.from_numpy(syncnet_v2.mfcc(np.rint(wav * 32768.0)).astype(np.float32))
    with torch.inference_mode():
        close(video[n], network.embed_lips(window)[0].numpy())
        close(audio[n], network.embed_audio(columns[4 * n : 4 * n + 20].T[None, None])[0].numpy())
    # Sound that ends sooner ends the measurement.
    assert len(syncnet_v2.embed(network, iter(frames), wav[: 8 * 640 + 5])[0]) == 3
    with pytest.raises(ValueError, match="5 frames"):
        syncnet_v2.embed(network, iter(frames), wav[: 5 * 640])


def test_weights_are_found_and_wrong_ones_refused(tmp_path):
    assert syncnet_v2.find_syncnet_v2(None) is None
    assert syncnet_v2.find_syncnet_v2(tmp_path) is None
    with pytest.raises(FileNotFoundError, match="syncnet_python"):
        syncnet_v2.find_syncnet_v2(tmp_path / "syncnet_v2.model")
    path = tmp_path / "deep" / "syncnet_v2.model"
    path.parent.mkdir()
    state = SyncNetV2().state_dict()
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert syncnet_v2.find_syncnet_v2(tmp_path) == path
    assert not syncnet_v2.load_syncnet_v2(path).training
    del state["netfcaud.0.bias"]
    torch.save(state, path)
    with pytest.raises(ValueError, match="netfcaud.0.bias"):
        syncnet_v2.load_syncnet_v2(path)
