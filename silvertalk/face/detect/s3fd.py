"""S3FD, the face detector of the published Wav2Lip.

Zhang et al., "S3FD: Single Shot Scale-invariant Face Detector", ICCV 2017
(arXiv 1708.05237), in the form of github.com/Rudrabha/Wav2Lip, which is that
of the package face_alignment. State-dict keys and shapes are those of
``s3fd.pth`` (also known as ``s3fd-619a316812.pth``).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from silvertalk.training.weights import load_state, read_weights

# Of the means of the training pictures, blue, green, red. The published code subtracts them, in
# this order, from red, green and blue; the boxes are only the same if that is kept.
MEANS = (104.0, 117.0, 123.0)
MIN_SCORE = 0.5
MAX_OVERLAP = 0.3  # of two boxes that may both stay
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2  # by which box regressions were scaled in training
# Layers of VGG-16 up to each pooling: output channels of each convolution.
VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# Levels that give boxes: where the features come from, their channels, the norm's first scale (none: no norm).
LEVELS = (
    ("conv3_3", 256, 10.0),
    ("conv4_3", 512, 8.0),
    ("conv5_3", 512, 5.0),
    ("fc7", 1024, None),
    ("conv6_2", 512, None),
    ("conv7_2", 256, None),
)


class ChannelNorm(nn.Module):
    """Scale every position's feature vector to unit length, then each channel by a weight."""

    def __init__(self, channels: int, scale: float):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> the same shape."""
        return x / (x.norm(dim=1, keepdim=True) + 1e-10) * self.weight[:, None, None]


class S3FD(nn.Module):
    """Scores and boxes of faces at strides of 4 to 128 pixels."""

    def __init__(self):
        super().__init__()
        c_in = 3
        for block, channels in enumerate(VGG, 1):
            for layer, c_out in enumerate(channels, 1):
                setattr(self, f"conv{block}_{layer}", nn.Conv2d(c_in, c_out, 3, padding=1))
                c_in = c_out
        self.fc6 = nn.Conv2d(512, 1024, 3, padding=3)
        self.fc7 = nn.Conv2d(1024, 1024, 1)
        self.conv6_1, self.conv6_2 = nn.Conv2d(1024, 256, 1), nn.Conv2d(256, 512, 3, 2, 1)
        self.conv7_1, self.conv7_2 = nn.Conv2d(512, 128, 1), nn.Conv2d(128, 256, 3, 2, 1)
        for source, channels, scale in LEVELS:
            if scale:
                setattr(self, f"{source}_norm", ChannelNorm(channels, scale))
        for level, (source, channels, scale) in enumerate(LEVELS):
            head = f"{source}_norm_mbox" if scale else f"{source}_mbox"
            # Three backgrounds compete at the finest level, where there are most false alarms.
            setattr(self, f"{head}_conf", nn.Conv2d(channels, 2 if level else 4, 3, padding=1))
            setattr(self, f"{head}_loc", nn.Conv2d(channels, 4, 3, padding=1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Look for faces.

        Args:
            x: (B, 3, H, W), RGB 0-255 less ``MEANS``.

        Returns:
            Of each of the six levels the logits of background and face
            (B, 2, h, w), then the boxes (B, 4, h, w) relative to its anchors.
        """
        features = {}
        for block, channels in enumerate(VGG, 1):
            for layer in range(1, len(channels) + 1):
                x = features[f"conv{block}_{layer}"] = torch.relu(getattr(self, f"conv{block}_{layer}")(x))
            x = functional.max_pool2d(x, 2)
        for name in ("fc6", "fc7", "conv6_1", "conv6_2", "conv7_1", "conv7_2"):
            x = features[name] = torch.relu(getattr(self, name)(x))
        out = []
        for source, _, scale in LEVELS:
            x, head = features[source], source
            if scale:
                head = f"{source}_norm"
                x = getattr(self, head)(x)
            logits = getattr(self, f"{head}_mbox_conf")(x)
            logits = torch.cat([logits[:, :-1].amax(dim=1, keepdim=True), logits[:, -1:]], dim=1)
            out += [logits, getattr(self, f"{head}_mbox_loc")(x)]
        return out


class FaceDetector:
    """Finds faces with S3FD.

    Args:
        weights: ``s3fd.pth``.
        device: Torch device.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It holds something else.
    """

    def __init__(self, weights: str | os.PathLike, device: str = "cpu"):
        with torch.device("meta"):
            network = S3FD()
        state, _ = read_weights(weights)
        self.network = load_state(network, state, str(weights), assign=True).float().eval().to(device)
        self._means = torch.tensor(MEANS, device=device)[:, None, None]

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        """Find faces.

        Args:
            pictures: uint8 RGB (B, H, W, 3).

        Returns:
            Of each picture the boxes as published, the best first: int (N, 4),
            x1 y1 x2 y2 in pixels, cut off at 0, fractions dropped.
        """
        x = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).to(self._means.device)
        with torch.inference_mode():
            maps = [level.cpu() for level in self.network(x.float() - self._means)]
        return [_boxes([level[index] for level in maps]) for index in range(len(pictures))]


def _boxes(maps: list[torch.Tensor]) -> np.ndarray:
    """Boxes of one picture from the maps (C, h, w) of all levels."""
    from torchvision.ops import nms

    boxes, scores = [], []
    for level, (logits, offsets) in enumerate(zip(maps[::2], maps[1::2], strict=True)):
        stride = 4 << level
        score = logits.softmax(dim=0)[1]
        rows, columns = torch.nonzero(score > MIN_SCORE, as_tuple=True)
        found = offsets[:, rows, columns].T
        # The anchor is a square of four strides in the middle of the cell.
        centre = stride / 2 + stride * torch.stack([columns, rows], dim=1) + found[:, :2] * CENTRE_VARIANCE * 4 * stride
        half = 2 * stride * torch.exp(found[:, 2:] * SIZE_VARIANCE)
        boxes.append(torch.cat([centre - half, centre + half], dim=1))
        scores.append(score[rows, columns])
    boxes = torch.cat(boxes)
    # Sides were counted with both their pixels.
    kept = nms(boxes + torch.tensor([0, 0, 1, 1]), torch.cat(scores), MAX_OVERLAP)
    return boxes[kept].clamp(min=0).numpy().astype(np.int64)


def find_s3fd() -> Path:
    """Find the weights of S3FD.

    SILVERTALK_S3FD names the file; without it, it is looked for where torch
    keeps what it downloads (face_alignment fetches it there).

    Raises:
        FileNotFoundError: They are not there.
    """
    named = os.environ.get("SILVERTALK_S3FD")
    path = Path(named or Path(torch.hub.get_dir()) / "checkpoints" / "s3fd-619a316812.pth")
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights of S3FD at {path}; name s3fd.pth of the published Wav2Lip in the environment variable "
            "SILVERTALK_S3FD, or use --face_backend dlib, which needs no file"
        )
    return path
