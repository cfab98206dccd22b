"""A voice as a small folder."""

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from silvertalk.tts import Synthesizer, resolve_config
from silvertalk.tts.default import SHIPPED, load_voice
from silvertalk.tts.espnet import build_model
from silvertalk.tts.store import store_voice, unpack_weights


def test_stored_voice_says_the_same(tiny_voice, tmp_path):
    store_voice(str(tiny_voice), str(tmp_path))
    wanted, sampling_rate = Synthesizer.from_exp(tiny_voice)("at noon")
    said, same_rate = Synthesizer.from_exp(tmp_path)("at noon")
    assert same_rate == sampling_rate and said.shape == wanted.shape
    # Half precision keeps 11 bits.
    assert np.abs(said - wanted).max() < 0.01 * np.abs(wanted).max()


def test_weights_of_another_model_are_refused(tiny_voice, tmp_path):
    store_voice(str(tiny_voice), str(tmp_path))
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("tts.generator.encoder.after_norm.bias")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="after_norm.bias and 0 more"):
        Synthesizer.from_exp(tmp_path)


def test_espnet_reads_what_is_unpacked(tiny_voice, tmp_path):
    store_voice(str(tiny_voice), str(tmp_path))
    unpack_weights(tmp_path, tmp_path / "model.pth")
    unpacked = torch.load(tmp_path / "model.pth", weights_only=True)
    stored = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(unpacked[key], value.to(unpacked[key].dtype)) for key, value in stored.items())
    build_model(resolve_config(tmp_path)).load_state_dict(unpacked)  # of all layers


@pytest.fixture
def trained(tmp_path):
    """An experiment folder with all that may be in one."""
    folder = tmp_path / "exp"
    folder.mkdir()
    torch.save({"tts.generator.a": torch.ones(3), "tts.discriminator.b": torch.ones(2)}, folder / "latest.pth")
    for name in ("feats_stats.npz", "pitch_stats.npz", "text.yaml", "spk2sid", "train.log"):
        (folder / name).write_text(name)
    config = {
        "tts": "jets",
        "token_list": ["a"],
        "normalize": "global_mvn",
        "normalize_conf": {"stats_file": str(folder / "feats_stats.npz"), "norm_vars": False},
        "pitch_normalize": "global_mvn",
        "pitch_normalize_conf": {"stats_file": str(folder / "pitch_stats.npz")},
        "train_shape_file": [str(folder / "shape")],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_only_what_speaks_is_stored(trained, tmp_path):
    out = tmp_path / "voice"
    store_voice(str(trained), str(out))
    names = {path.name for path in out.iterdir()}
    assert names == {
        "config.yaml",
        "model.safetensors",
        "feats_stats.npz",
        "pitch_stats.npz",
        "text.yaml",
        "spk2sid",
    }
    modes = {path.stat().st_mode for path in out.iterdir()}
    assert len(modes) == 1  # who may read one of them may read all
    weights = load_file(out / "model.safetensors")
    assert list(weights) == ["tts.generator.a"] and weights["tts.generator.a"].dtype == torch.float16
    text = (out / "config.yaml").read_text()
    assert str(tmp_path) not in text and "train_shape_file" not in text
    config = yaml.safe_load(text)
    assert config["normalize_conf"] == {"stats_file": "feats_stats.npz", "norm_vars": False}
    assert config["energy_normalize"] is None and config["tts"] == "jets"


def test_kathleen_speaks():
    wav, sampling_rate = load_voice("nowhere")("Please call the doctor at 3:30.")
    assert sampling_rate == 16000 and 1.5 < len(wav) / sampling_rate < 4
    assert 0.05 < np.abs(wav).max() < 0.9
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 25e6
