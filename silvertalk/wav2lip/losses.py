"""Losses of Wav2Lip (Prajwal et al. 2020, section 3), besides ``sync_loss``."""

from pathlib import Path

import torch
from torch.nn import functional

from silvertalk.syncnet.losses import precise
from silvertalk.syncnet.windows import lower_half
from silvertalk.wav2lip.networks import fold_time


def weighted_l1(generated: torch.Tensor, target: torch.Tensor, mouth_weight: float) -> torch.Tensor:
    """L1 distance in which the mouth counts more (1 everywhere: equation 3 of the paper).

    The face box is the same part of every face, so the mouth's place in it is
    fixed: rows 0.55 to 0.9, columns 0.25 to 0.75.

    Args:
        generated: (B, 3, T, H, W) in [0, 1].
        target: The same shape.
        mouth_weight: Weight of a mouth pixel against any other.

    Returns:
        Scalar, the weighted mean.
    """
    height, width = target.shape[-2:]
    weights = torch.ones(height, width, device=target.device)
    weights[int(0.55 * height) : int(0.9 * height), width // 4 : 3 * width // 4] = mouth_weight
    return ((precise(generated) - target).abs() * weights).mean() / weights.mean()


def adversarial_loss(prediction: torch.Tensor, kind: str) -> torch.Tensor:
    """How far a discriminator is from taking generated pictures for real ones (equation 4 for ``bce``).

    Args:
        prediction: What it says of generated pictures: a probability for ``bce``, any number for ``hinge``.
        kind: ``bce`` or ``hinge``.

    Returns:
        Scalar.
    """
    if kind == "hinge":
        return -precise(prediction).mean()
    return _bce(prediction, 1.0)


def discriminator_losses(real: torch.Tensor, fake: torch.Tensor, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What a discriminator learns from: the sum of both is minimised.

    Args:
        real: What it says of filmed pictures.
        fake: What it says of generated ones.
        kind: ``bce`` (the published discriminator) or ``hinge`` (Lim and Ye, "Geometric GAN", arXiv 1705.02894).

    Returns:
        Its losses on real and on generated pictures, scalars.
    """
    if kind == "hinge":
        return torch.relu(1 - precise(real)).mean(), torch.relu(1 + precise(fake)).mean()
    return _bce(real, 1.0), _bce(fake, 0.0)


def _bce(probability: torch.Tensor, label: float) -> torch.Tensor:
    """Binary cross entropy of probabilities against one label; half precision cannot hold the logarithm."""
    with torch.autocast(probability.device.type, enabled=False):
        probability = precise(probability)
        return functional.binary_cross_entropy(probability, torch.full_like(probability, label))


def gradient_difference(generated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 distance of the pictures' gradients, so that edges of lips and teeth count and not only their colour.

    Mathieu, Couprie, LeCun, "Deep multi-scale video prediction beyond mean
    square error", ICLR 2016, equation 6 with exponent 1, signs kept.

    Args:
        generated: (..., H, W) in [0, 1].
        target: The same shape.

    Returns:
        Scalar.
    """
    difference = precise(generated) - target
    return difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()


class PerceptualDistance:
    """LPIPS of lower face halves (Zhang et al., "The Unreasonable Effectiveness of Deep Features", CVPR 2018).

    The heads come with torchmetrics. The weights of the backbone are
    torchvision's, and have to lie where torch looks for them.

    Args:
        backbone: ``alex``, ``vgg`` or ``squeeze``.

    Raises:
        FileNotFoundError: The weights of the backbone are not there.
    """

    FILES = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth"}

    def __init__(self, backbone: str):
        if backbone not in self.FILES:
            raise ValueError(f"LPIPS backbone '{backbone}' is none of {', '.join(self.FILES)}")
        path = Path(torch.hub.get_dir()) / "checkpoints" / self.FILES[backbone]
        if not path.is_file():  # else it would be looked for on the network
            raise FileNotFoundError(
                f"no {path}: LPIPS needs torchvision's weights there; put them there, or set loss.lpips_weight 0"
            )
        from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

        self.network = LearnedPerceptualImagePatchSimilarity(backbone).net.eval().requires_grad_(False)

    def __call__(self, generated: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Distance of windows (B, 3, T, H, W), BGR in [0, 1]; scalar, 0 for equal ones."""
        self.network.to(generated.device)
        pair = (lower_half(fold_time(x)).flip(1) * 2 - 1 for x in (generated, target))  # RGB in [-1, 1]
        return self.network(*pair).mean()
