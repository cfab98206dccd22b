"""The generator in the formats of OpenVINO and ONNX Runtime, converted once and kept.

A conversion needs torch and 1.1 GB for some ten seconds, so it runs in a
process of its own (``python -m silvertalk.wav2lip.convert``). What it makes is
one folder per checkpoint, format and runtime version::

    ~/.cache/silvertalk/models/<key>/model.xml model.bin    (or model.onnx)
                                     model.json

``model.json`` holds checksums and how close the converted network comes to
the original on a real face. The folder may be deleted at any time.
"""

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

import numpy as np

from silvertalk.utils.cache import cache_folder, content_key
from silvertalk.utils.cli import make_parser
from silvertalk.utils.log import setup_logging
from silvertalk.wav2lip.checkpoint import TrainedNetwork, build_network
from silvertalk.wav2lip.windows import MEL_STEP_SIZE, SYNCNET_T, mask_lower_half

FORMAT = 1  # counts changes of what is written here
MODEL_FILES = {"openvino": ("model.xml", "model.bin"), "onnxruntime": ("model.onnx",)}  # the first is opened
UNUSABLE = 3  # exit code: the checkpoint itself is at fault, another format will not help
MIN_PSNR = 40.0  # dB to torch fp32; differences of 1 % of the range, which nobody sees in a video
CHECK_FRAMES = 4


@dataclass
class Converted:
    """A converted network on disk."""

    model: Path  # the file the runtime opens
    img_size: int  # pixels
    psnr: float  # dB to torch fp32


def convert_cached(
    found: TrainedNetwork, backend: str, precision: str, cache_dir: str | os.PathLike | None = None
) -> Converted:
    """Give a converted network, made now unless it is in the cache whole.

    Args:
        found: The generator.
        backend: openvino or onnxruntime.
        precision: What it will run in: fp32, bf16 or fp16.
        cache_dir: Holds the folders; default ``cache_folder("models")``.

    Raises:
        ValueError: Not a checkpoint of a Wav2Lip.
        RuntimeError: The conversion failed.
        OSError: The cache cannot be written.
    """
    folder = cache_folder("models") if cache_dir is None else Path(cache_dir)
    folder = folder.absolute() / cache_key(found, backend, precision)
    if not is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        logging.info("converting %s to %s %s (once; kept in %s)", found.weights, backend, precision, folder)
        _run_conversion(found, folder, backend, precision)
    record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return Converted(folder / MODEL_FILES[backend][0], record["img_size"], record["psnr"])


def cache_key(found: TrainedNetwork, backend: str, precision: str) -> str:
    """Name that changes with whatever changes the converted network or its precision."""
    version = importlib.metadata.version(backend)
    settings = {"format": FORMAT, "backend": backend, "version": version, "precision": precision}
    return content_key(found.weights, **settings, **found.options)


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


def _run_conversion(found: TrainedNetwork, folder: Path, backend: str, precision: str) -> None:
    """Run ``convert`` in a process of its own."""
    options = {"weights": found.weights.absolute(), "out_dir": folder, "backend": backend, "precision": precision}
    arguments = [f"--{name}={value}" for name, value in {**options, **found.options}.items()]
    root = str(Path(__file__).resolve().parents[2])  # so that it finds this package wherever the caller stands
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-P", "-W", "ignore", "-m", "silvertalk.wav2lip.convert", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
        error = ValueError if done.returncode == UNUSABLE else RuntimeError
        raise error(reason[0] if error is ValueError else f"conversion to {backend} failed: {reason[0]}")


def convert(
    weights: str, out_dir: str, backend: str, precision: str = "fp32", img_size: int = 96, width: float = 1.0
) -> None:
    """Convert a Wav2Lip checkpoint and compare the result with the original.

    Args:
        weights: Checkpoint file.
        out_dir: Folder to make; left as it is when it is there and whole.
        backend: openvino or onnxruntime.
        precision: What it will run in: fp32, bf16 or fp16.
        img_size: Side of the face picture (pixels).
        width: Factor on all channel counts.
    """
    folder = Path(out_dir).absolute()
    with _only_one(folder.parent):
        if is_whole(folder):  # another process made it while this one waited
            return
        for leftover in (folder, *folder.parent.glob(f".{folder.name}.*.tmp")):
            shutil.rmtree(leftover, ignore_errors=True)
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        temporary.mkdir(parents=True)
        try:
            found = TrainedNetwork(Path(weights), options={"img_size": img_size, "width": width})
            _write(found, temporary, backend, precision)
            os.rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _only_one(cache_dir: Path) -> Iterator[None]:
    """Let one process of this machine convert at a time: two would need the memory twice."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    with open(cache_dir / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(found: TrainedNetwork, folder: Path, backend: str, precision: str) -> None:
    """Write the converted network and its record."""
    from silvertalk.wav2lip.engine import RUNTIMES, TorchEngine

    network = build_network(found).requires_grad_(False)
    img_size = network.img_size
    model = folder / MODEL_FILES[backend][0]
    if backend == "openvino":
        write_openvino(network, model, precision)
    else:
        write_onnx(network, model)
    mels, faces = check_inputs(img_size)
    wanted = TorchEngine(network, CHECK_FRAMES)(mels, faces)
    del network
    given = RUNTIMES[backend](model, img_size, CHECK_FRAMES, precision)(mels, faces)
    record = {
        "weights": str(found.weights),
        "backend": f"{backend} {importlib.metadata.version(backend)}",
        "precision": precision,
        "img_size": img_size,
        "psnr": round(psnr(given, wanted), 2),
        "files": {name: _sha256(folder / name) for name in MODEL_FILES[backend]},
    }
    (folder / "model.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def converter_inputs(network) -> dict[str, tuple[int, ...]]:
    """Names and shapes, without that of the batch, of what a generator or an expert takes."""
    size = network.img_size
    face = (6, size, size) if type(network).__name__ == "Wav2Lip" else (3 * SYNCNET_T, size // 2, size)
    return {"mel": (1, 80, MEL_STEP_SIZE), "face": face}


def write_openvino(network, path: Path, precision: str, about: Mapping[str, str] | None = None) -> None:
    """Write OpenVINO's format: any number of frames, weights of 16 bit where the arithmetic has no more.

    Args:
        network: Generator or expert, on the CPU.
        path: The .xml; the .bin appears beside it.
        precision: What it will run in: fp32, bf16 or fp16.
        about: What the network is, kept in the .xml.
    """
    import torch

    from silvertalk.wav2lip.engine import import_openvino

    openvino = import_openvino()
    shapes = converter_inputs(network).values()
    example = tuple(torch.zeros(1, *shape) for shape in shapes)
    inputs = [openvino.PartialShape([-1, *shape]) for shape in shapes]
    model = openvino.convert_model(network, example_input=example, input=inputs)
    for key, value in (about or {}).items():
        model.set_rt_info(value, ["silvertalk", key])
    openvino.save_model(model, path, compress_to_fp16=precision != "fp32")


def write_onnx(network, path: Path) -> None:
    """Write ONNX: any number of frames, fp32.

    Args:
        network: Generator (gives ``generated``) or expert (gives ``audio`` and ``lips``), on the CPU.
        path: The file.
    """
    import torch

    shapes = converter_inputs(network)
    outputs = ["generated"] if type(network).__name__ == "Wav2Lip" else ["audio", "lips"]
    torch.onnx.export(
        network,
        tuple(torch.zeros(1, *shape) for shape in shapes.values()),
        str(path),
        dynamo=False,  # the new exporter needs onnxscript
        opset_version=17,
        input_names=list(shapes),
        output_names=outputs,
        dynamic_axes={name: {0: "frames"} for name in (*shapes, *outputs)},
    )


def check_inputs(img_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Make what converted networks are compared on: a real face, moved a little, and something like speech.

    Args:
        img_size: Side of the face picture (pixels).

    Returns:
        Mel windows (4, 1, 80, 16) and masked frames with their references (4, 6, S, S), float32.
    """
    import cv2
    from skimage.data import astronaut  # NASA, public domain

    # Drawn, because no recording of speech ships with the package.
    seconds, band = np.arange(80)[None] / 80, np.arange(80)[:, None]
    formants = ((12, 5, 3.0), (32, 10, 2.0), (54, 6, 5.0))  # mel band, how far it moves, how often a second
    peaks = sum(np.exp(-(((band - c - r * np.sin(2 * np.pi * f * seconds)) / 5) ** 2)) for c, r, f in formants)
    syllables = np.sin(2 * np.pi * 2 * seconds) ** 2  # four a second
    noise = np.random.default_rng(0).normal(0, 0.3, (80, 80))
    mel = np.clip(-3.5 + 5 * syllables * (peaks + 0.3) + noise, -4, 4).astype(np.float32)
    mels = np.stack([mel[None, :, 17 * k : 17 * k + MEL_STEP_SIZE] for k in range(CHECK_FRAMES)])
    picture = astronaut()[..., ::-1]
    crops = [picture[66 + 2 * k : 182 + 2 * k, 166:282] for k in range(CHECK_FRAMES)]
    faces = np.stack([cv2.resize(crop, (img_size, img_size), interpolation=cv2.INTER_AREA) for crop in crops])
    faces = faces.transpose(0, 3, 1, 2).astype(np.float32) / 255
    return mels, np.concatenate([mask_lower_half(faces), np.broadcast_to(faces[:1], faces.shape)], axis=1)


def psnr(given: np.ndarray, wanted: np.ndarray) -> float:
    """Peak signal to noise ratio (dB) of pictures in [0, 1]; at most 120, NaN for pictures that are none."""
    error = float(np.mean((given.astype(np.float64) - wanted) ** 2))
    return float(-10 * np.log10(max(error, 1e-12))) if np.isfinite(error) else float("nan")


def require_close(figure: float, name: str) -> None:
    """Refuse an engine that draws something else than torch fp32.

    Args:
        figure: PSNR (dB).
        name: The engine's name.

    Raises:
        RuntimeError: Below 40 dB.
    """
    if not figure >= MIN_PSNR:  # NaN, too
        raise RuntimeError(
            f"{name} is only {figure:.1f} dB close to torch fp32 with these weights, {MIN_PSNR:.0f} are needed; "
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
