"""98 landmarks by AdaptiveWing: contours of eyes and lips finer than the 68 points'.

Wang, Bo and Fuxin, "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression", ICCV 2019 (arXiv
1904.07399): four hourglasses (Bulat and Tzimiropoulos, ICCV 2017) that are told where they look (Liu et al., "An
Intriguing Failing of Convolutional Neural Networks and the CoordConv Solution", NeurIPS 2018) and where the one before
saw the contours. State-dict keys and shapes are those of the published ``WFLW_4HG.pth``. MakeItTalk's image translation
was trained on 74 points, in which eyes, nose and lips are these (``AwingDetector.combined``).

Order of the 98 points (WFLW): 0-32 jaw, 33-41 and 42-50 brows, 51-59 nose, 60-67 and 68-75 eyes, 76-87 outer lip, 88-95
inner lip, 96 and 97 pupils.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from silvertalk.training.weights import load_state, read_weights

SIZE = 256  # pixels, side of the picture
STRIDE = 4  # pixels of the picture to one of a heatmap
NUM_POINTS = 98
WIDTH, DEPTH = 256, 4  # channels, and how often an hourglass halves the picture
CONTOUR = 0.05  # of the boundary map, from which on a place counts as on a contour
JAW_AND_BROWS, REST = slice(0, 27), slice(51, 98)  # of the 68 and of the 98 points, in the 74


class CoordConv(nn.Module):
    """A convolution that also sees where in the picture it is.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
        has_contours: It is also given the two coordinates on the contours found before, 0 elsewhere.
        **kwargs: Of ``nn.Conv2d``.
    """

    def __init__(self, c_in: int, c_out: int, has_contours: bool = False, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(c_in + (5 if has_contours else 3), c_out, **kwargs)

    def forward(self, x: torch.Tensor, boundary: torch.Tensor | None = None) -> torch.Tensor:
        """Convolve.

        Args:
            x: (B, C, H, W).
            boundary: (B, 1, H, W), how likely there is a contour.
        """
        down, across = (torch.linspace(-1, 1, size, dtype=x.dtype, device=x.device) for size in x.shape[2:])
        # The published code lets its "x" grow downwards; the weights expect that.
        first, second = torch.meshgrid(down, across, indexing="ij")
        radius = torch.hypot(first, second)
        place = torch.stack([first, second, radius / radius.max()]).expand(len(x), -1, -1, -1)
        if boundary is None:
            return self.conv(torch.cat([x, place], dim=1))
        return self.conv(torch.cat([x, place, place[:, :2] * (boundary > CONTOUR)], dim=1))


class ConvBlock(nn.Module):
    """Three convolutions, each on the one before, side by side, plus what came in."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        widths = (c_in, c_out // 2, c_out // 4, c_out // 4)
        for number in (1, 2, 3):
            setattr(self, f"bn{number}", nn.BatchNorm2d(widths[number - 1]))
            setattr(self, f"conv{number}", nn.Conv2d(*widths[number - 1 : number + 1], 3, padding=1, bias=False))
        self.downsample = None
        if c_in != c_out:
            self.downsample = nn.Sequential(nn.BatchNorm2d(c_in), nn.ReLU(), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, H, W) -> (B, c_out, H, W)."""
        first = self.conv1(torch.relu(self.bn1(x)))
        second = self.conv2(torch.relu(self.bn2(first)))
        third = self.conv3(torch.relu(self.bn3(second)))
        return torch.cat([first, second, third], dim=1) + (x if self.downsample is None else self.downsample(x))


class Hourglass(nn.Module):
    """Looks at the picture at five sizes."""

    def __init__(self, has_contours: bool):
        super().__init__()
        self.coordconv = CoordConv(WIDTH, WIDTH, has_contours, kernel_size=1)
        names = [f"b{branch}_{level}" for level in range(DEPTH, 0, -1) for branch in (1, 2)]
        for name in [*names, "b2_plus_1", *(f"b3_{level}" for level in range(1, DEPTH + 1))]:
            setattr(self, name, ConvBlock(WIDTH, WIDTH))

    def forward(self, x: torch.Tensor, boundary: torch.Tensor | None) -> torch.Tensor:
        """(B, WIDTH, H, W), contours (B, 1, H, W) -> (B, WIDTH, H, W)."""
        return self._level(DEPTH, self.coordconv(x, boundary))

    def _level(self, level: int, x: torch.Tensor) -> torch.Tensor:
        """One size, and through it the smaller ones."""
        low = getattr(self, f"b2_{level}")(functional.avg_pool2d(x, 2))
        low = self._level(level - 1, low) if level > 1 else self.b2_plus_1(low)
        low = getattr(self, f"b3_{level}")(low)
        return getattr(self, f"b1_{level}")(x) + functional.interpolate(low, scale_factor=2, mode="nearest")


class AwingFan(nn.Module):
    """Heatmaps of 98 points and of the face's contours.

    Args:
        num_modules: Hourglasses, each of which corrects the one before.
    """

    def __init__(self, num_modules: int = 4):
        super().__init__()
        self.num_modules, maps = num_modules, NUM_POINTS + 1
        self.conv1 = CoordConv(3, 64, kernel_size=7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2, self.conv3, self.conv4 = ConvBlock(64, 128), ConvBlock(128, 128), ConvBlock(128, WIDTH)
        for k in range(num_modules):
            setattr(self, f"m{k}", Hourglass(has_contours=k > 0))
            setattr(self, f"top_m_{k}", ConvBlock(WIDTH, WIDTH))
            setattr(self, f"conv_last{k}", nn.Conv2d(WIDTH, WIDTH, 1))
            setattr(self, f"bn_end{k}", nn.BatchNorm2d(WIDTH))
            setattr(self, f"l{k}", nn.Conv2d(WIDTH, maps, 1))
            if k < num_modules - 1:
                setattr(self, f"bl{k}", nn.Conv2d(WIDTH, WIDTH, 1))
                setattr(self, f"al{k}", nn.Conv2d(maps, WIDTH, 1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Look for the points.

        Args:
            x: (B, 3, 256, 256), RGB in [0, 1].

        Returns:
            Of each hourglass (B, 99, 64, 64), the contours' map last.
        """
        x = functional.avg_pool2d(self.conv2(torch.relu(self.bn1(self.conv1(x)))), 2)
        x = self.conv4(self.conv3(x))
        boundary, out = None, []
        for k in range(self.num_modules):
            found = getattr(self, f"top_m_{k}")(getattr(self, f"m{k}")(x, boundary))
            found = torch.relu(getattr(self, f"bn_end{k}")(getattr(self, f"conv_last{k}")(found)))
            maps = getattr(self, f"l{k}")(found)
            out.append(maps)
            boundary = maps[:, -1:]
            if k < self.num_modules - 1:
                x = x + getattr(self, f"bl{k}")(found) + getattr(self, f"al{k}")(maps)
        return out


def decode(maps: torch.Tensor) -> torch.Tensor:
    """Read points off heatmaps: their maxima, moved a quarter of a cell to the larger neighbour.

    Args:
        maps: (B, P, H, W).

    Returns:
        (B, P, 2) x y, in cells; the first cell's middle is 0.5.
    """
    height, width = maps.shape[2:]
    best = maps.flatten(2).argmax(-1)
    y, x = best // width, best % width
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)

    def at(dy: int, dx: int) -> torch.Tensor:
        place = (y + dy).clamp(0, height - 1) * width + (x + dx).clamp(0, width - 1)
        return maps.flatten(2).gather(2, place[..., None])[..., 0]

    steps = torch.stack([at(0, 1) - at(0, -1), at(1, 0) - at(-1, 0)], dim=-1).sign()
    return torch.stack([x, y], dim=-1) + 0.5 + 0.25 * steps * inside[..., None]


class AwingDetector:
    """Places 98 landmarks.

    Args:
        weights: ``WFLW_4HG.pth``, plain or wrapped; what it holds beside the network is ignored, as published.
        device: Torch device.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It holds other weights.
    """

    def __init__(self, weights: str | os.PathLike, device: str = "cpu"):
        state, _ = read_weights(weights)
        with torch.device("meta"):
            network = AwingFan(sum(key.endswith(".coordconv.conv.weight") for key in state))
        known = {key: value for key, value in state.items() if key in network.state_dict()}
        self.network = load_state(network, known, str(weights), assign=True).eval().to(device)
        self.device = device

    @torch.inference_mode()
    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Place the landmarks of the face that fills a picture: uint8 RGB (S, S, 3) -> float64 (98, 2), pixels."""
        size = len(picture)
        x = torch.from_numpy(np.ascontiguousarray(picture)).to(self.device).permute(2, 0, 1)[None].float() / 255
        if size != SIZE:
            x = functional.interpolate(x, size=(SIZE, SIZE), mode="bilinear", antialias=size > SIZE)
        points = decode(self.network(x)[-1][:, :NUM_POINTS])[0].double().cpu().numpy()
        return points * STRIDE * size / SIZE

    def combined(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Replace nose, eyes and lips of 68 points by those of the 98, and add the pupils.

        Args:
            picture: uint8 RGB (S, S, 3).
            points: (68, 2 or 3) in its pixels.

        Returns:
            (74, 2): jaw and brows as they were, nose 27-35, eyes 36-43 and 44-51, outer lip 52-63, inner lip 64-71,
            pupils 72 and 73.
        """
        return np.concatenate([points[JAW_AND_BROWS, :2], self(picture)[REST]])
