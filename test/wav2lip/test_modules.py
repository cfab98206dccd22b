"""A training step computes what the published one does, and both optimisers step."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from silvertalk.syncnet.losses import sync_loss
from silvertalk.training.learning import OptimOptions
from silvertalk.wav2lip import QualityDiscriminator, SyncNet, Wav2Lip
from silvertalk.wav2lip.losses import PerceptualDistance, gradient_difference
from silvertalk.wav2lip.modules import LossOptions, Wav2LipGanTraining, generator_advice, mixture


class Step:
    """The generator, its batch and what one step computes."""

    def __init__(self, fill, dtype: torch.dtype):
        generator, self.expert, discriminator = Wav2Lip(), SyncNet(), QualityDiscriminator()
        networks = {"Wav2Lip": generator, "SyncNet_color": self.expert, "Wav2Lip_disc_qual": discriminator}
        for name, network in networks.items():
            network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in fill.state(name).items()})
            network.to(dtype)
        self.module = Wav2LipGanTraining(
            generator, OptimOptions(), self.expert, LossOptions(adversarial_weight=0.07), Path("images"),
            discriminator=discriminator, accum_grad=1, grad_clip=0.0,
        )  # fmt: skip
        self.module.train()  # the frozen expert is no part of it
        self.module.sync_weight = 0.03

        def draw(name, shape, *bounds):
            return torch.from_numpy(fill.tensor(f"train_step:{name}", shape, *bounds)).to(dtype)

        self.batch = {"mels": draw("indiv_mels", (8, 5, 1, 80, 16), -4, 4), "face": draw("x", (8, 6, 5, 96, 96))}
        self.batch["face"][:, :3, :, 48:] = 0
        self.batch["target"] = draw("gt", (8, 3, 5, 96, 96))
        self.mel = draw("mel", (8, 1, 80, 16), -4, 4)
        self.generated = generator(self.batch["mels"], self.batch["face"])

    def losses(self, mode: str) -> dict[str, torch.Tensor]:
        """The loss of the generator; mode "orig": by an expert on which the original forgets to call eval()."""
        expert = self.module._expert[0] if mode == "frozen" else copy.deepcopy(self.expert).train()
        values = self.module._losses(self.batch, self.generated)
        values["sync"] = sync_loss(expert, self.mel, self.generated)
        return values | {"total": mixture(values, self.module._weights(self.module.sync_weight))}

    def gradient_norms(self, loss: torch.Tensor, network: torch.nn.Module) -> np.ndarray:
        """One for every parameter."""
        gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
        return np.array([gradient.norm().item() for gradient in gradients])


@pytest.fixture(scope="module")
def step(fill):
    return Step(fill, torch.float32)


@pytest.fixture(scope="module")
def golden(goldens):
    return np.load(goldens / "train_step.npz")


@pytest.mark.parametrize("mode", ["frozen", "orig"])
def test_losses_are_the_published_ones(step, golden, mode):
    values = step.losses(mode)
    for ours, theirs in {"l1": "l1", "sync": "sync", "adversarial": "perceptual", "total": "total"}.items():
        tolerance = 1e-3 if (ours, mode) == ("sync", "orig") else 1e-4
        np.testing.assert_allclose(values[ours].item(), golden[f"{mode}_{theirs}"], rtol=tolerance, err_msg=ours)
    np.testing.assert_allclose(step.generated[0, :, 0].detach(), golden["gen_out_first"], atol=3e-4)
    spread = [step.generated.mean().item(), step.generated.std().item()]
    np.testing.assert_allclose(spread, [golden[f"{mode}_gen_out_mean"], golden[f"{mode}_gen_out_std"]], rtol=1e-4)


@pytest.mark.recipe  # seconds
def test_gradients_are_the_published_ones(step, golden):
    norms = step.gradient_norms(step.losses("frozen")["total"], step.module.network)
    valid = golden["grad_norm_gen_valid"]
    np.testing.assert_allclose(norms[valid], golden["frozen_grad_norm_gen"][valid], rtol=2e-2)


@pytest.mark.recipe  # seconds
def test_discriminator_step_is_the_published_one(step, golden):
    values = step.module._discriminator_losses(step.batch, step.generated.detach())
    for name in ("disc_real", "disc_fake"):
        np.testing.assert_allclose(values[name].item(), golden[f"frozen_{name}"], rtol=1e-4)
    norms = step.gradient_norms(sum(values.values()), step.module.discriminator)
    np.testing.assert_allclose(norms, golden["frozen_grad_norm_disc"], rtol=2e-2)


@pytest.mark.long
def test_gradients_are_exactly_the_published_ones(fill, golden):
    step = Step(fill, torch.float64)
    np.testing.assert_allclose(step.generated[0, :, 0].detach(), golden["gen_out_first"], atol=1e-6)
    valid = golden["grad_norm_gen_valid"]
    for mode in ("frozen", "orig"):
        norms = step.gradient_norms(step.losses(mode)["total"], step.module.network)
        np.testing.assert_allclose(norms[valid], golden[f"{mode}_grad_norm_gen"][valid], rtol=1e-6, err_msg=mode)


def test_mixture_leaves_the_rest_to_l1():
    values = {"l1": torch.tensor(1.0), "sync": torch.tensor(3.0)}
    assert mixture(values, {"sync": 0.25, "lpips": 0.5}).item() == pytest.approx(0.75 + 0.75)
    with pytest.raises(ValueError, match="less than 1"):
        LossOptions(sync_weight=0.5, lpips_weight=0.5)
    with pytest.raises(ValueError, match="discriminator 'none'"):
        LossOptions(discriminator="none")


def test_blur_has_a_gradient_difference():
    sharp = torch.zeros(1, 3, 1, 8, 8)
    sharp[..., 4:] = 1
    blurred = torch.nn.functional.avg_pool2d(sharp[:, :, 0], 3, 1, 1, count_include_pad=False)[:, :, None]
    assert gradient_difference(sharp, sharp) == 0
    assert gradient_difference(sharp + 0.1, sharp).item() == pytest.approx(0, abs=1e-6)  # colour alone does not count
    assert gradient_difference(blurred, sharp) > 0.05


@pytest.fixture
def backbone(tmp_path, monkeypatch):
    """A folder of torch's in which a backbone with random weights lies."""
    from torchvision.models import alexnet

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    torch.manual_seed(0)
    (tmp_path / "checkpoints").mkdir()
    torch.save(alexnet(weights=None).state_dict(), tmp_path / "checkpoints" / PerceptualDistance.FILES["alex"])


def test_perceptual_distance(backbone):
    distance = PerceptualDistance("alex")
    target = torch.rand(2, 3, 2, 96, 96)
    generated = target.clone().requires_grad_()
    assert distance(generated, target).item() == pytest.approx(0, abs=1e-7)
    upper, lower = target.clone(), target.clone()
    upper[..., :48, :] = 0
    lower[..., 48:, :] = 0
    assert distance(upper, target).item() == pytest.approx(0, abs=1e-7)  # the lower half alone is judged
    changed = lower.requires_grad_()
    distance(changed, target).backward()
    assert changed.grad[..., 48:, :].abs().sum() > 0


def test_missing_backbone_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"vgg16-397923af\.pth: LPIPS needs"):
        PerceptualDistance("vgg")


def test_advice_where_the_sync_loss_never_counts():
    assert "too high to count" in generator_advice(9, 2.0, waits=True)
    assert generator_advice(9, 0.3, waits=False) is None and generator_advice(2, 2.0, waits=True) is None
