"""Losses of Wav2Lip (Prajwal et al. 2020, section 3)."""

import torch
from torch.nn import functional

from silvertalk.wav2lip.networks import stack_window


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
        cosine = (audio.float() * face.float()).sum(dim=1).clamp(0.0, 1.0)
        return functional.binary_cross_entropy(cosine, label.float())


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
    return ((generated.float() - target).abs() * weights).mean() / weights.mean()
