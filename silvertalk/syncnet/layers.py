"""What the networks of SyncNet and Wav2Lip are made of; attribute names fix the checkpoint keys."""

import torch
from torch import nn

from silvertalk.training.network import Network

IMG_SIZES = (96, 192, 256, 288, 384)  # pixels


class FaceNetwork(Network):
    """A network for faces of one of the sizes.

    Args:
        img_size: Side of the full face pictures (pixels).
        width: Factor on all inner channel counts; 1 is the published network.
    """

    PUBLISHED = ()  # sizes whose layout others use, too

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__()
        if img_size not in IMG_SIZES:
            offered = ", ".join(map(str, IMG_SIZES))
            raise ValueError(f"img_size {img_size} is not available; the networks exist for {offered} pixels")
        self.img_size, self.width = img_size, width

    def about(self) -> dict[str, str]:
        """Options as a file of weights states them."""
        return {name: str(value) for name, value in self.options.items()}


class ConvBlock(nn.Module):
    """Convolution, batch norm, optional identity shortcut, ReLU (leaky where a slope is given)."""

    def __init__(self, c_in: int, c_out: int, kernel_size, stride, padding, residual: bool = False, slope: float = 0.0):
        super().__init__()
        self.conv_block = nn.Sequential(nn.Conv2d(c_in, c_out, kernel_size, stride, padding), nn.BatchNorm2d(c_out))
        self.residual, self.slope = residual, slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, H, W) -> (B, c_out, H', W')."""
        out = self.conv_block(x)
        out = out + x if self.residual else out
        return nn.functional.leaky_relu(out, self.slope) if self.slope else torch.relu(out)


def same(channels: int, count: int, slope: float = 0.0) -> list[ConvBlock]:
    """``count`` residual 3x3 blocks that keep the shape."""
    return [ConvBlock(channels, channels, 3, 1, 1, residual=True, slope=slope) for _ in range(count)]


def scaled(width: float):
    """Give a function that scales a channel count."""
    return lambda channels: max(1, round(channels * width))


def halvings(side: int, bottom: int) -> list[int]:
    """Sides after each stride of 2, until no more than ``bottom`` pixels remain."""
    sides = []
    while side > bottom:
        side = (side + 1) // 2
        sides.append(side)
    return sides


def shrinking(side: int) -> list[int]:
    """Kernels of the unpadded convolutions that reduce a side to 1: 3, or 2 for an even side."""
    kernels = []
    while side > 1:
        kernels.append(2 + side % 2)
        side -= kernels[-1] - 1
    return kernels


def audio_encoder(c, inner_residuals: int, slope: float = 0.0, embedding: int = 512) -> nn.Sequential:
    """Encode a mel window (B, 1, 80, 16) -> (B, c(embedding), 1, 1); an embedding above 512 adds a level."""
    layers = [
        ConvBlock(1, c(32), 3, 1, 1, slope=slope),
        *same(c(32), 2, slope),
        ConvBlock(c(32), c(64), 3, (3, 1), 1, slope=slope),
        *same(c(64), 2, slope),
        ConvBlock(c(64), c(128), 3, 3, 1, slope=slope),
        *same(c(128), 2, slope),
        ConvBlock(c(128), c(256), 3, (3, 2), 1, slope=slope),
        *same(c(256), inner_residuals, slope),
    ]
    last = 256
    if embedding > 512:
        layers += [ConvBlock(c(256), c(512), 3, 1, 1, slope=slope), *same(c(512), 2, slope)]
        last = 512
    layers += [ConvBlock(c(last), c(embedding), 3, 1, 0), ConvBlock(c(embedding), c(embedding), 1, 1, 0)]
    return nn.Sequential(*layers)
