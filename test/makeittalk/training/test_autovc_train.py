"""AutoVC's data are made once, its training learns, leaves the tree, and goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from silvertalk.bin.train import get_parser
from silvertalk.data import read_rows, read_scp, write_scp
from silvertalk.makeittalk.checkpoint import load_checkpoint
from silvertalk.makeittalk.networks import AutoVC
from silvertalk.makeittalk.sound import SoundFeatures
from silvertalk.makeittalk.training import autovc_data
from silvertalk.makeittalk.training.autovc_data import (
    WINDOW,
    VoiceDataset,
    load_speakers,
    load_voice_clips,
    prepare_features,
    speaker_means,
    voice_features,
)
from silvertalk.makeittalk.training.autovc_train import (
    AutoVCTraining,
    DataOptions,
    LossOptions,
    NetworkOptions,
    begin_with_mean,
    one_hot,
    train_autovc,
)
from silvertalk.media import write_audio
from silvertalk.training.experiment import load_config
from silvertalk.training.fit import TrainerOptions
from silvertalk.training.learning import OptimOptions

TINY = NetworkOptions(neck=2, pre=16)
SHORT = TrainerOptions(max_epoch=1, num_iters_per_epoch=2, num_valid_iters=1, keep_nbest_models=2)
FEW = DataOptions(batch_size=3, num_workers=0)


def voice(f0: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Harmonics that rise and fall, whose weights change as vowels do: float (N,)."""
    t = np.arange(round(16000 * seconds)) / 16000
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * t + seed))) / 16000
    formant = 900 + 500 * np.sin(2 * np.pi * 1.3 * t + 2 * seed)
    loud = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * t + seed)
    return 0.05 * loud * sum(np.exp(-(((k * f0 - formant) / 400) ** 2)) * np.sin(k * phase) for k in range(1, 20))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    """Two speakers of two utterances, one of them short, and one that cannot be used."""
    folder = tmp_path_factory.mktemp("raw")
    sounds = {
        "a-1": voice(110, 3), "a-2": voice(120, 2.5, 1), "b-1": voice(210, 1.2, 2), "b-2": voice(200, 2.5, 3),
        "b-3": np.zeros(500),
    }  # fmt: skip
    for utt_id, wav in sounds.items():
        write_audio(folder / f"{utt_id}.wav", wav, 16000)
    write_scp(folder / "wav.scp", {utt_id: folder / f"{utt_id}.wav" for utt_id in sounds})
    write_scp(folder / "utt2spk", {utt_id: utt_id[0] for utt_id in sounds})
    return folder


@pytest.fixture(scope="module")
def features(data_dir, tmp_path_factory) -> Path:
    """What is computed of them."""
    folder = tmp_path_factory.mktemp("features")
    prepare_features([str(data_dir)], folder)
    return folder


def train(data_dir, exp_dir, **options) -> None:
    """Train a small network for a moment."""
    options = {"model": TINY, "data": FEW, "trainer": SHORT} | options
    train_autovc([str(data_dir)], [str(data_dir)], str(exp_dir), **options)


def test_features_are_kept(data_dir, features):
    assert read_scp(features / "utt2spk") == {"a-1": "a", "a-2": "a", "b-1": "b", "b-2": "b"}
    assert (
        features / "skipped.tsv"
    ).read_text() == "b-3\t500 samples of sound are too few; give 1024 (64 ms) or more\n"
    clips = {clip.utt_id: clip for clip in load_voice_clips(features)}
    assert clips["a-1"].num_frames == 1 + 48000 // 256
    assert read_rows(clips["a-1"].mel, 0, 999).shape == (188, 80)
    f0 = read_rows(clips["a-1"].f0, 0, 999)
    assert f0.shape == (188, 1) and np.mean(f0 > 0) > 0.7 and f0.max() < 257
    speakers = load_speakers(features)
    assert list(speakers) == ["a", "b"] and speakers["a"].dtype == np.float32
    assert np.dot(speakers["a"], speakers["b"]) < 0.98 < np.linalg.norm(speakers["a"]) + 0.1


def test_features_are_computed_once(data_dir, tmp_path, monkeypatch):
    calls, compute = [], autovc_data.voice_features

    def counted(wav):
        calls.append(len(wav))
        if len(calls) == 2:
            raise KeyboardInterrupt  # a run that is killed
        return compute(wav)

    monkeypatch.setattr(autovc_data, "voice_features", counted)
    with pytest.raises(KeyboardInterrupt):
        prepare_features([str(data_dir)], tmp_path)
    prepare_features([str(data_dir)], tmp_path)
    assert len(calls) == 2 + 4  # all but the first, which was done
    prepare_features([str(data_dir), str(data_dir)], tmp_path)  # another list, the same utterances
    assert len(calls) == 2 + 4 and len(load_voice_clips(tmp_path)) == 4


def test_other_processes_wait(data_dir, features, tmp_path, monkeypatch):
    monkeypatch.setattr(autovc_data.rank_zero_only, "rank", 1)
    prepare_features([str(data_dir)], features)  # nothing is left to do
    looks = []

    def finish(seconds):
        looks.append(seconds)
        (tmp_path / ".done").write_bytes((features / ".done").read_bytes())

    monkeypatch.setattr(autovc_data.time, "sleep", finish)
    prepare_features([str(data_dir)], tmp_path)
    assert len(looks) == 1 and not (tmp_path / "mel.scp").exists()


def test_face_dumps_and_segments_are_read(data_dir, tmp_path):
    sounds = read_scp(data_dir / "wav.scp")
    face, cut = tmp_path / "face", tmp_path / "cut"
    write_scp(face / "utt2spk", {"a-1": "a", "a-2": "a"})
    write_scp(face / "audio.scp", {"a-1": sounds["a-1"]})  # nobody is heard in the other
    write_scp(cut / "utt2spk", {"b-x": "b"})
    write_scp(cut / "wav.scp", {"film": sounds["a-1"]})
    write_scp(cut / "segments", {"b-x": "film 1.0 2.5"})
    prepare_features([str(face), str(cut)], tmp_path / "features")
    assert read_scp(tmp_path / "features" / "utt2num_frames") == {"a-1": "188", "b-x": str(1 + 24000 // 256)}
    with pytest.raises(FileNotFoundError, match=r"audio.scp or wav.scp; run stages 1 to 4"):
        prepare_features([str(tmp_path)], tmp_path / "none")


def test_samples(features):
    clips, speakers = load_voice_clips(features), load_speakers(features)
    one, other = (VoiceDataset(clips, speakers, seed=3) for _ in range(2))
    for index in range(20):
        sample, again = one[index], other[index]
        assert all(torch.equal(sample[name], again[name]) for name in sample)
        assert sample["mel"].shape == (WINDOW, 80) and sample["f0"].shape == (WINDOW,)
    short = VoiceDataset([clip for clip in clips if clip.utt_id == "b-1"], speakers, seed=3)[0]
    length = 1 + 19200 // 256
    assert (short["f0"][length:] == -1).all() and (short["f0"][:length] >= 0).all()
    assert not short["mel"][length:].any() and short["mel"][:length].any()
    classes = one_hot(short["f0"][None])
    assert classes.shape == (1, WINDOW, 257) and not classes[0, length:].any()
    assert (classes[0, :length].argmax(1) == short["f0"][:length]).all()


def test_speakers_are_means():
    voices = {"a-1": [1.0, 0.0], "a-2": [0.0, 1.0], "b-1": [2.0, 2.0]}
    means = speaker_means(voices.items(), {key: key[0] for key in voices})
    assert means["a"].tolist() == [0.5, 0.5] and means["b"].tolist() == [2.0, 2.0]


def test_training_leaves_the_tree_and_goes_on(data_dir, features, tmp_path, monkeypatch):
    exp = tmp_path / "exp"
    train(data_dir, exp)
    names = {path.name for path in exp.iterdir()}
    assert {"config.yaml", "train.log", "1epoch.pth", "checkpoint.pth", "latest.pth", "valid.loss.best.pth",
            "valid.loss.ave_2best.pth", "tensorboard", "images", "features"} <= names  # fmt: skip
    assert {path.name for path in (exp / "images").iterdir()} == {"loss.png", "1epoch.png"}
    config = load_config(exp)
    assert config["task"] == "makeittalk_autovc" and config["model"]["pre"] == 16 and config["model"]["neck"] == 2
    first = load_checkpoint(exp)
    assert isinstance(first, AutoVC) and first.options == config["model"]

    monkeypatch.setattr(autovc_data, "voice_features", None)  # is not computed again
    train(data_dir, exp, trainer=replace(SHORT, max_epoch=2))
    assert torch.load(exp / "2epoch.pth")["global_step"] == 4
    features = SoundFeatures(exp, np.full(256, 1 / 16))
    assert features.content(voice(130, 1.0), np.full(256, 1 / 16)).shape == (63, 80)


def test_fine_tuning(data_dir, features, tmp_path, monkeypatch):
    monkeypatch.setattr(autovc_data, "prepare_features", lambda *args: None)
    monkeypatch.setattr("silvertalk.makeittalk.training.autovc_train.prepare_features", lambda *args: None)
    monkeypatch.setattr("silvertalk.makeittalk.training.autovc_train.FEATURES", str(features))
    for name in ("train", "valid"):
        if not (features / name).exists():
            (features / name).symlink_to(features)
    torch.manual_seed(1)
    old = AutoVC(pre=16, neck=2)
    torch.save({"model": old.state_dict()}, tmp_path / "ckpt_autovc.pth")
    init = {"init": str(tmp_path / "ckpt_autovc.pth"), "optim": OptimOptions(lr=0.0)}
    train(data_dir, tmp_path / "new", model=NetworkOptions(), **init)
    new = load_checkpoint(tmp_path / "new")
    torch.testing.assert_close(new.state_dict(), old.state_dict())
    with pytest.raises(ValueError, match="has pre 16, not 32; leave model.pre out"):
        train(data_dir, tmp_path / "x", model=NetworkOptions(pre=32), **init)


def test_new_networks_begin_with_the_mean(features):
    voices = VoiceDataset(load_voice_clips(features), load_speakers(features), seed=3)
    network = AutoVC(pre=16, neck=2)
    begin_with_mean(network, voices)
    batch = {name: torch.stack([voices[n][name] for n in range(4)]) for name in voices[0]}
    rough, made, _ = network(batch["mel"], batch["embedding"], one_hot(batch["f0"]), batch["embedding"])
    torch.testing.assert_close(made, rough)
    assert functional.mse_loss(made, batch["mel"]) < 1.5 * batch["mel"].var((0, 1)).mean()


def test_losses(monkeypatch):
    torch.manual_seed(0)
    network = AutoVC(pre=16, neck=2)
    batch = {"mel": torch.rand(2, 32, 80), "f0": torch.randint(0, 257, (2, 32)), "embedding": torch.rand(2, 256)}
    voices = batch["embedding"]
    rough, made, codes = network(batch["mel"], voices, one_hot(batch["f0"]), voices)
    again = network(made, voices, one_hot(batch["f0"]), voices)[2]
    expected = (
        ((made - batch["mel"]) ** 2).mean(),
        ((rough - batch["mel"]) ** 2).mean(),
        (again - codes).abs().mean(),
    )
    for weights in ((1.0, 1.0), (0.0, 0.0), (2.0, 5.0)):
        module = AutoVCTraining(network, OptimOptions(), LossOptions(*weights), Path())
        monkeypatch.setattr(module, "_log", lambda *args: None)
        wanted = expected[0] + weights[0] * expected[1] + weights[1] * expected[2]
        torch.testing.assert_close(module.training_step(batch, 0), wanted)
    with pytest.raises(ValueError, match="have to be 0 or more"):
        LossOptions(content_weight=-1)


def test_several_sets_may_be_named():
    cmd = ["--train_dirs", "x", "y", "--valid_dirs", "z", "--exp_dir=e"]
    options = get_parser("makeittalk_autovc").parse_args(cmd)
    assert options.train_dirs == ["x", "y"] and options.valid_dirs == ["z"]


@pytest.mark.long
def test_a_small_network_learns_a_batch_by_heart():
    """Measured: 0.005 with the right sound, 0.025 where each voice is shown another's, which tells nothing."""
    voices = [voice_features(voice(f0, 2.2, seed)) for seed, f0 in enumerate((110, 130, 180, 220, 150, 200))]
    mel, f0, embedding = (
        torch.from_numpy(np.stack([features[name][:WINDOW] for features in voices]))
        for name in ("mel", "f0", "embedding")
    )
    f0, embedding = one_hot(f0[..., 0]), embedding[:, 0]

    def error(shuffled: bool) -> float:
        torch.manual_seed(0)
        network = AutoVC(pre=32, neck=4)
        network.decoder.linear_projection["linear_layer"].bias.data.copy_(mel.mean((0, 1)))
        network.postnet.convolutions[-1][-1].weight.data.zero_()
        adam = torch.optim.Adam(network.parameters(), 1e-2)
        for _ in range(100):
            order = torch.randperm(len(mel)) if shuffled else torch.arange(len(mel))
            rough, made, _ = network(mel[order], embedding, f0[order], embedding)
            adam.zero_grad()
            (functional.mse_loss(made, mel) + functional.mse_loss(rough, mel)).backward()
            adam.step()
        return float(functional.mse_loss(made, mel))

    assert error(shuffled=False) < 0.008
    assert error(shuffled=True) > 0.016
