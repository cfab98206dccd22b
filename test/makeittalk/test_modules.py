"""Losses of a training step, what is logged, and the words that are said when nothing is learnt."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from silvertalk.makeittalk.networks import ContentBranch, ImageTranslation, SpeakerBranch
from silvertalk.makeittalk.training import translation_modules
from silvertalk.makeittalk.training.landmark_modules import (
    ContentLossOptions,
    ContentTraining,
    SpeakerGanTraining,
    SpeakerLossOptions,
    SpeakerTraining,
    content_advice,
    speaker_advice,
)
from silvertalk.makeittalk.training.losses import content_loss, gradient_loss, laplacian_loss
from silvertalk.makeittalk.training.train import build_network
from silvertalk.makeittalk.training.translation_modules import (
    TranslationLossOptions,
    TranslationTraining,
    part_weights,
    translation_advice,
)
from silvertalk.training.learning import OptimOptions

SPEAKER = {"spk_emb_enc_size": 4, "hidden_size": 8, "d_model": 8, "layers": 1, "ff_size": 8, "z_size": 4, "pos_dim": 7}


def pieces(*counts):
    """Random pieces of so many windows."""
    torch.manual_seed(0)
    return [
        {
            "au": torch.randn(count, 18, 80), "landmarks": torch.randn(count, 204), "face": torch.randn(204),
            "pose": torch.randn(count, 7), "embedding": torch.rand(256),
        }
        for count in counts
    ]  # fmt: skip


@pytest.fixture
def logged(monkeypatch):
    """What modules log."""
    values = {}

    def log(self, stage, given, batch_size):
        values.update({f"{stage}/{name}": float(value) for name, value in given.items()})

    for kind in (ContentTraining, TranslationTraining):
        monkeypatch.setattr(kind, "_log", log)
    return values


def test_content_step_is_the_mean_over_its_pieces(logged):
    batch, network = pieces(12, 15), ContentBranch(hidden_size=8).eval()
    module = ContentTraining(network, OptimOptions(), Path("images"), loss=ContentLossOptions(motion=True))
    loss = module.training_step(batch, 0)
    alone = [content_loss(module.predict(p), p["landmarks"], motion=True) for p in batch]
    torch.testing.assert_close(loss, torch.stack(alone).mean())
    plain = ContentTraining(network, OptimOptions(), Path("images"), loss=ContentLossOptions(laplacian=False))
    assert plain.training_step(batch, 0) < loss and set(logged) == {"train/loss", "train/l1"}


def test_speaker_losses_are_weighed():
    batch, network = pieces(12), SpeakerBranch(**SPEAKER).eval()

    def values(**options):
        module = SpeakerTraining(network, OptimOptions(), Path("images"), loss=SpeakerLossOptions(**options))
        return module._step(batch)[0]

    given = values(laplacian_weight=3.0, pose_weight=2.0)
    torch.testing.assert_close(given["loss"], given["l1"] + 3 * given["laplacian"] + 2 * given["pose"])
    none = values(pose_weight=0.0)
    assert "pose" not in none
    made = network(batch[0]["au"], 3 * batch[0]["embedding"][None]) + batch[0]["face"]
    torch.testing.assert_close(none["laplacian"], laplacian_loss(made, batch[0]["landmarks"]))
    twice = values(face_twice=True)
    published = laplacian_loss(made + batch[0]["face"], batch[0]["landmarks"])
    torch.testing.assert_close(twice["laplacian"], published)


class Step:
    """Stands for Lightning's optimiser."""

    def __init__(self, network):
        self.optimizer = self.adam = torch.optim.Adam(network.parameters(), 1e-2)
        self.step, self.zero_grad = self.adam.step, self.adam.zero_grad


def test_all_networks_learn_from_each_other(monkeypatch):
    loss = SpeakerLossOptions(adversarial_weight=0.5, discriminator_window=8, discriminator_step=2)
    module = SpeakerGanTraining(
        SpeakerBranch(**SPEAKER), OptimOptions(), Path("images"), loss=loss, accum_grad=1, grad_clip=0.0
    )
    steps, seen = [Step(module.network), Step(module.discriminators)], {}
    monkeypatch.setattr(module, "optimizers", lambda: steps)
    monkeypatch.setattr(module, "lr_schedulers", lambda: None)
    monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
    monkeypatch.setattr(module, "toggle_optimizer", lambda optimiser: None)
    monkeypatch.setattr(module, "untoggle_optimizer", lambda optimiser: None)
    monkeypatch.setattr(module, "_log", lambda stage, values, count: seen.update(values))
    monkeypatch.setattr(SpeakerGanTraining, "global_step", 0)
    before = copy.deepcopy([module.network, *module.discriminators.values()])
    for step in (0, 1):
        module.training_step(pieces(20, 16), step)
    for old, new in zip(before, [module.network, *module.discriminators.values()], strict=True):
        moved = [name for (name, a), b in zip(old.named_parameters(), new.parameters(), strict=True)
                 if not torch.equal(a, b)]  # fmt: skip
        assert moved and all(name.startswith("decoder.") or name in moved for name, _ in new.named_parameters()), (
            f"{type(new).__name__} learnt {moved} alone"
        )
    assert all(np.isfinite(float(value)) for value in seen.values())
    expected = seen["l1"] + seen["laplacian"] + seen["pose"] + 0.5 * seen["adversarial"]
    torch.testing.assert_close(seen["loss"], expected)
    # The landmark discriminator's first judgement of the same faces with both labels.
    batch = pieces(20)
    torch.testing.assert_close(
        module._least_squares(batch, [batch[0]["landmarks"]], 1.0),
        torch.stack([(o - 1).square().mean() for o in module._scores(batch[0], batch[0]["landmarks"])]).mean(),
    )


def picture_batch():
    """Two random pairs of pictures."""
    draw = np.random.default_rng(0)
    names = ("drawing", "reference", "target")
    batch = {name: torch.from_numpy(draw.integers(0, 255, (2, 64, 64, 3), np.uint8)) for name in names}
    return batch | {"parts": torch.tensor([[[10.0, 20, 30, 40]] * 3, [[50.0, 50, 70, 70]] * 3])}


def test_translation_weighs_mouth_and_eyes(logged):
    network = ImageTranslation(ngf=2)
    options = TranslationLossOptions(part_weight=5.0, perceptual="gradient", gradient_weight=2.0)
    module = TranslationTraining(network, OptimOptions(), options, Path("images")).eval()
    batch = module.on_after_batch_transfer(picture_batch(), 0)
    raw = picture_batch()
    assert batch["input"].shape == (2, 6, 64, 64)
    assert float(batch["input"][1, 4, 3, 9]) == pytest.approx(float(raw["reference"][1, 3, 9, 1]) / 255)
    weight = batch["weight"]
    assert (weight[0, 0, 20:40, 10:30] == 5).all() and weight[0].sum() == 64 * 64 + 4 * 400
    assert weight[1].sum() == 64 * 64 + 4 * 14 * 14
    loss = module.training_step(batch, 0)
    made = torch.tanh(network(batch["input"]))
    l1 = ((made - batch["target"]).abs() * weight).mean() / weight.mean()
    torch.testing.assert_close(loss, l1 + 2 * gradient_loss(made, batch["target"], weight))
    assert set(logged) == {"train/loss", "train/l1", "train/gradient"}


def test_vgg_counts_where_its_weights_are(logged, monkeypatch, caplog):
    caplog.set_level("INFO")
    network = ImageTranslation(ngf=2)

    class Fake(torch.nn.Module):
        def forward(self, generated, target):
            return generated.mean() + 7, generated.mean() + 2

    monkeypatch.setattr(translation_modules, "PerceptualLoss", Fake)
    options = TranslationLossOptions(perceptual_weight=0.5, style_weight=10.0)
    module = TranslationTraining(network, OptimOptions(), options, Path("images"))
    assert not [key for key in module.state_dict() if "perceptual" in key]
    loss = module.training_step(module.on_after_batch_transfer(picture_batch(), 0), 0)
    total = logged["train/l1"] + 0.5 * logged["train/perceptual"] + 10 * logged["train/style"]
    assert float(loss) == pytest.approx(total, rel=1e-5)

    def missing():
        raise FileNotFoundError("no vgg19.pth")

    monkeypatch.setattr(translation_modules, "PerceptualLoss", missing)
    TranslationTraining(network, OptimOptions(), TranslationLossOptions(), Path("images"))
    assert "L1 and gradient loss" in caplog.text and "no vgg19.pth" in caplog.text
    with pytest.raises(FileNotFoundError, match="vgg19"):
        TranslationTraining(network, OptimOptions(), TranslationLossOptions(perceptual="vgg"), Path("images"))
    with pytest.raises(ValueError, match="'lpips' is none of auto, vgg, gradient"):
        TranslationLossOptions(perceptual="lpips")


def test_part_weights_are_a_union():
    boxes = torch.tensor([[[0.0, 0, 4, 4], [2.0, 2, 6, 6]]])
    assert part_weights(boxes, 8, 3.0).sum() == 64 + 2 * (16 + 16 - 4)


def test_advice_comes_only_when_it_is_due():
    assert content_advice(4, 0.55, 0.5).startswith(
        "after 4 epochs the lips follow the right sound hardly better (0.55)"
    )
    assert "no nearer" in speaker_advice(4, 0.03, 0.02) and "no nearer" in translation_advice(9, 0.05, 0.04)
    for advice, bad, good in (
        (content_advice, (0.5, 0.5), (0.7, 0.5)), (speaker_advice, (0.03, 0.02), (0.01, 0.02)),
        (translation_advice, (0.03, 0.02), (0.01, 0.02)),
    ):  # fmt: skip
        assert advice(3, *bad) is None and advice(4, *good) is None and advice(9, None, None) is None


def test_new_networks_begin_at_rest_and_remember():
    torch.manual_seed(0)
    network = build_network("ContentBranch", None, hidden_size=16, dropout=0.25)
    moved = network.eval()(torch.randn(8, 18, 80), torch.randn(1, 204))
    assert moved.abs().max() < 0.1 and network.bilstm.dropout == 0.25
    for layer in range(3):
        gates = getattr(network.bilstm, f"bias_ih_l{layer}") - 0.25  # uniform within it before
        assert (gates[16:32] > -0.6).all() and gates[16:32].mean() > 1 > -1 > gates[:16].mean()
