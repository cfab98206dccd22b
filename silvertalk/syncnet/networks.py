"""The lip expert: does a mouth fit a sound?

The SyncNet of Prajwal et al., "A Lip Sync Expert Is All You Need for Speech to Lip Generation In the Wild", ACM MM 2020
(arXiv 2008.10010), after Chung and Zisserman, "Out of time", ACCV-W 2016; which sizes are published and how ours are
made stands in ``silvertalk.wav2lip.networks``.
"""

import torch
from torch import nn

from silvertalk.syncnet.layers import ConvBlock, FaceNetwork, audio_encoder, halvings, same, scaled, shrinking
from silvertalk.syncnet.windows import SYNCNET_T


class SyncNet(FaceNetwork):
    """Expert that tells whether five mouth pictures and 0.2 s of sound belong together.

    From 192 pixels on the embeddings are twice as wide and the ReLUs before
    the last layers leaky, as in the fork's experts of 192 and 384 pixels; its
    second one has fewer channels where the picture is large, and so have ours
    of 256 and 288. Both embeddings have the same size at every ``img_size``
    and ``width``. (The fork used its 192 expert with larger faces, where they
    had not.)

    Args:
        img_size: Side of the full face pictures (pixels): 96, 192, 384
            (published), 256 or 288; it sees their lower halves.
        width: Factor on all inner channel counts; 1 is the published network.
    """

    PUBLISHED = (96, 192, 384)

    def __init__(self, img_size: int = 96, width: float = 1.0):
        super().__init__(img_size, width)
        c = scaled(width)
        embedding, slope = (512, 0.0) if img_size == 96 else (1024, 0.2)
        # The second layer's 5x5 kernel is padded by 1 only, which costs it 2 pixels.
        sides = [(img_size - 1) // 2, *halvings((img_size - 1) // 2, bottom=3)]
        channels = [embedding, *(embedding >> level for level in range(len(sides) - 1))][::-1]
        residuals = [2] * (len(sides) - 1) + [0]
        if img_size <= 192:
            residuals[1] = 3
        layers = [
            ConvBlock(3 * SYNCNET_T, c(channels[0] // 2), 7, 1, 3, slope=slope),
            ConvBlock(c(channels[0] // 2), c(channels[0]), 5, (1, 2), 1, slope=slope),
            *same(c(channels[0]), residuals[0], slope),
        ]
        for level in range(1, len(sides)):
            layers.append(ConvBlock(c(channels[level - 1]), c(channels[level]), 3, 2, 1, slope=slope))
            layers += same(c(channels[level]), residuals[level], slope)
        layers += [ConvBlock(c(embedding), c(embedding), k, 1, 0, slope=slope) for k in shrinking(sides[-1])]
        layers.append(ConvBlock(c(embedding), c(embedding), 1, 1, 0))
        if img_size == 192:  # its two layers before the last are not leaky
            layers[-3].slope = layers[-2].slope = 0.0
        self.face_encoder = nn.Sequential(*layers)
        self.audio_encoder = audio_encoder(c, inner_residuals=2, slope=slope, embedding=embedding)

    def forward(self, mel: torch.Tensor, face: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed sound and lips.

        Args:
            mel: (B, 1, 80, 16).
            face: (B, 15, S / 2, S), the lower halves of five frames, frame by frame.

        Returns:
            Audio and face embeddings, (B, D) each, unit norm, not negative; at
            width 1 D is 512 for 96 pixels and 1024 for more.
        """
        embeddings = (self.audio_encoder(mel), self.face_encoder(face))
        audio, video = (nn.functional.normalize(e.flatten(1), dim=1) for e in embeddings)
        return audio, video
