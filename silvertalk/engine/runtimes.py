"""What runs a network: torch, OpenVINO or ONNX Runtime, behind one class.

On a processor with bf16 OpenVINO is several times as fast as torch fp32 and
needs a third of the memory, so torch is not imported here unless it is what
runs.
"""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from silvertalk.engine.model import Shapes

if TYPE_CHECKING:
    from torch import nn


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

        super().__init__(engine_name("torch", device, precision), shapes, batch_size, device)
        if num_threads:
            torch.set_num_threads(num_threads)
        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        # Channels last is what oneDNN and tensor cores want.
        placed = network.eval().to(device, self._dtype)
        self._network = placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its types
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
        super().__init__(engine_name("openvino", device, precision), shapes, batch_size)
        config: dict[str, str | int] = {
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

        super().__init__(engine_name("onnxruntime", device, precision), shapes, batch_size, device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.log_severity_level = 3  # errors
        provider: str | tuple[str, dict] = "CPUExecutionProvider"
        if device != "cpu":
            provider = ("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)})
        self._session = onnxruntime.InferenceSession(str(model), options, providers=[provider])
        if device != "cpu" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise RuntimeError("onnxruntime cannot use the GPU; install onnxruntime-gpu and its CUDA libraries")

    def _run(self) -> np.ndarray:
        return self._session.run(None, self.inputs)[0]


RUNTIMES = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}


def engine_name(backend: str, device: str, precision: str) -> str:
    """For people."""
    return f"{backend} {precision}" + ("" if device == "cpu" else f" on {device}")


def import_openvino():
    """Import OpenVINO without its telemetry: a mere import would tell its makers, unasked, that it is used here.

    They provide for that package being absent, and so it is made to seem.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino
