"""Wav2Lip generator, SyncNet expert and the two discriminators, for faces of 96 to 384 pixels.

Prajwal, Mukhopadhyay, Namboodiri, Jawahar: "A Lip Sync Expert Is All You Need
for Speech to Lip Generation In the Wild", ACM MM 2020 (arXiv 2008.10010);
larger sizes after github.com/primepake/wav2lip_288x288. State-dict keys and
shapes at ``width=1`` are those of the published networks where there are any,
so that their checkpoints load and ours load in their tools::

    img_size        96         192        256        288        384
    generator       published  ours       ours       published  ours
    expert          published  published  ours       ours       published
    quality disc.   published  ours       ours       published  ours

A larger picture is halved more often: the inner levels are those of 96
pixels, and levels are added on the outside. What remains at the bottom, 2 to
5 pixels, unpadded convolutions reduce to one (``shrinking``). (The published
generators of 192 and 384 pixels listen through their expert and are not
offered.)

Pictures are NCHW, BGR in [0, 1]; mel windows are (80 mels, 16 columns = 0.2 s)
in [-4, 4]. ``width`` scales every inner channel count, for small machines.
"""

import torch
from torch import nn

from silvertalk.syncnet.layers import ConvBlock, FaceNetwork, audio_encoder, halvings, same, scaled, shrinking
from silvertalk.syncnet.windows import lower_half


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


def fold_time(x: torch.Tensor) -> torch.Tensor:
    """Fold time into the batch, time-major: (B, C, T, H, W) -> (T*B, C, H, W)."""
    return torch.cat(x.unbind(2), dim=0)


class Wav2Lip(FaceNetwork):
    """Generator: a masked face, a reference face and a mel window -> the face that says it.

    A U-Net: every level of the encoder is joined to the decoder's level of the same side.

    Args:
        img_size: Side of the face pictures (pixels): 96 (published), 192, 256,
            288 (published by the fork) or 384.
        width: Factor on all inner channel counts; 1 is the published network.
    """

    PUBLISHED = (96, 288)  # sizes whose layout others use, too
    # Of the innermost strided levels: channels and residual blocks of the encoder, channels of the decoder.
    LEVELS = ((32, 2, 128), (64, 3, 256), (128, 2, 384), (256, 2, 512), (512, 1, 512))

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__(img_size, width)
        c = scaled(width)
        sides = [img_size, *halvings(img_size, bottom=5)]
        encoder, skips, outs = [nn.Sequential(ConvBlock(6, c(16), 7, 1, 3))], [c(16)], [c(64)]
        added = len(sides) - 1 - len(self.LEVELS)
        for level in range(len(sides) - 1):
            outer = level < added
            channels, residuals, out = (32, 1, 64) if outer else self.LEVELS[level - added]
            kernel = 5 if outer else 3
            down = ConvBlock(skips[-1], c(channels), kernel, 2, kernel // 2)
            encoder.append(nn.Sequential(down, *same(c(channels), residuals)))
            skips.append(c(channels))
            outs.append(c(out))
        for kernel in shrinking(sides[-1]):
            encoder.append(
                nn.Sequential(ConvBlock(skips[-1], c(512), kernel, 1, 0), ConvBlock(c(512), c(512), 1, 1, 0))
            )
            sides.append(sides[-1] - kernel + 1)
            skips.append(c(512))
            outs.append(c(512))
        self.face_encoder_blocks = nn.ModuleList(encoder)
        self.audio_encoder = audio_encoder(c, inner_residuals=1)
        decoder = [nn.Sequential(ConvBlock(c(512), c(512), 1, 1, 0))]
        for level in reversed(range(len(sides) - 1)):
            small, large = sides[level + 1], sides[level]
            up = TransposedConvBlock(outs[level + 1] + skips[level + 1], outs[level], *_enlarging(small, large))
            decoder.append(nn.Sequential(up, *same(outs[level], 1 if small == 1 else 2)))
        self.face_decoder_blocks = nn.ModuleList(decoder)
        self.output_block = nn.Sequential(
            ConvBlock(outs[0] + skips[0], c(32), 3, 1, 1), nn.Conv2d(c(32), 3, 1, 1, 0), nn.Sigmoid()
        )

    def forward(self, mel: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
        """Generate faces.

        Args:
            mel: (B, 1, 80, 16), or (B, T, 1, 80, 16) with one window per frame.
            face: (B, 6, S, S), or (B, 6, T, S, S). Channels 0-2: the frame
                with its lower half zero; 3-5: a reference frame.

        Returns:
            (B, 3, S, S), or (B, 3, T, S, S), in [0, 1].
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


def _enlarging(small: int, large: int) -> tuple[int, int, int, int]:
    """Kernel, stride, padding and output padding of the transposed convolution from one side to the next."""
    odd = large - (2 * small - 1)  # 0 or 1 where a stride of 2 reaches it
    return (3, 2, 1, odd) if small > 1 and odd in (0, 1) else (large - small + 1, 1, 0, 0)


class QualityDiscriminator(FaceNetwork):
    """Tells real lower face halves from generated ones.

    Args:
        img_size: Side of the full face pictures (pixels): 96 (published), 192,
            256, 288 (published by the fork) or 384.
        width: Factor on all inner channel counts; 1 is the published network.
    """

    PUBLISHED = (96, 288)

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__(img_size, width)
        c = scaled(width)
        sides = halvings(img_size // 2, bottom=3)
        # Where there are more levels than at 96 pixels, the outer channel counts come twice.
        channels = [128] * ((len(sides) - 1) // 2) + [256] * ((len(sides) - 2) // 2) + [512, 512]

        def pair(c_in: int, c_out: int, kernel_size: int, stride) -> nn.Sequential:
            pad = kernel_size // 2
            return nn.Sequential(
                PlainConvBlock(c_in, c_out, kernel_size, stride, pad),
                PlainConvBlock(c_out, c_out, kernel_size, 1, pad),
            )

        blocks = [nn.Sequential(PlainConvBlock(3, c(32), 7, 1, 3)), pair(c(32), c(64), 5, (1, 2))]
        for before, here in zip([64, *channels[:-1]], channels, strict=True):
            blocks.append(pair(c(before), c(here), 5 if here < 512 else 3, 2))
        for kernel in shrinking(sides[-1]):
            last = (PlainConvBlock(c(512), c(512), kernel, 1, 0), PlainConvBlock(c(512), c(512), 1, 1, 0))
            blocks.append(nn.Sequential(*last))
        self.face_encoder_blocks = nn.ModuleList(blocks)
        self.binary_pred = nn.Sequential(nn.Conv2d(c(512), 1, 1), nn.Sigmoid())

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Judge full faces (B, 3, T, S, S) by their lower halves.

        Returns:
            (T*B, 1), the probability of being real, time-major.
        """
        x = lower_half(fold_time(frames))
        for block in self.face_encoder_blocks:
            x = block(x)
        return self.binary_pred(x).flatten(1)


class PatchDiscriminator(FaceNetwork):
    """Tells real from generated patches of lower face halves, for the hinge loss.

    Isola et al., "Image-to-Image Translation with Conditional Adversarial
    Networks", CVPR 2017 (arXiv 1611.07004), with the layout of the fork's
    ``NLayerDiscriminator`` (2.8 M parameters at width 1). One layout serves
    every size; a patch is 70 pixels wide.

    Args:
        img_size: Side of the full face pictures (pixels).
        width: Factor on all inner channel counts; 1 is the published network.
    """

    PUBLISHED = (384,)

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__(img_size, width)
        c = scaled(width)
        layers = [nn.Conv2d(3, c(64), 4, 2, 1), nn.LeakyReLU(0.2)]
        for c_in, c_out, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
            layers += [
                nn.Conv2d(c(c_in), c(c_out), 4, stride, 1, bias=False),
                nn.BatchNorm2d(c(c_out)),
                nn.LeakyReLU(0.2),
            ]
        self.main = nn.Sequential(*layers, nn.Conv2d(c(512), 1, 4, 1, 1))
        for layer in self.main:  # section 6.2 of the paper; its code does the same to the norms, around 1
            if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
                nn.init.normal_(layer.weight, float(isinstance(layer, nn.BatchNorm2d)), 0.02)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Judge the patches of the lower halves of full faces (B, 3, T, S, S).

        Returns:
            (T*B, 1, h, w) logits, time-major, positive for real; h = S / 16 - 2, w = S / 8 - 2.
        """
        return self.main(lower_half(fold_time(frames)))
