"""Engines that run a network for pictures or sound: torch, OpenVINO or ONNX Runtime.

On a processor with bf16 OpenVINO is several times as fast as torch fp32 and
needs a third of the memory, so torch is not imported here unless it is what
runs. What is run is a ``Model``; the rooms that own a network say how it is
built, what it takes and what backends are compared on.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from silvertalk.utils.convert import Model, Shapes, convert_cached, require_close

if TYPE_CHECKING:
    from torch import nn

BACKENDS = ("torch", "openvino", "onnxruntime")
PRECISIONS = ("fp32", "bf16", "fp16")


class Engine(ABC):
    """Runs a network on batches of one size; shorter ones are filled up, which all backends like best.

    A network that takes something of any size (sound) is run on what comes.
    Calls may come from any thread; they run one after the other.

    Args:
        name: Backend and precision, for people.
        shapes: Of what the network takes; the last of one for pictures is a picture (C, S, S).
        batch_size: Most entries of a call.
        device: Where it runs.
    """

    prepares_for_sizes = False  # whether the first run on something of a new size takes much longer

    def __init__(self, name: str, shapes: Shapes, batch_size: int, device: str = "cpu"):
        self.name, self.batch_size, self.device = name, batch_size, device
        self._shapes = dict(shapes)
        self._any_size = any(None in shape for shape in shapes.values())
        self.inputs = {
            key: np.zeros((batch_size, *(n or 0 for n in shape)), np.float32) for key, shape in shapes.items()
        }
        self._lock = threading.Lock()

    @property
    def img_size(self) -> int:
        """Side of the picture it takes (pixels)."""
        return list(self.inputs.values())[-1].shape[-1]

    def __call__(self, *given: np.ndarray) -> np.ndarray:
        """Run the network.

        Args:
            *given: float32 (B, ...) each, B from 1 to ``batch_size``.

        Returns:
            float32 (B, ...).

        Raises:
            ValueError: Other shapes.
        """
        count = len(given[0]) if given else 0
        if not 1 <= count <= self.batch_size or not self._fits(count, given):
            needed = ", ".join(f"{key} {('B', *(n or 'any' for n in shape))}" for key, shape in self._shapes.items())
            raise ValueError(
                f"inputs of {', '.join(str(array.shape) for array in given)} do not fit; "
                f"needed are {needed.replace(chr(39), '')}, B <= {self.batch_size}"
            )
        with self._lock:
            if self._any_size:
                arrays = [np.ascontiguousarray(array, np.float32) for array in given]
                self.inputs = dict(zip(self.inputs, arrays, strict=True))
            else:
                for array, values in zip(self.inputs.values(), given, strict=True):
                    array[:count] = values
            # A copy: a runtime may write its next result to the same place.
            return np.array(self._run()[:count], np.float32)

    def _fits(self, count: int, given: tuple[np.ndarray, ...]) -> bool:
        """Whether arrays of ``count`` entries have the shapes that the network takes."""
        wanted = [(count, *shape) for shape in self._shapes.values()]
        return [array.ndim for array in given] == [len(shape) for shape in wanted] and all(
            needed in (None, size)
            for array, shape in zip(given, wanted, strict=True)
            for size, needed in zip(array.shape, shape, strict=True)
        )

    @abstractmethod
    def _run(self) -> np.ndarray:
        """Compute (batch_size, ...) from ``inputs``."""


class TorchEngine(Engine):
    """PyTorch.

    Args:
        network: The network; it is moved and converted in place.
        shapes: See ``Engine``.
        batch_size: Most entries of a call.
        device: cpu, cuda or cuda:N.
        precision: fp32, bf16, or on a GPU fp16.
        num_threads: Of the whole process; 0: torch's choice.
    """

    def __init__(
        self,
        network: nn.Module,
        shapes: Shapes,
        batch_size: int,
        device: str = "cpu",
        precision: str = "fp32",
        num_threads: int = 0,
    ):
        import torch

        super().__init__(_name("torch", device, precision), shapes, batch_size, device)
        if num_threads:
            torch.set_num_threads(num_threads)
        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        # Channels last is what oneDNN and tensor cores want.
        self._network = network.eval().to(device, self._dtype, memory_format=torch.channels_last)
        self._device = device

    def _run(self) -> np.ndarray:
        import torch

        given = [torch.from_numpy(array).to(self._device, self._dtype) for array in self.inputs.values()]
        with torch.inference_mode():  # of this thread, so not once for all
            given = [x.to(memory_format=torch.channels_last) if x.dim() == 4 else x for x in given]
            return self._network(*given).float().cpu().numpy()


class OpenVinoEngine(Engine):
    """OpenVINO on the processor.

    Args:
        model: The ``model.xml`` of a conversion.
        shapes: See ``Engine``.
        batch_size: Most entries of a call.
        precision: Of the arithmetic.
        device: cpu.
        num_threads: 0: OpenVINO's choice, one per core.
    """

    prepares_for_sizes = True

    def __init__(
        self, model: Path, shapes: Shapes, batch_size: int, precision: str, device: str = "cpu", num_threads: int = 0
    ):
        openvino = import_openvino()
        super().__init__(_name("openvino", device, precision), shapes, batch_size)
        config = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}[precision],
            "PERFORMANCE_HINT": "LATENCY",  # all cores work on one batch
        }
        if num_threads:
            config["INFERENCE_NUM_THREADS"] = num_threads
        core = openvino.Core()
        network = core.read_model(model)
        batch = -1 if self._any_size else batch_size
        network.reshape({k: [batch, *(n or -1 for n in shape)] for k, shape in enumerate(shapes.values())})
        # OpenVINO's own CACHE_DIR saves 0.05 of 0.2 s here and needs as much disk again: not used.
        self._request = core.compile_model(network, "CPU", config).create_infer_request()
        self._tensor = openvino.Tensor

    def _run(self) -> np.ndarray:
        for index, array in enumerate(self.inputs.values()):
            self._request.set_input_tensor(index, self._tensor(array, shared_memory=True))
        self._request.infer()
        return self._request.get_output_tensor(0).data


class OnnxRuntimeEngine(Engine):
    """ONNX Runtime.

    Args:
        model: The ``model.onnx`` of a conversion.
        shapes: See ``Engine``.
        batch_size: Most entries of a call.
        precision: fp32.
        device: cpu, cuda or cuda:N.
        num_threads: 0: ONNX Runtime's choice, one per core.
    """

    def __init__(
        self, model: Path, shapes: Shapes, batch_size: int, precision: str, device: str = "cpu", num_threads: int = 0
    ):
        import onnxruntime

        super().__init__(_name("onnxruntime", device, precision), shapes, batch_size, device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.log_severity_level = 3  # errors
        provider = "CPUExecutionProvider"
        if device != "cpu":
            provider = ("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)})
        self._session = onnxruntime.InferenceSession(str(model), options, providers=[provider])
        if device != "cpu" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise RuntimeError("onnxruntime cannot use the GPU; install onnxruntime-gpu and its CUDA libraries")

    def _run(self) -> np.ndarray:
        return self._session.run(None, self.inputs)[0]


RUNTIMES = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}


class Choice(NamedTuple):
    """One way to run a network."""

    backend: str
    device: str
    precision: str

    def __str__(self) -> str:
        return _name(*self)


def _name(backend: str, device: str, precision: str) -> str:
    """For people."""
    return f"{backend} {precision}" + ("" if device == "cpu" else f" on {device}")


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


def _torch_engine(model: Model, choice: Choice, batch_size: int, num_threads: int) -> TorchEngine:
    """Load the network into torch; compare it with fp32 if it is not that."""
    network = model.build_network()
    options = {"device": choice.device, "num_threads": num_threads}
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
    options = {"precision": choice.precision, "device": choice.device, "num_threads": num_threads}
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


def import_openvino():
    """Import OpenVINO without its telemetry: a mere import would tell its makers, unasked, that it is used here.

    They provide for that package being absent, and so it is made to seem.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


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
