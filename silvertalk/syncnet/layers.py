"""The convolution blocks of Wav2Lip; attribute names fix the checkpoint keys."""

import torch
from torch import nn


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


class TransposedConvBlock(nn.Module):
    """Transposed convolution, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel_size, stride, padding, output_padding=0):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ConvTranspose2d(c_in, c_out, kernel_size, stride, padding, output_padding), nn.BatchNorm2d(c_out)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, H, W) -> (B, c_out, H', W')."""
        return torch.relu(self.conv_block(x))


class PlainConvBlock(nn.Module):
    """Convolution and leaky ReLU, without normalisation (discriminator)."""

    def __init__(self, c_in: int, c_out: int, kernel_size, stride, padding):
        super().__init__()
        self.conv_block = nn.Sequential(nn.Conv2d(c_in, c_out, kernel_size, stride, padding))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, H, W) -> (B, c_out, H', W')."""
        return nn.functional.leaky_relu(self.conv_block(x), 0.01)


def same(channels: int, count: int, slope: float = 0.0) -> list[ConvBlock]:
    """``count`` residual 3x3 blocks that keep the shape."""
    return [ConvBlock(channels, channels, 3, 1, 1, residual=True, slope=slope) for _ in range(count)]
