"""Choosing what runs a network fastest here: torch, OpenVINO or ONNX Runtime."""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from silvertalk.engine.convert import convert_cached, require_close
from silvertalk.engine.model import Model
from silvertalk.engine.runtimes import RUNTIMES, Engine, TorchEngine, engine_name, import_openvino

BACKENDS = ("torch", "openvino", "onnxruntime")
PRECISIONS = ("fp32", "bf16", "fp16")


class Choice(NamedTuple):
    """One way to run a network."""

    backend: str
    device: str
    precision: str

    def __str__(self) -> str:
        return engine_name(*self)


def make_engine(
    model: Model,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    batch_size: int = 8,
    cache_dir: str | os.PathLike | None = None,
    num_threads: int | None = None,
) -> Engine:
    """Make the engine that runs a network fastest here, or the one asked for.

    ``auto`` takes torch in bf16 or fp16 on an NVIDIA GPU, else OpenVINO (bf16
    where the processor has it), else ONNX Runtime, else torch fp32. Whatever
    is not torch fp32 has to come as close to it as the model wants on its
    check inputs; ``auto`` goes on to the next with a warning.

    A network in memory (tests, training) is taken as it is now; later
    training does not change the engine. ``auto`` runs it with torch, because
    converting it costs ten seconds and a folder in the cache.

    Args:
        model: The network.
        backend: auto, torch, openvino or onnxruntime.
        device: auto, cpu, cuda or cuda:N.
        precision: auto, fp32, bf16 or fp16.
        batch_size: Most entries of a call; memory grows with it.
        cache_dir: Where converted networks are kept; default ``~/.cache/silvertalk/models``.
        num_threads: Threads on the processor; default OMP_NUM_THREADS, else one per core.

    Raises:
        ValueError: Something that cannot be asked of this backend or machine, or a file of another network.
        RuntimeError: A backend or device that is missing, a failed conversion, or one not close to torch fp32.
    """
    if model.network is not None:
        model = replace(model, network=copy.deepcopy(model.network))
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size} is less than 1")
    threads = _default_threads() if num_threads is None else num_threads
    choices = _choices(backend, device, precision, model.network is not None)
    for choice, after in zip(choices, [*choices[1:], None], strict=True):
        try:
            if choice.backend == "torch":
                return _torch_engine(model, choice, batch_size, threads)
            return _converted_engine(model, choice, batch_size, cache_dir, threads)
        except (RuntimeError, OSError) as error:
            if after is None:
                raise
            logging.warning("%s is not used (%s); taking %s", choice, error, after)
    raise AssertionError("the last choice returns or raises")


def _torch_engine(model: Model, choice: Choice, batch_size: int, num_threads: int) -> TorchEngine:
    """Load the network into torch; compare it with fp32 if it is not that."""
    network = model.build_network()
    options: dict[str, Any] = {"device": choice.device, "num_threads": num_threads}
    if choice.precision == "fp32":
        return TorchEngine(network, model.shapes, batch_size, **options)
    given = [array[:batch_size] for array in model.check_inputs()]
    # Of a network in memory the next choice needs the weights as they are.
    network = network if model.network is None else copy.deepcopy(network)
    wanted = TorchEngine(network, model.shapes, len(given[0]), **options)(*given)
    engine = TorchEngine(network, model.shapes, batch_size, precision=choice.precision, **options)
    require_close(model.measure(engine(*given), wanted), engine.name, model.min_closeness)
    return engine


def _converted_engine(model: Model, choice: Choice, batch_size: int, cache_dir, num_threads: int) -> Engine:
    """Open a converted network."""
    with tempfile.TemporaryDirectory(prefix="silvertalk") as folder:
        stored = model if model.network is None else save_network(model, Path(folder))
        converted = convert_cached(stored, choice.backend, choice.precision, cache_dir)
    require_close(converted.closeness, str(choice), model.min_closeness)
    options: dict[str, Any] = {"precision": choice.precision, "device": choice.device, "num_threads": num_threads}
    return RUNTIMES[choice.backend](converted.path, model.shapes, batch_size, **options)


def save_network(model: Model, folder: Path) -> Model:
    """Write a network in memory to a file of always the same name: torch stores the name, and the cache goes by it.

    Args:
        model: The network, in memory.
        folder: Where its weights are written.

    Returns:
        The same, on disk.
    """
    import torch

    assert model.network is not None
    path = folder / "network.pth"
    torch.save({"state_dict": model.network.state_dict()}, path)
    return replace(model, weights=path, network=None)


def _choices(backend: str, device: str, precision: str, in_memory: bool) -> list[Choice]:
    """Ways to run a network that fit what was asked, the best first."""
    for what, value, known in (("backend", backend, BACKENDS), ("precision", precision, PRECISIONS)):
        if value not in ("auto", *known):
            raise ValueError(f"{what} '{value}' is none of auto, {', '.join(known)}")
    possible = [(pair, _precisions(*pair)) for pair in _places(backend, device, in_memory)]
    if precision == "auto":  # what comes after fp32 is less exact and no faster: only for those who ask
        return [Choice(*pair, p) for pair, names in possible for p in names[: names.index("fp32") + 1]]
    wanted = [Choice(*pair, precision) for pair, names in possible if precision in names]
    if not wanted:
        names = ", ".join(str(Choice(*pair, p)) for pair, names in possible for p in names)
        raise ValueError(f"precision '{precision}' is not possible here; possible: {names}")
    return wanted


def _places(backend: str, device: str, in_memory: bool) -> list[tuple[str, str]]:
    """Pairs of backend and device that fit what was asked, the best first."""
    if device != "auto" and device != "cpu" and not device.startswith("cuda"):
        raise ValueError(f"device '{device}' is none of auto, cpu, cuda, cuda:N")
    if backend not in ("auto", "torch") and not _installed(backend):
        raise RuntimeError(f"{backend} is not installed; pip install {backend}, or use --backend torch")
    if device.startswith("cuda"):
        if backend == "openvino":
            raise ValueError(f"openvino runs on the processor here, not on '{device}'; use --backend torch")
        if not _has_cuda(backend):
            raise RuntimeError(f"no NVIDIA GPU that {backend} can use for '{device}'; use --device cpu")
        return [("torch" if backend == "auto" else backend, device)]
    gpu = device == "auto" and backend != "openvino" and _has_cuda(backend)
    if backend != "auto":
        return [(backend, "cuda")] * gpu + [(backend, "cpu")]
    others = [] if in_memory else [(name, "cpu") for name in ("openvino", "onnxruntime") if _installed(name)]
    return [("torch", "cuda")] * gpu + [*others, ("torch", "cpu")]


def _installed(package: str) -> bool:
    """Whether a package is there, without importing it."""
    return importlib.util.find_spec(package) is not None


def _has_cuda(backend: str) -> bool:
    """Whether there is a GPU for a backend; torch is imported only where there is an NVIDIA driver."""
    driver = any(Path("/dev").glob("nvidia[0-9]*")) or shutil.which("nvidia-smi")
    if not driver or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    if backend == "onnxruntime":
        import onnxruntime

        return "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    import torch

    return torch.cuda.is_available()


def _precisions(backend: str, device: str) -> list[str]:
    """Precisions of a backend on a device, the one to be tried first at the front.

    torch has bf16 on every processor, but with some it is slower than fp32.
    """
    if backend == "onnxruntime":
        return ["fp32"]
    if backend == "openvino":
        has = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # fp16 last: slower than fp32 where it was tried (29 against 45 frames/s).
        return ["bf16"] * ("BF16" in has) + ["fp32"] + ["fp16"] * ("FP16" in has)
    if device == "cpu":
        return ["fp32", "bf16"]
    import torch

    return ["bf16"] * torch.cuda.is_bf16_supported(including_emulation=False) + ["fp16", "fp32"]


def _default_threads() -> int:
    """OMP_NUM_THREADS, which OpenVINO and ONNX Runtime do not read themselves; 0: their choice."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdigit() else 0
