"""Every training YAML fits its recipe, and wrong combinations are found before training."""

import copy
from pathlib import Path

import pytest

from silvertalk.tts import check_train_config, load_train_config, min_num_samples

ROOT = Path(__file__).resolve().parents[2]
# training YAML, sampling rate in Hz, hop in samples
CONFIGS = [
    pytest.param("conf/train_jets.yaml", 22050, 256, marks=pytest.mark.recipe),  # seconds
    ("conf/mini/train_jets.yaml", 16000, 256),
    ("egs/grid/av1/conf/train_jets_cpu.yaml", 16000, 256),
]


@pytest.mark.parametrize("name, sampling_rate, hop_length", CONFIGS)
def test_every_yaml_fits_and_builds(name, sampling_rate, hop_length, build_model):
    config = load_train_config(ROOT / name)
    check_train_config(config, sampling_rate, hop_length)
    _, model = build_model(ROOT / name, sampling_rate, hop_length)
    assert model.tts.generator.upsample_factor == hop_length
    assert model.tts.fs == sampling_rate


@pytest.mark.parametrize("name, sampling_rate, hop_length", CONFIGS)
def test_cosine_schedules_end_with_the_training(name, sampling_rate, hop_length):
    config = load_train_config(ROOT / name)
    for number in ("", "2"):
        steps = config[f"scheduler{number}_conf"].get("first_cycle_steps")
        if steps is not None:
            assert steps == config["max_epoch"] * config["num_iters_per_epoch"] + 1


def test_wrong_combinations_are_named():
    config = load_train_config(ROOT / "conf/mini/train_jets.yaml")
    with pytest.raises(ValueError, match=r"8 \* 8 \* 4 = 256 .* --hop_length is 300"):
        check_train_config(config, 16000, 300)
    with pytest.raises(ValueError, match="16000 Hz, but --fs is 22050"):
        check_train_config(config, 22050, 256)
    odd = copy.deepcopy(config)
    odd["tts_conf"]["generator_params"]["generator_upsample_kernel_sizes"] = [16, 16]
    with pytest.raises(ValueError, match="3 generator_upsample_scales but 2"):
        check_train_config(odd, 16000, 256)


def test_shortest_usable_utterance():
    config = {"tts_conf": {"generator_params": {"segment_size": 32}}}
    assert min_num_samples(config, 256) == 8192


@pytest.mark.parametrize("content, message", [("a: [1", "no valid YAML"), ("- a\n", "not a mapping")])
def test_a_broken_yaml_is_an_error(content, message, tmp_path):
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_train_config(tmp_path / "a.yaml")
    with pytest.raises(FileNotFoundError, match="--tts_config"):
        load_train_config(tmp_path / "b.yaml")
