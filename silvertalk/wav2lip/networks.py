"""Wav2Lip generator, SyncNet expert and visual quality discriminator.

Prajwal, Mukhopadhyay, Namboodiri, Jawahar: "A Lip Sync Expert Is All You Need
for Speech to Lip Generation In the Wild", ACM MM 2020 (arXiv 2008.10010).
State-dict keys and shapes at ``width=1`` are those of the published networks,
so their checkpoints load and ours load in their tools.

Pictures are NCHW, BGR in [0, 1]; mel windows are (80 mels, 16 columns = 0.2 s)
in [-4, 4]. ``width`` scales every inner channel count, for small machines.
"""

import torch
from torch import nn

from silvertalk.wav2lip.layers import ConvBlock, PlainConvBlock, TransposedConvBlock, same
from silvertalk.wav2lip.windows import MEL_STEP_SIZE, SYNCNET_T

__all__ = [
    "MEL_STEP_SIZE",
    "SYNCNET_T",
    "QualityDiscriminator",
    "SyncNet",
    "Wav2Lip",
    "fold_time",
    "lower_half",
    "stack_window",
]


def _require_size(img_size: int) -> None:
    """Refuse sizes for which there is no network yet."""
    if img_size != 96:
        raise ValueError(f"img_size {img_size} is not available; the networks exist for 96 pixels")


def _scaled(width: float):
    """Give a function that scales a channel count."""
    return lambda channels: max(1, round(channels * width))


def fold_time(x: torch.Tensor) -> torch.Tensor:
    """Fold time into the batch, time-major: (B, C, T, H, W) -> (T*B, C, H, W)."""
    return torch.cat(x.unbind(2), dim=0)


def _audio_encoder(c, inner_residuals: int) -> nn.Sequential:
    """Encode a mel window (B, 1, 80, 16) -> (B, c(512), 1, 1)."""
    return nn.Sequential(
        ConvBlock(1, c(32), 3, 1, 1),
        *same(c(32), 2),
        ConvBlock(c(32), c(64), 3, (3, 1), 1),
        *same(c(64), 2),
        ConvBlock(c(64), c(128), 3, 3, 1),
        *same(c(128), 2),
        ConvBlock(c(128), c(256), 3, (3, 2), 1),
        *same(c(256), inner_residuals),
        ConvBlock(c(256), c(512), 3, 1, 0),
        ConvBlock(c(512), c(512), 1, 1, 0),
    )


class Wav2Lip(nn.Module):
    """Generator: a masked face, a reference face and a mel window -> the face that says it.

    Args:
        img_size: Side of the face pictures (pixels).
        width: Factor on all inner channel counts; 1 is the published network (36.3 M parameters).
    """

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__()
        _require_size(img_size)
        c = _scaled(width)
        self.img_size, self.width = img_size, width
        self.face_encoder_blocks = nn.ModuleList(
            [
                nn.Sequential(ConvBlock(6, c(16), 7, 1, 3)),  # 96
                nn.Sequential(ConvBlock(c(16), c(32), 3, 2, 1), *same(c(32), 2)),  # 48
                nn.Sequential(ConvBlock(c(32), c(64), 3, 2, 1), *same(c(64), 3)),  # 24
                nn.Sequential(ConvBlock(c(64), c(128), 3, 2, 1), *same(c(128), 2)),  # 12
                nn.Sequential(ConvBlock(c(128), c(256), 3, 2, 1), *same(c(256), 2)),  # 6
                nn.Sequential(ConvBlock(c(256), c(512), 3, 2, 1), *same(c(512), 1)),  # 3
                nn.Sequential(ConvBlock(c(512), c(512), 3, 1, 0), ConvBlock(c(512), c(512), 1, 1, 0)),  # 1
            ]
        )
        self.audio_encoder = _audio_encoder(c, inner_residuals=1)

        def up(c_in: int, c_out: int) -> nn.Sequential:
            return nn.Sequential(TransposedConvBlock(c_in, c_out, 3, 2, 1, 1), *same(c_out, 2))

        # Every input after the first is the output below it and the encoder's features of the same size.
        self.face_decoder_blocks = nn.ModuleList(
            [
                nn.Sequential(ConvBlock(c(512), c(512), 1, 1, 0)),  # 1
                nn.Sequential(TransposedConvBlock(2 * c(512), c(512), 3, 1, 0), *same(c(512), 1)),  # 3
                up(2 * c(512), c(512)),  # 6
                up(c(512) + c(256), c(384)),  # 12
                up(c(384) + c(128), c(256)),  # 24
                up(c(256) + c(64), c(128)),  # 48
                up(c(128) + c(32), c(64)),  # 96
            ]
        )
        self.output_block = nn.Sequential(
            ConvBlock(c(64) + c(16), c(32), 3, 1, 1), nn.Conv2d(c(32), 3, 1, 1, 0), nn.Sigmoid()
        )

    def forward(self, mel: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
        """Generate faces.

        Args:
            mel: (B, 1, 80, 16), or (B, T, 1, 80, 16) with one window per frame.
            face: (B, 6, 96, 96), or (B, 6, T, 96, 96). Channels 0-2: the frame
                with its lower half zero; 3-5: a reference frame.

        Returns:
            (B, 3, 96, 96), or (B, 3, T, 96, 96), in [0, 1].
        """
        frames = face.shape[2] if face.dim() == 5 else 0
        if frames:
            mel = torch.cat(mel.unbind(1), dim=0)
            face = fold_time(face)
        skips = []
        for block in self.face_encoder_blocks:
            face = block(face)
            skips.append(face)
        x = self.audio_encoder(mel)
        for block in self.face_decoder_blocks:
            x = torch.cat([block(x), skips.pop()], dim=1)
        x = self.output_block(x)
        return torch.stack(x.chunk(frames, dim=0), dim=2) if frames else x


class SyncNet(nn.Module):
    """Expert that tells whether five mouth pictures and 0.2 s of sound belong together.

    Args:
        img_size: Side of the full face pictures (pixels); it sees their lower halves.
        width: Factor on all inner channel counts; 1 is the published network.
    """

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__()
        _require_size(img_size)
        c = _scaled(width)
        self.img_size = img_size
        self.face_encoder = nn.Sequential(
            ConvBlock(3 * SYNCNET_T, c(32), 7, 1, 3),
            ConvBlock(c(32), c(64), 5, (1, 2), 1),
            *same(c(64), 2),
            ConvBlock(c(64), c(128), 3, 2, 1),
            *same(c(128), 3),
            ConvBlock(c(128), c(256), 3, 2, 1),
            *same(c(256), 2),
            ConvBlock(c(256), c(512), 3, 2, 1),
            *same(c(512), 2),
            ConvBlock(c(512), c(512), 3, 2, 1),
            ConvBlock(c(512), c(512), 3, 1, 0),
            ConvBlock(c(512), c(512), 1, 1, 0),
        )
        self.audio_encoder = _audio_encoder(c, inner_residuals=2)

    def forward(self, mel: torch.Tensor, face: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed sound and lips.

        Args:
            mel: (B, 1, 80, 16).
            face: (B, 15, 48, 96), the lower halves of five frames, frame by frame.

        Returns:
            Audio and face embeddings, (B, 512) each at width 1, unit norm, not negative.
        """
        embeddings = (self.audio_encoder(mel), self.face_encoder(face))
        audio, video = (nn.functional.normalize(e.flatten(1), dim=1) for e in embeddings)
        return audio, video


class QualityDiscriminator(nn.Module):
    """Tells real lower face halves from generated ones.

    Args:
        img_size: Side of the full face pictures (pixels).
        width: Factor on all inner channel counts; 1 is the published network.
    """

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__()
        _require_size(img_size)
        c = _scaled(width)
        self.img_size = img_size

        def pair(c_in: int, c_out: int, kernel_size: int, stride) -> nn.Sequential:
            pad = kernel_size // 2
            return nn.Sequential(
                PlainConvBlock(c_in, c_out, kernel_size, stride, pad),
                PlainConvBlock(c_out, c_out, kernel_size, 1, pad),
            )

        self.face_encoder_blocks = nn.ModuleList(
            [
                nn.Sequential(PlainConvBlock(3, c(32), 7, 1, 3)),  # 48 x 96
                pair(c(32), c(64), 5, (1, 2)),  # 48 x 48
                pair(c(64), c(128), 5, 2),  # 24
                pair(c(128), c(256), 5, 2),  # 12
                pair(c(256), c(512), 3, 2),  # 6
                pair(c(512), c(512), 3, 2),  # 3
                nn.Sequential(PlainConvBlock(c(512), c(512), 3, 1, 0), PlainConvBlock(c(512), c(512), 1, 1, 0)),  # 1
            ]
        )
        self.binary_pred = nn.Sequential(nn.Conv2d(c(512), 1, 1), nn.Sigmoid())

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Judge full faces (B, 3, T, 96, 96) by their lower halves.

        Returns:
            (T*B, 1), the probability of being real, time-major.
        """
        x = lower_half(fold_time(frames))
        for block in self.face_encoder_blocks:
            x = block(x)
        return self.binary_pred(x).flatten(1)


def lower_half(x: torch.Tensor) -> torch.Tensor:
    """Keep the lower half of pictures (..., H, W)."""
    return x[..., x.shape[-2] // 2 :, :]


def stack_window(frames: torch.Tensor) -> torch.Tensor:
    """Lower halves of a window, frame by frame on channels: (B, 3, 5, H, W) -> (B, 15, H/2, W)."""
    return torch.cat(lower_half(frames).unbind(2), dim=1)
