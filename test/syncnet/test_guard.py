"""The guard tells good data from bad, in words."""

import numpy as np
import pytest
import torch

from silvertalk.data.face_clips import FaceClip, load_face_clips
from silvertalk.syncnet.dataset import SyncNetDataset
from silvertalk.syncnet.guard import GuardOptions, check_expert, describe_data, expert_advice
from silvertalk.syncnet.networks import SyncNet
from silvertalk.utils import write_text


@pytest.fixture
def dataset(face_dir):
    return SyncNetDataset(load_face_clips(face_dir, 15), 96, seed=1)


class OneLabel(SyncNetDataset):
    """Every pair is a match."""

    def __getitem__(self, index):
        return super().__getitem__(index) | {"label": torch.tensor(1.0)}


class Blank(SyncNetDataset):
    """Nothing to see and nothing to hear."""

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return sample | {name: torch.zeros_like(sample[name]) for name in ("mel", "face")}


class Guess(torch.nn.Module):
    """An expert that looks at nothing, and learns how often there is a match."""

    def __init__(self):
        super().__init__()
        self.embeddings = torch.nn.Parameter(torch.tensor([[1.0, 0.2], [0.2, 1.0]]))

    def forward(self, mel, face):
        both = torch.nn.functional.normalize(self.embeddings.abs(), dim=1)
        return both[0].expand(len(mel), 2), both[1].expand(len(mel), 2)


def check(dataset, face_dir, tmp_path, network=None, **options):
    torch.manual_seed(0)
    network = network or SyncNet(width=0.0625)
    options = GuardOptions(**{"steps": 20, "batch_size": 4, "lr": 5e-3} | options)
    return check_expert(network, dataset, str(face_dir), str(tmp_path), options, "cpu", bf16=False)


def test_good_data_is_let_through(dataset, face_dir, tmp_path):
    warnings = check(dataset, face_dir, tmp_path)
    assert [w for w in warnings if "speaker" not in w and "minutes" not in w] == []  # it is a small dump of one
    seen = (tmp_path / "guard.txt").read_text()
    assert "3 clips of 1 speakers, 0.1 minutes" in seen and "one batch learnt by heart: loss 0." in seen
    assert "labels shuffled: loss" in seen


def test_what_cannot_be_learnt_is_told(dataset, face_dir, tmp_path):
    blank = Blank(dataset.clips, 96, seed=1)
    assert any("does not learn even one batch" in w for w in check(blank, face_dir, tmp_path))
    with pytest.raises(RuntimeError, match="guard.strict false"):
        check(blank, face_dir, tmp_path, steps=2, strict=True)


def test_a_label_that_is_to_be_guessed_is_told(dataset, face_dir, tmp_path):
    for kind, told in ((OneLabel, True), (SyncNetDataset, False)):
        warnings = check(kind(dataset.clips, 96, seed=1), face_dir, tmp_path, Guess(), lr=0.05, steps=60)
        assert any("with shuffled labels the loss falls" in w for w in warnings) == told


def test_poor_synchrony_and_wrong_spectrograms_are_told(tmp_path):
    write_text(tmp_path / "utt2sync", "u1 0.05\nu2 0.1\n")
    write_text(tmp_path / "utt2offset", "u1 0\nu2 -3\n")
    clips = [FaceClip(name, name, "x.avi", 5000, np.zeros((rows, 80))) for name, rows in (("u1", 16001), ("u2", 19200))]
    facts, warnings = describe_data(str(tmp_path), clips)
    assert "stage 4 shifted the sound of 50% of the clips, by -3 to 0 frames" in facts
    said = "\n".join(warnings)
    assert "hardly correlate (0.07" in said or "hardly correlate (0.08" in said
    assert "u2: spectrogram and pictures differ in length" in said
    assert "only 2 speakers" in said


def test_advice():
    assert expert_advice(3, 0.69, 0.69) is None  # too early
    assert "frame rate" in expert_advice(5, 0.693, 0.70)
    assert "knows its clips" in expert_advice(5, 0.3, 0.75)
    assert expert_advice(5, 0.5, 0.55) is None and expert_advice(5, 0.5, None) is None
