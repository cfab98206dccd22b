"""Training learns, leaves ESPnet's tree, and goes on after a kill."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import kaldiio
import numpy as np
import pytest
import torch

from silvertalk.data import read_scp
from silvertalk.data.face_clips import FaceClip, load_face_clips
from silvertalk.syncnet import modules
from silvertalk.syncnet.dataset import SyncNetDataset, to_float
from silvertalk.syncnet.guard import GuardOptions
from silvertalk.syncnet.losses import cosine_bce
from silvertalk.syncnet.train import train_syncnet
from silvertalk.training.experiment import find_weights, load_config
from silvertalk.training.fit import TrainerOptions
from silvertalk.training.learning import OptimOptions
from silvertalk.wav2lip import SyncNet, Wav2Lip, dataset, load_checkpoint
from silvertalk.wav2lip.dataset import Wav2LipDataset
from silvertalk.wav2lip.modules import LossOptions
from silvertalk.wav2lip.train import DataOptions, NetworkOptions, train_wav2lip

TINY = NetworkOptions(width=0.0625)
SHORT = TrainerOptions(max_epoch=2, num_iters_per_epoch=3, num_valid_iters=1, keep_nbest_models=2)
FEW = DataOptions(batch_size=4, num_workers=0)
NO_GUARD = GuardOptions(steps=0)
NO_PROCESS = 2**22 + 1  # Linux numbers processes up to 2**22


def syncnet(face_dir, exp_dir, **options) -> None:
    """Train a small expert for a moment."""
    options = {"model": TINY, "data": FEW, "guard": NO_GUARD, "trainer": SHORT} | options
    train_syncnet(str(face_dir), str(face_dir), str(exp_dir), **options)


def wav2lip(face_dir, exp_dir, **options) -> None:
    """Train a small generator for a moment."""
    options = {"model": TINY, "data": FEW, "trainer": SHORT} | options
    train_wav2lip(str(face_dir), str(face_dir), str(exp_dir), **options)


def test_samples_depend_on_index_alone(face_dir):
    clips = load_face_clips(face_dir, 15)
    for kind in (SyncNetDataset, Wav2LipDataset):
        one, other = kind(clips, 96, seed=5), kind(clips, 96, seed=5)
        first, again = one[1234], other[1234]
        assert all(torch.equal(first[k], again[k]) for k in first)
        assert any(not torch.equal(first[k], one[1235][k]) for k in first)


def test_generator_sample_pairs_frame_and_sound(face_dir):
    clips = load_face_clips(face_dir, 15)
    sample = dataset.to_float(Wav2LipDataset(clips, 96, seed=1)[3])
    assert sample["mels"].shape == (5, 1, 80, 16) and sample["face"].shape == (6, 5, 96, 96)
    assert not sample["face"][:3, :, 48:].any()
    torch.testing.assert_close(sample["face"][:3, :, :48], sample["target"][:, :, :48])
    # The second column lies wholly in the first frame; it is the loudness the mouth shows.
    shown = sample["target"][0, :, 70, 48] * 8 - 4
    torch.testing.assert_close(sample["mels"][:, 0, 40, 1], shown, atol=0.25, rtol=0)


def test_expert_sample_labels(face_dir):
    dataset = SyncNetDataset(load_face_clips(face_dir, 15), 96, seed=1)
    labels = []
    for index in range(40):
        sample = to_float(dataset[index])
        labels.append(float(sample["label"]))
        shown = sample["face"].reshape(5, 3, 48, 96)[0, 0, 22, 48] * 8 - 4
        if sample["label"]:
            assert abs(float(shown - sample["mel"][0, 40, 1])) < 0.25
    assert 10 < sum(labels) < 30


def test_mel_window_beyond_the_ends_is_silence():
    clip = FaceClip("u", "s", "x.avi", 10, np.ones((30, 80), np.float32))
    assert (clip.mel_window(25, 16)[0, :, :5] == 1).all() and (clip.mel_window(25, 16)[0, :, 5:] == -4).all()
    assert (clip.mel_window(-3, 16)[0, :, :3] == -4).all() and (clip.mel_window(-3, 16)[0, :, 3:] == 1).all()


def test_expert_overfits_a_batch(face_dir):
    torch.manual_seed(0)
    dataset = SyncNetDataset(load_face_clips(face_dir, 15), 96, seed=1)
    samples = [to_float(dataset[i]) for i in range(8)]
    batch = {k: torch.stack([s[k] for s in samples]) for k in samples[0]}
    expert = SyncNet(width=0.125)
    optimiser = torch.optim.Adam(expert.parameters(), 2e-3)
    for _ in range(40):
        loss = cosine_bce(*expert(batch["mel"], batch["face"]), batch["label"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.25


def test_both_trainings_leave_the_tree(face_dir, tmp_path):
    (tmp_path / "syncnet").mkdir()
    (tmp_path / "syncnet" / f".latest.{NO_PROCESS}.tmp.pth").touch()  # a run killed while it wrote
    syncnet(face_dir, tmp_path / "syncnet")
    wav2lip(face_dir, tmp_path / "wav2lip", syncnet_exp=str(tmp_path / "syncnet"))
    for name, kind in (("syncnet", SyncNet), ("wav2lip", Wav2Lip)):
        folder = tmp_path / name
        names = {path.name for path in folder.iterdir()}
        assert {
            "config.yaml", "train.log", "1epoch.pth", "2epoch.pth", "checkpoint.pth", "latest.pth",
            "valid.loss.best.pth", "valid.loss.ave_2best.pth", "tensorboard", "images",
        } <= names  # fmt: skip
        assert not [n for n in names if ".tmp" in n]
        assert list((folder / "tensorboard").iterdir())
        assert isinstance(load_checkpoint(folder), kind)
        assert find_weights(folder).name == "valid.loss.ave_2best.pth"
    assert {path.name for path in (tmp_path / "wav2lip" / "images").iterdir()} == {
        "loss.png", "1epoch.png", "2epoch.png", "1epoch.mp4", "2epoch.mp4",
    }  # fmt: skip


@pytest.mark.recipe  # seconds
def test_discriminator_moving_average_and_resumption(face_dir, tmp_path):
    loss = LossOptions(adversarial_weight=0.1, gradient_weight=0.1)
    trainer = replace(SHORT, num_iters_per_epoch=2, accum_grad=2, grad_clip=1.0, ema=0.5)
    exp, optim = tmp_path / "gan", OptimOptions(lr=1e-3, final_lr=1e-4)
    syncnet(face_dir, tmp_path / "syncnet", trainer=replace(SHORT, max_epoch=1))
    expert = str(tmp_path / "syncnet")
    wav2lip(face_dir, exp, syncnet_exp=expert, loss=loss, optim=optim, trainer=replace(trainer, max_epoch=1))
    first = {name: torch.load(exp / name)["state_dict"] for name in ("1epoch.pth", "discriminator.pth")}
    checkpoint = torch.load(exp / "checkpoint.pth", weights_only=False)
    validated, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    key = "network.output_block.1.weight"
    torch.testing.assert_close(first["1epoch.pth"][key.removeprefix("network.")], validated[key])
    assert not torch.equal(validated[key], current[key])  # the average is not the newest
    assert torch.load(exp / "1epoch.pth")["global_step"] == 2  # of the generator alone

    wav2lip(face_dir, exp, syncnet_exp=expert, loss=loss, optim=optim, trainer=trainer)
    for name in ("2epoch.pth", "discriminator.pth"):
        state = torch.load(exp / name)["state_dict"]
        before = first["1epoch.pth" if name == "2epoch.pth" else name]
        assert any(not torch.equal(state[key], before[key]) for key in state)
    assert torch.load(exp / "checkpoint.pth", weights_only=False)["global_step"] == 8  # of both networks, both runs


class Watched:
    """A forward that notes whether the network is in training mode."""

    def __init__(self, forward):
        self.forward, self.modes = forward, []

    def __get__(self, network, kind=None):
        def call(*args):
            self.modes.append(all(module.training for module in network.modules()))
            return self.forward(network, *args)

        return call


def test_fine_tuning_goes_on_from_a_checkpoint(face_dir, tmp_path, monkeypatch):
    syncnet(face_dir, tmp_path / "old", trainer=replace(SHORT, max_epoch=1, num_iters_per_epoch=1))
    still = {"optim": OptimOptions(lr=0.0), "trainer": replace(SHORT, max_epoch=1, num_iters_per_epoch=1)}
    monkeypatch.setattr(SyncNet, "forward", watched := Watched(SyncNet.forward))
    syncnet(face_dir, tmp_path / "new", init=str(tmp_path / "old" / "1epoch.pth"), model=NetworkOptions(), **still)
    assert watched.modes[0]  # batch normalisation learns on
    assert load_config(tmp_path / "new")["model"] == {"img_size": 96, "width": 0.0625}
    old, new = (load_checkpoint(tmp_path / name) for name in ("old", "new"))
    torch.testing.assert_close(dict(old.named_parameters()), dict(new.named_parameters()))
    with pytest.raises(ValueError, match="width 0.0625, not 0.125"):
        syncnet(face_dir, tmp_path / "x", init=str(tmp_path / "old"), model=NetworkOptions(width=0.125))
    with pytest.raises(ValueError, match="holds a SyncNet, not a Wav2Lip; name another"):
        wav2lip(face_dir, tmp_path / "x", init=str(tmp_path / "old"))
    with pytest.raises(ValueError, match=r"--face_size 192"):
        syncnet(face_dir, tmp_path / "x", model=NetworkOptions(img_size=192, width=0.0625))


@pytest.mark.recipe  # seconds
def test_no_better_epoch_ends_the_training(face_dir, tmp_path):
    options = {"optim": OptimOptions(lr=0.0), "trainer": replace(SHORT, max_epoch=9, num_iters_per_epoch=1, patience=1)}
    frozen = DataOptions(batch_size=4, num_workers=0)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(torch.nn.BatchNorm2d, "momentum", 0.0, raising=False)
    syncnet(face_dir, tmp_path, data=frozen, **options)
    epochs = load_history(tmp_path)
    assert 2 <= len(epochs) < 9
    syncnet(face_dir, tmp_path, data=frozen, **options)  # and is not begun again
    assert load_history(tmp_path) == epochs
    monkey.undo()


def load_history(folder) -> list:
    """What the resume point says of the epochs."""
    states = torch.load(folder / "checkpoint.pth", weights_only=False)["callbacks"]
    return json.loads(states["ExperimentFolder"]["history"])


@pytest.mark.parametrize("fault", ["nan", "disk"])
def test_last_good_epoch_survives(face_dir, tmp_path, monkeypatch, fault):
    trainer = replace(SHORT, max_epoch=1, num_iters_per_epoch=1)
    syncnet(face_dir, tmp_path, trainer=trainer)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.pth")}
    with monkeypatch.context() as broken:
        if fault == "nan":
            broken.setattr(modules, "cosine_bce", lambda *args: torch.tensor(float("nan"), requires_grad=True))
            expected = pytest.raises(RuntimeError, match=r"valid/loss is nan|train/loss is nan")
        else:

            def full(*args, **kwargs):
                raise OSError(errno.ENOSPC, "No space left on device")

            broken.setattr(torch, "save", full)
            expected = pytest.raises(
                OSError, match=r"cannot be written .*No space left.*checkpoint.pth is that of the last finished epoch"
            )
        with expected:
            syncnet(face_dir, tmp_path, trainer=replace(trainer, max_epoch=2))
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.pth")} == before
    assert not list(tmp_path.rglob("*.tmp*"))
    syncnet(face_dir, tmp_path, trainer=replace(trainer, max_epoch=2))
    assert len(load_history(tmp_path)) == 2


def test_clips_without_a_voice_are_refused(tmp_path):
    kaldiio.save_ark(str(tmp_path / "speech.ark"), {"u": np.zeros(40, np.float32)}, scp=str(tmp_path / "speech.scp"))
    clip = FaceClip("u", "s", "x.avi", 40, np.zeros((129, 80)), speech=read_scp(tmp_path / "speech.scp")["u"])
    with pytest.raises(RuntimeError, match="the last u, have no two windows"):
        SyncNetDataset([clip], 96, seed=0)[0]


@pytest.mark.long  # two trainings in processes of their own
@pytest.mark.parametrize("when", ["checkpoint.pth", "1epoch.pth"])
def test_killed_training_ends_like_an_uninterrupted_one(face_dir, tmp_path, when):
    def command(folder):
        return [
            sys.executable, "-m", "silvertalk.bin.train", "syncnet", f"--train_dir={face_dir}",
            f"--valid_dir={face_dir}", f"--exp_dir={folder}", "--model.width=0.0625",
            "--data.batch_size=2", "--data.num_workers=0",
            "--trainer.max_epoch=3", "--trainer.num_iters_per_epoch=3", "--trainer.num_valid_iters=1",
        ]  # fmt: skip

    options = TrainerOptions(max_epoch=3, num_iters_per_epoch=3, num_valid_iters=1)
    data = DataOptions(batch_size=2, num_workers=0)
    syncnet(face_dir, tmp_path / "whole", data=data, guard=GuardOptions(), trainer=options)
    killed = tmp_path / "killed"
    process = subprocess.Popen(command(killed), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.time() + 60
    while not (killed / when).exists() and time.time() < deadline and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    syncnet(face_dir, killed, data=data, guard=GuardOptions(), trainer=options)
    assert {p.name for p in killed.iterdir()} == {p.name for p in (tmp_path / "whole").iterdir()}
    one, other = (load_checkpoint(tmp_path / name).state_dict() for name in ("whole", "killed"))
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=1e-3, atol=1e-4)


def test_wrong_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="run stages 3 and 4"):
        load_face_clips(tmp_path, 15)
    with pytest.raises(FileNotFoundError, match="config.yaml"):
        load_checkpoint(tmp_path)
