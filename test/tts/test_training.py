"""Stages 5 to 8 for real: each model, as small as it can be, for two updates."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from silvertalk.tts.default import SHIPPED

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {"tr_no_dev": ["ab a b", "b a ab", "a b ba"], "dev": ["ba ab a"], "eval1": ["b ab a"]}
SHORT = "--max_epoch 1 --num_iters_per_epoch 2 --batch_size 2 --num_workers 0 --num_att_plot 1 --log_interval 1"
SIZES = {
    "tacotron2": "embed_dim=8 econv_chans=8 eunits=8 adim=8 dunits=8 prenet_units=8 postnet_chans=8",
    "fastspeech2": "adim=8 eunits=8 dunits=8 elayers=1 dlayers=1 postnet_chans=8",
    "jets": " ".join(
        f"generator_params.{size}"
        for size in ("adim=8", "eunits=8", "dunits=8", "elayers=1", "dlayers=1", "generator_channels=8")
    ),
    "vits": " ".join(
        f"generator_params.{size}"
        for size in ("hidden_channels=16", "decoder_channels=16", "posterior_encoder_layers=1", "flow_flows=1")
    ),
}
MEL = {"norm", "denorm", "durations", "speech_shape", "feats_type", "wav", "log"}
TREES = {
    "tacotron2": MEL | {"att_ws", "probs", "focus_rates"},
    "fastspeech2": MEL,
    "vits": {"att_ws", "durations", "focus_rates", "feats_type", "wav", "log"},
}

pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """What stage 4 leaves: five utterances of 0.7 s, a tone in noise."""
    work = tmp_path_factory.mktemp("voices")
    rng = np.random.default_rng(0)
    for name, texts in TEXTS.items():
        folder = work / "dump/raw" / name
        folder.mkdir(parents=True)
        tables = {"text": [], "wav.scp": [], "utt2spk": [], "utt2num_samples": []}
        for k, text in enumerate(texts):
            utt_id, n = f"s1-{name}{k}", 11200
            sound = 0.3 * np.sin(2 * np.pi * (120 + 20 * k) * np.arange(n) / 16000) + rng.normal(0, 0.01, n)
            soundfile.write(folder / f"{utt_id}.wav", sound, 16000)
            for table, value in zip(tables, (text, folder / f"{utt_id}.wav", "s1", n), strict=True):
                tables[table].append(f"{utt_id} {value}\n")
        for table, lines in tables.items():
            (folder / table).write_text("".join(lines))
    return work


@pytest.fixture(scope="module")
def train(work, warm_python):
    """A function (model, *options): run.sh's stages 5 to 8 -> the finished process."""

    def run(model: str, *options: str) -> subprocess.CompletedProcess:
        sizes = " ".join(f"--tts_conf {size}" for size in SIZES[model].split())
        command = [
            ROOT / "run.sh",
            "--workdir",
            work,
            "--stage",
            "5",
            "--stop_stage",
            "8",
            "--nj",
            "1",
            "--corpus",
            "toy",
        ]
        command += ["--tts_config", ROOT / f"conf/mini/train_{model}.yaml", "--decode_sets", "eval1"]
        return subprocess.run(
            [str(word) for word in (*command, "--tts_train_args", f"{SHORT} {sizes}", *options)],
            env=os.environ | {"SILVERTALK_PYTHON": str(warm_python)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return run


def check_tree(work: Path, model: str, tag: str) -> Path:
    """The names of ESPnet's tree, with something in each; gives the folder of eval1."""
    exp_dir = work / f"exp/tts_train_{model}_raw_char_none_none"
    for name in ("config.yaml", "train.log", "1epoch.pth", "checkpoint.pth", "latest.pth", f"{tag}.pth"):
        assert (exp_dir / name).stat().st_size
    for name in ("att_ws", "tensorboard", "images"):
        assert any((exp_dir / name).iterdir())
    out = exp_dir / f"decode_{tag}/eval1"
    assert TREES[model] <= {path.name for path in out.iterdir()}
    assert not (MEL | {"probs"}) - TREES[model] & {path.name for path in out.iterdir()}
    sound, rate = soundfile.read(out / "wav/s1-eval10.wav")
    assert rate == 16000 and len(sound) >= 256 and np.isfinite(sound).all()
    durations = (out / "durations/durations").read_text().split()
    assert len(durations) == 1 + len(TEXTS["eval1"][0]) + (model != "vits")
    return out


@pytest.mark.long
def test_tacotron2_teaches_fastspeech2(work, train):
    done = train("tacotron2", "--tts_decode_args", "--maxlenratio 5")
    assert done.returncode == 0, done.stdout
    out = check_tree(work, "tacotron2", "train.loss.ave")
    assert [path.name for path in (out / "probs").iterdir()] == ["s1-eval10.png"]
    # The teacher hears its own training set.
    teacher = work / "exp/tts_train_tacotron2_raw_char_none_none"
    done = train("fastspeech2", "--teacher_exp", str(teacher))
    assert done.returncode == 0, done.stdout
    check_tree(work, "fastspeech2", "train.loss.ave")
    lines = (work / "exp/tts_stats_raw_char_none_none_durations/train/durations").read_text().splitlines()
    for line, text in zip(lines, TEXTS["tr_no_dev"], strict=True):
        durations = list(map(int, line.split()[1:]))
        assert len(durations) == len(text) + 1 and sum(durations) == 11200 // 256 + 1


@pytest.mark.long
def test_vits(work, train):
    done = train("vits")
    assert done.returncode == 0, done.stdout
    check_tree(work, "vits", "train.total_count.ave")
    assert (work / "exp/tts_stats_raw_linear_spectrogram_char_none_none/train/feats_stats.npz").is_file()


def test_jets_goes_on_from_its_halves(work, train, tmp_path):
    for part in ("mel", "vocoder"):
        (tmp_path / f"{part}.yaml").write_text(
            "data: {batch_size: 2, num_workers: 0, segment_size: 16}\n"
            "loss: {adversarial_weight: 1.0}\n"
            "trainer: {max_epoch: 1, num_iters_per_epoch: 2, num_valid_iters: 1}\n"
        )
    # Stage 6 of Tacotron 2 had other --tts_train_args.
    stats = ["--tts_stats_dir", str(tmp_path / "stats")]
    done = train("jets", "--tts_pretrain_config", str(tmp_path / "PART.yaml"), *stats)
    assert done.returncode == 0, done.stdout
    exp_dir = work / "exp/tts_train_jets_raw_char_none_none"
    halves = {part: _states(exp_dir / f"pretrain/{part}/1epoch.pth")["state_dict"] for part in ("mel", "vocoder")}
    init = _states(exp_dir / "joined.pth")
    log = (exp_dir / "pretrain/mel/train.log").read_text()
    assert all(np.isfinite(float(log.split(f"train/{name}=")[1].split(",")[0])) for name in ("matching", "disc_fake"))
    for name, half, prefix in (
        ("encoder.embed.0.weight", "mel", "jets."),
        ("decoder.after_norm.weight", "mel", "jets."),
        ("generator.output_conv.1.weight_v", "vocoder", ""),
    ):
        torch.testing.assert_close(
            init[f"tts.generator.{name}"], halves[half][prefix + name.removeprefix("generator.")]
        )
    assert "joined.pth" in (exp_dir / "train.log").read_text()

    # Both halves of another voice go on from those of this one.
    options = ["--init_tts", str(exp_dir), "--expdir", str(tmp_path / "exp")]
    done = train("jets", "--tts_pretrain_config", str(tmp_path / "PART.yaml"), *stats, *options)
    assert done.returncode == 0, done.stdout
    [second] = (tmp_path / "exp").glob("tts_train_*")
    first = _states(second / "init.pth")
    for part, name in (("mel", "jets.decoder.after_norm.weight"), ("vocoder", "output_conv.1.weight_v")):
        made = _states(second / f"pretrain/{part}/1epoch.pth")["state_dict"][name]
        key = f"tts.generator.{'' if part == 'mel' else 'generator.'}{name.removeprefix('jets.')}"
        assert 0 < (made - first[key]).abs().max() < 0.01  # two steps away
    assert (exp_dir / "decode_train.total_count.ave/eval1/wav/s1-eval10.wav").is_file()


def _states(path: Path) -> dict:
    return torch.load(path, map_location="cpu", weights_only=True)


def test_the_voice_of_the_package_speaks_a_test_set(work, train):
    done = train("jets", "--tts_exp", str(SHIPPED), "--stage", "8")
    assert done.returncode == 0, done.stdout
    [sound] = work.glob("exp/en_kathleen/decode_*/eval1/wav/*.wav")
    wav, rate = soundfile.read(sound)
    assert rate == 16000 and 0.5 < len(wav) / rate < 4 and np.abs(wav).max() > 0.05
