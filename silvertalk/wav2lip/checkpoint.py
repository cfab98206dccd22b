"""The networks of Wav2Lip in files; see ``silvertalk.training.checkpoint``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from silvertalk.syncnet.checkpoint import SYNCNET, face_kind
from silvertalk.training.checkpoint import Family, TrainedNetwork

if TYPE_CHECKING:
    from silvertalk.wav2lip.networks import Wav2Lip

GENERATOR = "Wav2Lip"
NETWORKS = "silvertalk.wav2lip.networks"
FAMILY = Family(
    "Wav2Lip",
    {
        "SyncNet": SYNCNET,
        GENERATOR: face_kind(GENERATOR, NETWORKS, "face_decoder_blocks.0.0.conv_block.0.weight", "wav2lip"),
        "QualityDiscriminator": face_kind("QualityDiscriminator", NETWORKS, "binary_pred.0.weight"),
        "PatchDiscriminator": face_kind("PatchDiscriminator", NETWORKS, "main.0.weight"),
    },
)
load_checkpoint, load_network = FAMILY.load, FAMILY.load_network


def find_generator(source: str | os.PathLike) -> TrainedNetwork:
    """Find the weights of a Wav2Lip generator; see ``Family.find``."""
    return FAMILY.find(source, GENERATOR)


def load_generator(source: str | os.PathLike | Wav2Lip) -> Wav2Lip:
    """Load a generator, in eval mode.

    Args:
        source: See ``find_generator``; or a Wav2Lip, which is returned.

    Raises:
        FileNotFoundError: No such folder or file, or nothing trained yet.
        ValueError: It holds another network.
    """
    if isinstance(source, str | os.PathLike):
        return FAMILY.build(find_generator(source))
    if type(source).__name__ != GENERATOR:
        raise ValueError(f"a {type(source).__name__} was given, not a Wav2Lip generator, a folder or a file")
    return source.eval()


def build_generator(weights: Path, **options) -> Wav2Lip:
    """Build a generator of known options on the CPU, in eval mode, from a file of its weights."""
    return FAMILY.build(TrainedNetwork(weights, GENERATOR, options))
