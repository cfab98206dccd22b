"""Networks in the formats of OpenVINO and ONNX Runtime, converted once and kept.

A conversion needs torch and a gigabyte for some ten seconds, so it runs in a
process of its own (``python -m silvertalk.engine.convert``). What it makes is
one folder per checkpoint, format and runtime version::

    ~/.cache/silvertalk/models/<key>/model.xml model.bin    (or model.onnx)
                                     model.json

``model.json`` holds checksums and how close the converted network comes to
the original. The folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from silvertalk.engine.model import MIN_PSNR, Model, Shapes
from silvertalk.engine.runtimes import RUNTIMES, TorchEngine, import_openvino
from silvertalk.utils import atomic_folder
from silvertalk.utils.cache import cache_folder, content_key
from silvertalk.utils.cli import make_parser
from silvertalk.utils.log import setup_logging

if TYPE_CHECKING:
    from torch import nn

FORMAT = 3  # counts changes of what is written here
MODEL_FILES = {"openvino": ("model.xml", "model.bin"), "onnxruntime": ("model.onnx",)}  # the first is opened
UNUSABLE = 3  # exit code: the checkpoint itself is at fault, another format will not help
EXAMPLE_SIZE = 32  # of what has any size, where a conversion needs one


@dataclass
class Converted:
    """A converted network on disk."""

    path: Path  # the file the runtime opens
    closeness: float  # dB to torch fp32


def convert_cached(model: Model, backend: str, precision: str, cache_dir: str | os.PathLike | None = None) -> Converted:
    """Give a converted network, made now unless it is in the cache whole.

    Args:
        model: The network, on disk.
        backend: openvino or onnxruntime.
        precision: What it will run in: fp32, bf16 or fp16.
        cache_dir: Holds the folders; default ``cache_folder("models")``.

    Raises:
        ValueError: Not a checkpoint of this network.
        RuntimeError: The conversion failed.
        OSError: The cache cannot be written.
    """
    folder = cache_folder("models") if cache_dir is None else Path(cache_dir)
    folder = folder.absolute() / cache_key(model, backend, precision)
    if not is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        logging.info("converting %s to %s %s (once; kept in %s)", model.weights, backend, precision, folder)
        _run_conversion(model, folder, backend, precision)
    record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return Converted(folder / MODEL_FILES[backend][0], record["closeness"])


def cache_key(model: Model, backend: str, precision: str) -> str:
    """Name that changes with whatever changes the converted network or its precision."""
    assert model.weights is not None, "save_network() first"
    version = importlib.metadata.version(backend)
    settings = {"format": FORMAT, "backend": backend, "version": version, "precision": precision}
    return content_key(model.weights, **settings, build=model.build, options=dict(model.options))


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a converted network with the bytes that were once written."""
    try:
        record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return all(_sha256(folder / name) == digest for name, digest in record["files"].items())
    except (OSError, ValueError, LookupError):
        return False


def _sha256(path: Path) -> str:
    """Checksum of a file."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _run_conversion(model: Model, folder: Path, backend: str, precision: str) -> None:
    """Run ``convert`` in a process of its own."""
    options = {"model": model.to_json(), "out_dir": folder, "backend": backend, "precision": precision}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    root = str(Path(__file__).resolve().parents[2])  # so that it finds this package wherever the caller stands
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-P", "-W", "ignore", "-m", "silvertalk.engine.convert", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
        error = ValueError if done.returncode == UNUSABLE else RuntimeError
        raise error(reason[0] if error is ValueError else f"conversion to {backend} failed: {reason[0]}")


def convert(model: str, out_dir: str, backend: str, precision: str = "fp32") -> None:
    """Convert a network and compare the result with the original.

    Args:
        model: What ``Model.to_json`` wrote.
        out_dir: Folder to make; left as it is when it is there and whole.
        backend: openvino or onnxruntime.
        precision: What it will run in: fp32, bf16 or fp16.
    """
    folder = Path(out_dir).absolute()
    with _only_one(folder.parent):
        if is_whole(folder):  # another process made it while this one waited
            return
        for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)
        with atomic_folder(folder) as temporary:
            _write(Model.from_json(model), temporary, backend, precision)


@contextlib.contextmanager
def _only_one(cache_dir: Path) -> Iterator[None]:
    """Let one process of this machine convert at a time: two would need the memory twice."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    with open(cache_dir / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(model: Model, folder: Path, backend: str, precision: str) -> None:
    """Write the converted network and its record."""
    network = model.build_network().requires_grad_(False)
    path = folder / MODEL_FILES[backend][0]
    if backend == "openvino":
        write_openvino(network, path, model.shapes, precision)
    else:
        write_onnx(network, path, model.shapes)
    given = model.check_inputs()
    wanted = TorchEngine(network, model.shapes, len(given[0]))(*given)
    del network
    drawn = RUNTIMES[backend](path, model.shapes, len(given[0]), precision)(*given)
    record = {
        "weights": str(model.weights),
        "backend": f"{backend} {importlib.metadata.version(backend)}",
        "precision": precision,
        "closeness": round(model.measure(drawn, wanted), 2),
        "files": {name: _sha256(folder / name) for name in MODEL_FILES[backend]},
    }
    (folder / "model.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write_openvino(
    network: nn.Module,
    path: Path,
    shapes: Shapes,
    precision: str,
    about: Mapping[str, str] | None = None,
) -> None:
    """Write OpenVINO's format: batches of any size, weights of 16 bit where the arithmetic has no more.

    Args:
        network: On the CPU.
        path: The .xml; the .bin appears beside it.
        shapes: Of what it takes.
        precision: What it will run in: fp32, bf16 or fp16.
        about: What the network is, kept in the .xml.
    """
    import torch

    openvino = import_openvino()
    example = tuple(torch.zeros(shape) for shape in example_shapes(shapes))
    inputs = [openvino.PartialShape([-1, *(size or -1 for size in shape)]) for shape in shapes.values()]
    model = openvino.convert_model(network, example_input=example, input=inputs)
    for key, value in (about or {}).items():
        model.set_rt_info(value, ["silvertalk", key])
    openvino.save_model(model, path, compress_to_fp16=precision != "fp32")


def write_onnx(network: nn.Module, path: Path, shapes: Shapes, outputs: tuple[str, ...] = ("generated",)) -> None:
    """Write ONNX: batches of any size, fp32.

    Args:
        network: On the CPU.
        path: The file.
        shapes: Of what it takes.
        outputs: Names of what it gives; the last axis of each varies if one does of what it takes.
    """
    import torch

    any_size = {
        name: {axis: "length" for axis, size in enumerate(shape, 1) if size is None} for name, shape in shapes.items()
    }
    if any(any_size.values()):
        any_size |= {name: {-1: "samples"} for name in outputs}
    torch.onnx.export(
        network,
        tuple(torch.zeros(shape) for shape in example_shapes(shapes)),
        str(path),
        dynamo=False,  # the new exporter needs onnxscript
        opset_version=17,
        input_names=list(shapes),
        output_names=list(outputs),
        dynamic_axes={name: {0: "frames"} | any_size.get(name, {}) for name in (*shapes, *outputs)},
    )


def example_shapes(shapes: Shapes) -> list[tuple[int, ...]]:
    """Shapes of one input each, with the batch."""
    return [(1, *(size or EXAMPLE_SIZE for size in shape)) for shape in shapes.values()]


def require_close(figure: float, name: str, needed: float = MIN_PSNR) -> None:
    """Refuse an engine that gives something else than torch fp32.

    Args:
        figure: How close it is (dB).
        name: The engine's name.
        needed: How close it has to be (dB).

    Raises:
        RuntimeError: It is not.
    """
    if not figure >= needed:  # NaN, too
        raise RuntimeError(
            f"{name} is only {figure:.1f} dB close to torch fp32 with these weights, {needed:.0f} are needed; "
            "use --precision fp32"
        )


def get_parser():
    """Return the parser."""
    return make_parser(convert)


def main(cmd: list[str] | None = None):
    """Run the command line; the last line on stderr is the reason of a failure."""
    arguments = get_parser().parse_args(cmd).as_dict()
    arguments.pop("config", None)
    setup_logging()
    try:
        convert(**arguments)
    except (ValueError, FileNotFoundError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)  # torch's messages have several lines
        sys.exit(UNUSABLE)


if __name__ == "__main__":
    main()
