"""Trained networks as files for other tools."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from silvertalk.engine.convert import write_onnx, write_openvino
from silvertalk.engine.runtimes import import_openvino
from silvertalk.training.checkpoint import describe, save_checkpoint
from silvertalk.utils import atomic_path
from silvertalk.wav2lip.checkpoint import load_checkpoint
from silvertalk.wav2lip.convert import expert_shapes, generator_shapes

FORMATS = ("wav2lip", "safetensors", "onnx", "openvino")
TOLERANCE = 1e-4  # absolute, of pictures in [0, 1] and unit embeddings


def export_network(model: str | os.PathLike, out: str | os.PathLike, format: str = "wav2lip") -> Path:
    """Write a trained network in a format that other tools read.

    Args:
        model: Experiment folder, or any file of weights that ``load_checkpoint`` reads.
        out: The file to write; of openvino the .xml, beside which the .bin appears.
        format: wav2lip, the dictionary that the published scripts read (generator,
            expert, discriminators); safetensors (the same networks); onnx or
            openvino (generator and expert), fp32 with any number of frames.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: Not a network of Wav2Lip, or one that this format is not for.
        RuntimeError: The converted network gives something else than torch.
    """
    out = Path(out)
    if format not in FORMATS:
        raise ValueError(f"format '{format}' is none of {', '.join(FORMATS)}")
    if format == "openvino" and out.suffix != ".xml":
        raise ValueError(f"{out}: let the name end in .xml; the weights go into a .bin of the same name")
    network = load_checkpoint(model).requires_grad_(False)
    kind = type(network).__name__
    if format in CONVERTERS and kind not in ("Wav2Lip", "SyncNet"):
        raise ValueError(f"{model}: a {kind} is for training only; use --format wav2lip or safetensors")
    if format == "wav2lip":
        save_checkpoint(out, network)
    elif format == "safetensors":
        _write_safetensors(network, out)
    else:
        CONVERTERS[format](network, out)
    logging.info("%s: %s of %d pixels, width %g, as %s", out, kind, network.img_size, network.width, format)
    return out


def _write_safetensors(network: nn.Module, out: Path) -> None:
    """Write safetensors; what the network is stands in its metadata."""
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    with atomic_path(out) as temporary:
        # save_file would let nobody else read it.
        Path(temporary).write_bytes(save(state, {"format": "pt", **describe(network)}))


def _write_onnx(network: nn.Module, out: Path) -> None:
    """Write ONNX, once it gives what torch gives."""
    import onnx
    import onnxruntime

    with atomic_path(out) as temporary:
        outputs = ("generated",) if type(network).__name__ == "Wav2Lip" else ("audio", "lips")
        write_onnx(network, temporary, _shapes(network), outputs)
        model = onnx.load(temporary)
        onnx.helper.set_model_props(model, describe(network))
        onnx.save(model, temporary)
        session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]
        _require_equal(network, lambda *inputs: session.run(None, dict(zip(names, inputs, strict=True))), "onnxruntime")


def _write_openvino(network: nn.Module, out: Path) -> None:
    """Write OpenVINO's two files, once they give what torch gives."""
    openvino = import_openvino()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.stem}.", dir=out.parent) as folder:
        path = Path(folder) / out.name
        write_openvino(network, path, _shapes(network), "fp32", describe(network))
        run = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        _require_equal(network, lambda *inputs: list(run(inputs).values()), "openvino")
        for suffix in (".bin", ".xml"):  # a reader opens the .xml
            os.replace(path.with_suffix(suffix), out.with_suffix(suffix))


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what a generator or an expert takes."""
    shapes = generator_shapes if type(network).__name__ == "Wav2Lip" else expert_shapes
    return shapes(network.img_size)


def _require_equal(network: nn.Module, run, name: str) -> None:
    """Compare a converted network with torch on batches of two sizes.

    Raises:
        RuntimeError: They differ by more than 1e-4.
    """
    random = np.random.default_rng(0)
    for frames in (1, 3):
        inputs = [
            random.uniform(low, high, (frames, *shape)).astype(np.float32)
            for shape, low, high in zip(_shapes(network).values(), (-4, 0), (4, 1), strict=True)
        ]
        wanted = network(*map(torch.from_numpy, inputs))
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for given, right in zip(run(*inputs), wanted, strict=True):
            error = float(np.abs(given - right.numpy()).max())
            if not error <= TOLERANCE:  # NaN, too
                raise RuntimeError(f"{name} gives something else than torch (by {error:.2g}); use --format wav2lip")


CONVERTERS = {"onnx": _write_onnx, "openvino": _write_openvino}
