"""Losses of the lip expert, and by it (Prajwal et al. 2020, section 3)."""

import torch
from torch.nn import functional

from silvertalk.syncnet.windows import lower_half


def cosine_bce(audio: torch.Tensor, face: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy of the cosine of two embeddings (equation 1).

    Args:
        audio: (B, D), unit norm, not negative.
        face: (B, D), likewise.
        label: (B,), 1 for pairs that belong together.

    Returns:
        Scalar; 0.693 is chance.
    """
    # Rounding gives cosines above 1; half precision cannot hold the logarithm.
    with torch.autocast(audio.device.type, enabled=False):
        cosine = (precise(audio) * precise(face)).sum(dim=1).clamp(0.0, 1.0)
        return functional.binary_cross_entropy(cosine, label.to(cosine.dtype))


def sync_loss(expert: torch.nn.Module, mel: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Ask the expert whether generated lips fit the sound (equation 2).

    Args:
        expert: ``SyncNet``, frozen and in eval mode.
        mel: (B, 1, 80, 16).
        frames: (B, 3, 5, H, W), BGR in [0, 1].

    Returns:
        Scalar.
    """
    audio, face = expert(mel, stack_window(frames))
    return cosine_bce(audio, face, torch.ones(len(mel), device=mel.device))


def stack_window(frames: torch.Tensor) -> torch.Tensor:
    """Lower halves of a window, frame by frame on channels: (B, 3, 5, H, W) -> (B, 15, H/2, W)."""
    return torch.cat(lower_half(frames).unbind(2), dim=1)


def precise(x: torch.Tensor) -> torch.Tensor:
    """Half precision to float32; the rest stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
