"""Engines that run the generator: torch, OpenVINO or ONNX Runtime.

On a processor with bf16 OpenVINO is six times as fast as torch fp32 and
needs a third of the memory, so torch is not imported here unless it is
what runs. Speeds of the full-size network are in ``make_engine``.
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
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from silvertalk.wav2lip.checkpoint import TrainedNetwork, find_generator, load_generator, save_checkpoint
from silvertalk.wav2lip.convert import check_inputs, convert_cached, psnr, require_close
from silvertalk.wav2lip.windows import MEL_STEP_SIZE

if TYPE_CHECKING:
    from silvertalk.wav2lip.networks import Wav2Lip

BACKENDS = ("torch", "openvino", "onnxruntime")
PRECISIONS = ("fp32", "bf16", "fp16")


class Engine(ABC):
    """Runs a generator on batches of one size; shorter ones are filled up, which all backends like best.

    Calls may come from any thread; they run one after the other.

    Args:
        name: Backend and precision, for people.
        img_size: Side of the face picture (pixels).
        batch_size: Most frames of a call.
        device: Where it runs.
    """

    def __init__(self, name: str, img_size: int, batch_size: int, device: str = "cpu"):
        self.name, self.img_size, self.batch_size, self.device = name, img_size, batch_size, device
        self._mels = np.zeros((batch_size, 1, 80, MEL_STEP_SIZE), np.float32)
        self._faces = np.zeros((batch_size, 6, img_size, img_size), np.float32)
        self._lock = threading.Lock()

    def __call__(self, mels: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Generate faces.

        Args:
            mels: float32 (B, 1, 80, 16), B from 1 to ``batch_size``.
            faces: float32 (B, 6, S, S), BGR in [0, 1]: frames with their lower halves zero, then references.

        Returns:
            float32 (B, 3, S, S), BGR in [0, 1].

        Raises:
            ValueError: Other shapes.
        """
        count = len(faces)
        wanted = (count, *self._mels.shape[1:]), (count, *self._faces.shape[1:])
        if not 1 <= count <= self.batch_size or (mels.shape, faces.shape) != wanted:
            raise ValueError(
                f"mels {mels.shape} and faces {faces.shape} do not fit; "
                f"needed are (B, 1, 80, 16) and (B, 6, {self.img_size}, {self.img_size}), B <= {self.batch_size}"
            )
        with self._lock:
            self._mels[:count], self._faces[:count] = mels, faces
            # A copy: a runtime may write its next result to the same place.
            return np.array(self._run()[:count], np.float32)

    @abstractmethod
    def _run(self) -> np.ndarray:
        """Generate (batch_size, 3, S, S) from ``_mels`` and ``_faces``."""


class TorchEngine(Engine):
    """PyTorch.

    Args:
        network: The generator; it is moved and converted in place.
        batch_size: Most frames of a call.
        device: cpu, cuda or cuda:N.
        precision: fp32, bf16, or on a GPU fp16.
        num_threads: Of the whole process; 0: torch's choice.
    """

    def __init__(
        self, network: Wav2Lip, batch_size: int, device: str = "cpu", precision: str = "fp32", num_threads: int = 0
    ):
        import torch

        super().__init__(_name("torch", device, precision), network.img_size, batch_size, device)
        if num_threads:
            torch.set_num_threads(num_threads)
        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        # Channels last is what oneDNN and tensor cores want.
        self._network = network.eval().to(device, self._dtype, memory_format=torch.channels_last)
        self._device = device

    def _run(self) -> np.ndarray:
        import torch

        with torch.inference_mode():  # of this thread, so not once for all
            mels, faces = (torch.from_numpy(x).to(self._device, self._dtype) for x in (self._mels, self._faces))
            return self._network(mels, faces.to(memory_format=torch.channels_last)).float().cpu().numpy()


class OpenVinoEngine(Engine):
    """OpenVINO on the processor.

    Args:
        model: The ``model.xml`` of a conversion.
        img_size: Side of the face picture (pixels).
        batch_size: Most frames of a call.
        precision: Of the arithmetic.
        device: cpu.
        num_threads: 0: OpenVINO's choice, one per core.
    """

    def __init__(
        self, model: Path, img_size: int, batch_size: int, precision: str, device: str = "cpu", num_threads: int = 0
    ):
        openvino = import_openvino()
        super().__init__(_name("openvino", device, precision), img_size, batch_size)
        config = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}[precision],
            "PERFORMANCE_HINT": "LATENCY",  # all cores work on one batch
        }
        if num_threads:
            config["INFERENCE_NUM_THREADS"] = num_threads
        core = openvino.Core()
        network = core.read_model(model)
        network.reshape({0: list(self._mels.shape), 1: list(self._faces.shape)})
        # OpenVINO's own CACHE_DIR saves 0.05 of 0.2 s here and needs as much disk again: not used.
        self._request = core.compile_model(network, "CPU", config).create_infer_request()
        for index, array in enumerate((self._mels, self._faces)):
            self._request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))

    def _run(self) -> np.ndarray:
        self._request.infer()
        return self._request.get_output_tensor(0).data


class OnnxRuntimeEngine(Engine):
    """ONNX Runtime.

    Args:
        model: The ``model.onnx`` of a conversion.
        img_size: Side of the face picture (pixels).
        batch_size: Most frames of a call.
        precision: fp32.
        device: cpu, cuda or cuda:N.
        num_threads: 0: ONNX Runtime's choice, one per core.
    """

    def __init__(
        self, model: Path, img_size: int, batch_size: int, precision: str, device: str = "cpu", num_threads: int = 0
    ):
        import onnxruntime

        super().__init__(_name("onnxruntime", device, precision), img_size, batch_size, device)
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
        return self._session.run(None, {"mel": self._mels, "face": self._faces})[0]


RUNTIMES = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}


class Choice(NamedTuple):
    """One way to run the generator."""

    backend: str
    device: str
    precision: str

    def __str__(self) -> str:
        return _name(*self)


def _name(backend: str, device: str, precision: str) -> str:
    """For people."""
    return f"{backend} {precision}" + ("" if device == "cpu" else f" on {device}")


def make_engine(
    source: str | os.PathLike | Wav2Lip,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    batch_size: int = 8,
    cache_dir: str | os.PathLike | None = None,
    num_threads: int | None = None,
) -> Engine:
    """Make the engine that runs a generator fastest here, or the one asked for.

    Frames per second of the full-size network on two cores with AMX (batches
    of 8), and memory of the process: OpenVINO bf16 210 (340 MB) and fp32 45
    (510 MB), ONNX Runtime 39 (570 MB), torch bf16 100 (870 MB) and fp32 36
    (970 MB).

    ``auto`` takes torch in bf16 or fp16 on an NVIDIA GPU, else OpenVINO (bf16
    where the processor has it), else ONNX Runtime, else torch fp32. Whatever
    is not torch fp32 has to come within 40 dB of it on a real face; ``auto``
    goes on to the next with a warning.

    A network in memory (tests, training) is taken as it is now; later
    training does not change the engine. ``auto`` runs it with torch, because
    converting it costs ten seconds and a folder in the cache.

    Args:
        source: Experiment folder, checkpoint file of a Wav2Lip, or a Wav2Lip.
        backend: auto, torch, openvino or onnxruntime.
        device: auto, cpu, cuda or cuda:N.
        precision: auto, fp32, bf16 or fp16.
        batch_size: Most frames of a call; memory grows with it.
        cache_dir: Where converted networks are kept; default ``~/.cache/silvertalk/models``.
        num_threads: Threads on the processor; default OMP_NUM_THREADS, else one per core.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: Another network, or something that cannot be asked of this backend or machine.
        RuntimeError: A backend or device that is missing, a failed conversion, or one not close to torch fp32.
    """
    in_memory = not isinstance(source, str | os.PathLike)
    found = None if in_memory else find_generator(source)  # before anything slow
    if in_memory:
        source = copy.deepcopy(load_generator(source))
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size} is less than 1")
    threads = _default_threads() if num_threads is None else num_threads
    choices = _choices(backend, device, precision, in_memory)
    for choice, after in zip(choices, [*choices[1:], None], strict=True):
        try:
            if choice.backend == "torch":
                return _torch_engine(source, choice, batch_size, threads)
            return _converted_engine(found or source, choice, batch_size, cache_dir, threads)
        except (RuntimeError, OSError) as error:
            if after is None:
                raise
            logging.warning("%s is not used (%s); taking %s", choice, error, after)


def _torch_engine(source, choice: Choice, batch_size: int, num_threads: int) -> TorchEngine:
    """Load the network into torch; compare it with fp32 if it is not that."""
    network = load_generator(source)
    options = {"device": choice.device, "num_threads": num_threads}
    if choice.precision == "fp32":
        return TorchEngine(network, batch_size, **options)
    mels, faces = (array[:batch_size] for array in check_inputs(network.img_size))
    # Of a network in memory the next choice needs the weights as they are.
    network = network if isinstance(source, str | os.PathLike) else copy.deepcopy(network)
    wanted = TorchEngine(network, len(faces), **options)(mels, faces)
    engine = TorchEngine(network, batch_size, precision=choice.precision, **options)
    require_close(psnr(engine(mels, faces), wanted), engine.name)
    return engine


def _converted_engine(source, choice: Choice, batch_size: int, cache_dir, num_threads: int) -> Engine:
    """Open a converted network; ``source`` was found on disk or is a network in memory."""
    with tempfile.TemporaryDirectory(prefix="silvertalk") as folder:
        found = source if isinstance(source, TrainedNetwork) else _save(source, Path(folder))
        converted = convert_cached(found, choice.backend, choice.precision, cache_dir)
    require_close(converted.psnr, str(choice))
    options = {"precision": choice.precision, "device": choice.device, "num_threads": num_threads}
    return RUNTIMES[choice.backend](converted.model, converted.img_size, batch_size, **options)


def _save(network: Wav2Lip, folder: Path) -> TrainedNetwork:
    """Write a network in memory to a file of always the same name: torch stores the name, and the cache goes by it."""
    save_checkpoint(folder / "generator.pth", network.state_dict())
    return TrainedNetwork(folder / "generator.pth", options={"img_size": network.img_size, "width": network.width})


def _choices(backend: str, device: str, precision: str, in_memory: bool) -> list[Choice]:
    """Ways to run the generator that fit what was asked, the best first."""
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
