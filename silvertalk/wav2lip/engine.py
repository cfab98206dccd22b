"""The engine that runs the generator; see ``silvertalk.engine.select``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from silvertalk.engine import select
from silvertalk.engine.model import Model
from silvertalk.engine.runtimes import Engine
from silvertalk.wav2lip.checkpoint import find_generator, load_generator
from silvertalk.wav2lip.convert import generator_shapes

if TYPE_CHECKING:
    from silvertalk.wav2lip.networks import Wav2Lip


def make_engine(source: str | os.PathLike | Wav2Lip, *options, **named) -> Engine:
    """Make the engine that runs a generator fastest here, or the one asked for.

    It takes ``mel``, float32 (B, 1, 80, 16), and ``face``, float32 (B, 6, S, S), BGR in [0, 1]: frames with
    their lower halves zero, then references. It gives float32 (B, 3, S, S), BGR in [0, 1].

    Frames per second of the full-size network on two cores with AMX (batches
    of 8), and memory of the process: OpenVINO bf16 210 (340 MB) and fp32 45
    (510 MB), ONNX Runtime 39 (570 MB), torch bf16 100 (870 MB) and fp32 36
    (970 MB).

    Args:
        source: Experiment folder, checkpoint file of a Wav2Lip, or a Wav2Lip.
        *options: See ``silvertalk.engine.select.make_engine``.
        **named: Likewise.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: Another network, or something that cannot be asked of this backend or machine.
        RuntimeError: A backend or device that is missing, a failed conversion, or one not close to torch fp32.
    """
    return select.make_engine(generator_model(source), *options, **named)


def generator_model(source: str | os.PathLike | Wav2Lip) -> Model:
    """What an engine needs to know of a generator.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: Another network.
    """
    names = {
        "build": "silvertalk.wav2lip.checkpoint:build_generator",
        "check": "silvertalk.wav2lip.convert:check_inputs",
    }
    if isinstance(source, str | os.PathLike):
        found = find_generator(source)
        shapes = generator_shapes(found.options["img_size"])
        return Model(**names, shapes=shapes, options=dict(found.options), weights=found.weights)
    network = load_generator(source)
    options = {"img_size": network.img_size, "width": network.width}
    return Model(**names, shapes=generator_shapes(network.img_size), options=options, network=network)
