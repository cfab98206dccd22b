"""Wav2Lip: networks, checkpoints, training and lip synchronisation."""

from silvertalk.wav2lip.checkpoint import load_checkpoint, save_checkpoint
from silvertalk.wav2lip.networks import QualityDiscriminator, SyncNet, Wav2Lip
from silvertalk.wav2lip.windows import mel_chunk_starts

__all__ = [
    "QualityDiscriminator",
    "SyncNet",
    "Wav2Lip",
    "load_checkpoint",
    "mel_chunk_starts",
    "save_checkpoint",
]
