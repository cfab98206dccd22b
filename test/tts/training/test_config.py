"""Every training YAML fits its recipe, and wrong combinations are found before training."""

import copy
from pathlib import Path

import pytest
import yaml

from silvertalk.tts import check_train_config, load_train_config, min_num_samples
from silvertalk.tts.default import SHIPPED
from silvertalk.tts.training.config import check_stats, generator_params

ROOT = Path(__file__).resolve().parents[3]
FULL = [f"conf/train_{model}.yaml" for model in ("jets", "vits", "tacotron2", "fastspeech2")]
# training YAML, sampling rate in Hz, hop in samples
CONFIGS = [
    *((name, 22050, 256) for name in FULL),
    *((name.replace("conf/", "conf/mini/"), 16000, 256) for name in FULL),
    ("egs/grid/av1/conf/train_jets_cpu.yaml", 16000, 256),
    ("egs/kathleen/tts1/conf/train_jets.yaml", 16000, 256),
]
ALWAYS = ("conf/mini/train_jets.yaml", "egs/grid/av1/conf/train_jets_cpu.yaml")
BUILT = [config if config[0] in ALWAYS else pytest.param(*config, marks=pytest.mark.recipe) for config in CONFIGS]


@pytest.fixture
def conf():
    """A function model -> its mini YAML as a dictionary that may be changed."""
    return lambda model: copy.deepcopy(load_train_config(ROOT / f"conf/mini/train_{model}.yaml"))


@pytest.mark.parametrize("name, sampling_rate, hop_length", CONFIGS)
def test_every_yaml_fits(name, sampling_rate, hop_length):
    config = load_train_config(ROOT / name)
    check_train_config(config, sampling_rate, hop_length, name, n_fft=1024)
    for number in ("", "2"):
        steps = config.get(f"scheduler{number}_conf", {}).get("first_cycle_steps")
        if steps is not None:  # cosine schedules end with the training
            assert steps == config["max_epoch"] * config["num_iters_per_epoch"] + 1


@pytest.mark.parametrize("name, sampling_rate, hop_length", BUILT)
def test_every_yaml_builds(name, sampling_rate, hop_length, build_model):
    _, model = build_model(ROOT / name, sampling_rate, hop_length)
    if not hasattr(model.tts, "generator"):
        assert model.tts.require_vocoder and model.feats_extract.output_size() == 80
        return
    generator = model.tts.generator
    assert getattr(generator, "decoder" if "vits" in name else "generator").upsample_factor == hop_length
    assert model.tts.fs == sampling_rate


@pytest.mark.parametrize("name", [*ALWAYS, "egs/kathleen/tts1/conf/train_jets.yaml"])
def test_small_voices_have_the_size_of_the_one_they_start_from(name):
    shipped = load_train_config(SHIPPED / "config.yaml")
    params, wanted = (generator_params(config) for config in (load_train_config(ROOT / name), shipped))
    assert params == {key: wanted[key] for key in params}


def test_teacher_and_pupil_have_the_same_steps():
    for folder in ("conf", "conf/mini"):
        factors = {
            load_train_config(ROOT / folder / f"train_{model}.yaml")["tts_conf"]["reduction_factor"]
            for model in ("tacotron2", "fastspeech2")
        }
        assert factors == {1}  # JETS, the other teacher, knows no other


def test_wrong_combinations_are_named(conf):
    config = conf("jets")
    with pytest.raises(ValueError, match=r"8 \* 8 \* 4 = 256 .* --hop_length is 300"):
        check_train_config(config, 16000, 300)
    with pytest.raises(ValueError, match="16000 Hz, but --fs is 22050"):
        check_train_config(config, 22050, 256)
    with pytest.raises(ValueError, match="--hop_length 256 is longer than --n_fft 128"):
        check_train_config(config, 16000, 256, n_fft=128)


@pytest.mark.parametrize(
    "model, place, value, message",
    [
        (
            "jets",
            "tts_conf.generator_params.generator_upsample_kernel_sizes",
            [16, 16],
            "3 generator_upsample_scales but 2",
        ),
        ("jets", "tts_conf.generator_params.generator_upsample_kernel_sizes", [16, 16, 4], "not twice"),
        ("vits", "tts_conf.generator_params.decoder_upsample_scales", [8, 8, 2], r"decoder_.* = 128 samples per frame"),
        ("vits", "tts_conf.mel_loss_params.fmax", 11025, "fmax is 11025 Hz, but --fs 16000"),
        ("vits", "tts_conf.generator_params.segment_size", 2, r"2 \* --hop_length 256 = 512 samples .*n_fft 1024"),
        ("jets", "pitch_extract_conf.use_token_averaged_f0", True, "is true, but jets needs false"),
        ("jets", "energy_extract", None, "lacks energy_extract"),
        ("fastspeech2", "energy_extract_conf.use_token_averaged_energy", False, "is false, but fastspeech2 needs true"),
        ("fastspeech2", "tts_conf.reduction_factor", 2, "reduction_factor is 1, but tts_conf.reduction_factor is 2"),
        ("fastspeech2", "tts", "prodiff", "tts: 'prodiff'"),
    ],
)
def test_each_check_names_the_option(model, place, value, message, conf):
    config = conf(model)
    *path, key = place.split(".")
    inner = config
    for name in path:
        inner = inner[name]
    inner[key] = value
    with pytest.raises(ValueError, match=message):
        check_train_config(config, 16000, 256, "a.yaml")


def test_noam_knows_the_width(conf):
    config = load_train_config(ROOT / "conf/train_fastspeech2.yaml", "--tts_conf adim=256")
    with pytest.raises(ValueError, match="model_size is 384, but tts_conf.adim is 256"):
        check_train_config(config, 22050, 256)


def test_the_command_line_changes_the_yaml():
    options = "--max_epoch 2 --tts_conf generator_params.segment_size=16 --feats_extract fbank --pitch_extract none"
    config = load_train_config(ROOT / "conf/mini/train_jets.yaml", options)
    assert config["max_epoch"] == 2
    assert config["tts_conf"]["generator_params"]["segment_size"] == 16
    assert config["tts_conf"]["generator_params"]["adim"] == 128
    assert config["feats_extract"] == "fbank" and config["pitch_extract"] is None


@pytest.fixture
def stats_dir(tmp_path):
    """What check_stats reads of stage 6: features with 80 bands, utterances of 9000 and 30000 samples."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train/speech_shape").write_text("a 9000\nb 30000\n")
    made = tmp_path / "logdir/stats.1/config.yaml"
    made.parent.mkdir(parents=True)
    conf = {"fs": 16000, "n_fft": 1024, "hop_length": 256, "n_mels": 80, "htk": False}
    extractors = {"feats_extract": "fbank", "pitch_extract": "dio", "energy_extract": "energy"}
    made.write_text(yaml.safe_dump(extractors | {"feats_extract_conf": conf}))
    return tmp_path


FEATURES = "--feats_extract fbank --feats_extract_conf n_fft=1024"


@pytest.mark.parametrize(
    "options, message",
    [
        ("", None),
        ("--feats_extract_conf n_mels=40", r"feats_extract_conf.n_mels 80, but a.yaml and the options have 40"),
        ("--feats_extract linear_spectrogram", "feats_extract fbank, but .* linear_spectrogram"),
        (
            "--tts_conf generator_params.segment_size=64",
            "a has 9000 samples, but a training segment of a.yaml takes 16384",
        ),
        (
            "--batch_type numel --batch_bins 20000",
            r"batch_bins 20000 hold less than one utterance of 30000 samples \(b\)",
        ),
    ],
)
def test_stage_7_trains_on_what_stage_6_computed(options, message, stats_dir):
    config = load_train_config(ROOT / "conf/mini/train_jets.yaml", f"{FEATURES} {options}")
    if message is None:
        check_stats(config, stats_dir, 256, name="a.yaml")
    else:
        with pytest.raises(ValueError, match=message):
            check_stats(config, stats_dir, 256, name="a.yaml")


def test_each_gpu_gets_an_utterance_of_every_batch(stats_dir):
    config = load_train_config(ROOT / "conf/mini/train_jets.yaml", "--batch_type numel --batch_bins 50000")
    check_stats(config, stats_dir, 256, ngpu=1)
    with pytest.raises(ValueError, match=r"less than 2 \(--ngpu\) of 30000"):
        check_stats(config, stats_dir, 256, ngpu=2)


def test_shortest_usable_utterance():
    config = {"tts_conf": {"generator_params": {"segment_size": 32}}}
    assert min_num_samples(config, 256) == 8192
    assert min_num_samples({"tts": "jets"}, 256) == 64 * 256  # ESPnet's default


@pytest.mark.parametrize("content, message", [("a: [1", "no valid YAML"), ("- a\n", "not a mapping")])
def test_a_broken_yaml_is_an_error(content, message, tmp_path):
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_train_config(tmp_path / "a.yaml")
    with pytest.raises(FileNotFoundError, match="--tts_config"):
        load_train_config(tmp_path / "b.yaml")


def test_the_worker_of_stage_7_refuses_with_one_line(stats_dir, tmp_path):
    from silvertalk.bin.tts_prepare import main

    voice = {"train_config": ROOT / "conf/mini/train_jets.yaml", "stats_dir": stats_dir, "token_list": "tokens.txt"}
    for name in ("feats", "pitch", "energy"):
        (stats_dir / f"train/{name}_stats.npz").touch()
    command = ["train", "--exp_dir", str(tmp_path / "exp"), *(f"--voice.{key}={value}" for key, value in voice.items())]
    main(command)
    with pytest.raises(SystemExit, match="n_fft 1024, but .* and the options have 512"):
        main([*command, "--voice.train_args=--feats_extract_conf n_fft=512"])
    (stats_dir / "train/pitch_stats.npz").unlink()
    with pytest.raises(SystemExit, match="no .*pitch_stats.npz; run stage 6"):
        main(command)
