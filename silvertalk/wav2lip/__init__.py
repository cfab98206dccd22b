"""Wav2Lip: networks, checkpoints, training and lip synchronisation."""

import importlib

__all__ = [
    "PatchDiscriminator",
    "QualityDiscriminator",
    "SyncNet",
    "Wav2Lip",
    "describe",
    "export_network",
    "load_checkpoint",
    "mel_chunk_starts",
    "save_checkpoint",
]

_HOMES = {
    "PatchDiscriminator": "silvertalk.wav2lip.networks",
    "QualityDiscriminator": "silvertalk.wav2lip.networks",
    "SyncNet": "silvertalk.syncnet.networks",
    "Wav2Lip": "silvertalk.wav2lip.networks",
    "describe": "silvertalk.training.checkpoint",
    "export_network": "silvertalk.wav2lip.export",
    "load_checkpoint": "silvertalk.wav2lip.checkpoint",
    "mel_chunk_starts": "silvertalk.syncnet.windows",
    "save_checkpoint": "silvertalk.training.checkpoint",
}


def __getattr__(name: str):
    """Import an exported name when it is first used.

    The networks need torch, which costs 500 MB and 3 s; rendering with a
    converted network passes through this module and does without it.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Exported names, imported or not."""
    return sorted({*globals(), *__all__})
