"""Losses of MakeItTalk (Zhou et al. 2020, sections 3.3, 3.4 and 4.3, as the published code has them).

Landmarks are (N, 204) or (N, 68, 3), normalised, of frames that follow each other.
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

_OPEN_CHAINS = [(0, 17), (17, 22), (22, 27), (27, 36)]  # jaw, brows, nose
_RINGS = [(36, 42), (42, 48), (48, 60), (60, 68)]  # eyes, lips


def _neighbours() -> tuple[list[int], list[int]]:
    """Neighbours of each of the 68 points along its part of the face; the end of an open chain has one, twice."""
    before, after = [], []
    for first, end in _OPEN_CHAINS:
        before += [first + 1, *range(first, end - 1)]
        after += [*range(first + 1, end), end - 2]
    for first, end in _RINGS:
        before += [end - 1, *range(first, end - 1)]
        after += [*range(first + 1, end), first]
    return before, after


_BEFORE, _AFTER = _neighbours()


def laplacian(landmarks: torch.Tensor) -> torch.Tensor:
    """Place of each point (N, 68, 3) against the middle of its neighbours."""
    return landmarks - (landmarks[:, _BEFORE] + landmarks[:, _AFTER]) / 2


def laplacian_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 distance of both's ``laplacian``; scalar."""
    return (laplacian(_points(predicted)) - laplacian(_points(target))).abs().mean()


def lip_weights(target: torch.Tensor) -> torch.Tensor:
    """Weights (N, 68, 1) of points: those of the mouth count more the nearer the lips are."""
    points = _points(target)
    weights = points.new_ones(len(points), 68, 1)
    opening = (points[:, 66, 1] - points[:, 62, 1]).abs()
    weights[:, 48:] = (1 / (4 * opening + 0.1))[:, None, None]
    return weights


def content_loss(
    predicted: torch.Tensor,
    target: torch.Tensor,
    lip_weight: bool = True,
    laplacian: bool = True,
    motion: bool = False,
) -> torch.Tensor:
    """Loss of the content branch.

    Args:
        predicted: Landmarks (displacement and face).
        target: Likewise.
        lip_weight: Near lips count more.
        laplacian: Add the laplacian loss.
        motion: Add the L1 distance of the movements from frame to frame.

    Returns:
        Scalar.
    """
    predicted, target = _points(predicted), _points(target)
    distance = (predicted - target).abs()
    loss = (distance * lip_weights(target) if lip_weight else distance).mean()
    if motion and len(target) > 1:
        loss = loss + (predicted.diff(dim=0) - target.diff(dim=0)).abs().mean()
    return loss + laplacian_loss(predicted, target) if laplacian else loss


def speaker_losses(
    predicted: torch.Tensor,
    target: torch.Tensor,
    face: torch.Tensor | None = None,
    pose: torch.Tensor | None = None,
    target_pose: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Losses of the speaker-aware branch; the caller weighs and adds them.

    Args:
        predicted: Landmarks (displacement and face).
        target: Likewise.
        face: (204,) or (68, 3), at rest: what the published code adds once more before the laplacian, which then
            asks for another face than the L1 distance does. None: nothing is added.
        pose: (N, 7) predicted, or None.
        target_pose: (N, 7), quaternion x y z w and translation.

    Returns:
        Scalars ``l1``, ``laplacian`` and, with a pose, ``pose``.
    """
    predicted, target = _points(predicted), _points(target)
    losses = {
        "l1": (predicted - target).abs().mean(),
        "laplacian": laplacian_loss(predicted if face is None else predicted + face.reshape(1, 68, 3), target),
    }
    return losses if pose is None else {**losses, "pose": (pose - target_pose).abs().mean()}


class VGG19Slices(nn.Module):
    """Features of VGG-19 (Simonyan and Zisserman 2014) after the first ReLU of each of its five blocks."""

    WIDTHS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
    ENDS = (2, 7, 12, 21, 30)  # layers, in torchvision's count, before which a slice ends
    FILE = "vgg19-dcbb9e9d.pth"  # torchvision's

    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for width in self.WIDTHS:
            layers += [nn.MaxPool2d(2)] if width == "M" else [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = channels if width == "M" else width
        for number, (first, end) in enumerate(zip((0, *self.ENDS[:-1]), self.ENDS, strict=True), 1):
            named = nn.Sequential()
            for index in range(first, end):
                named.add_module(str(index), layers[index])  # torchvision's number stays in the key
            self.add_module(f"slice{number}", named)

    def load_features(self, state: dict[str, torch.Tensor]) -> "VGG19Slices":
        """Take weights from torchvision's state dict (``features.N.weight``)."""
        self.load_state_dict({key: state["features." + key.partition(".")[2]] for key in self.state_dict()})
        return self

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) -> five feature maps, the inner ones smaller."""
        features = []
        for part in self.children():
            features.append(part(features[-1] if features else picture))
        return features


class PerceptualLoss(nn.Module):
    """Distance of pictures by VGG-19's features (Johnson et al. 2016), and by their Gram matrices (style).

    As published, the picture is given as it is (BGR, not normalised), and the
    Gram matrix is over the pictures of a batch together.

    Args:
        vgg: The features; None: with torchvision's weights, which have to lie where torch looks for them.

    Raises:
        FileNotFoundError: The weights are not there.
    """

    def __init__(self, vgg: VGG19Slices | None = None):
        super().__init__()
        self.vgg = (vgg or self._find()).eval().requires_grad_(False)

    @staticmethod
    def _find() -> VGG19Slices:
        path = Path(torch.hub.get_dir()) / "checkpoints" / VGG19Slices.FILE
        if not path.is_file():  # else it would be looked for on the network
            raise FileNotFoundError(f"no {path}: the perceptual loss needs torchvision's weights; put them there")
        return VGG19Slices().load_features(torch.load(path, map_location="cpu", weights_only=True))

    def forward(self, generated: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare pictures (B, 3, H, W), BGR in [0, 1].

        Returns:
            Two scalars: the L1 distances of the five feature maps, added, and
            the mean squared distances of their Gram matrices, added; published
            weights are 1 and 3e7.
        """
        pairs = list(zip(self.vgg(generated), self.vgg(target), strict=True))
        features = sum((a - b).abs().mean() for a, b in pairs)
        return features, sum(functional.mse_loss(_gram(a), _gram(b)) for a, b in pairs)


def _gram(features: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) -> (B * C, B * C)."""
    rows = features.flatten(2).flatten(0, 1).float()
    return rows @ rows.T / features.numel()


def gradient_loss(generated: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """L1 distance of the pictures' differences between neighbouring pixels: edges, where VGG is not to be had.

    Args:
        generated: (B, 3, H, W).
        target: The same shape.
        weight: (B, 1, H, W) of pixels; None: 1.

    Returns:
        Scalar: the weighted means over neighbours below each other and beside each other, added.
    """
    difference = generated - target
    weight = torch.ones_like(difference[:, :1]) if weight is None else weight
    below, beside = difference.diff(dim=2).abs(), difference.diff(dim=3).abs()
    return _weighted_mean(below, weight[:, :, 1:]) + _weighted_mean(beside, weight[..., 1:])


def _weighted_mean(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean of (B, C, H, W) with weights (B, 1, H, W)."""
    return (x * weight).mean() / weight.mean()


def _points(landmarks: torch.Tensor) -> torch.Tensor:
    """(N, 204) or (N, 68, 3) -> (N, 68, 3)."""
    return landmarks.reshape(len(landmarks), 68, 3)
