"""A network for an engine, and how close what runs it has to come to torch fp32."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

MIN_PSNR = 40.0  # dB to torch fp32; differences of 1 % of the range, which nobody sees in a video
Shapes = Mapping[str, tuple[int | None, ...]]  # of what a network takes, by name, without the batch; None: any size


@dataclass(frozen=True)
class Model:
    """A network for an engine: its weights, how it is built, and what it takes.

    Functions are given as ``module:function``, because conversions run in a process of their own.
    """

    build: str  # (file of weights, **options) -> the network on the CPU, in eval mode
    check: str  # (shapes) -> inputs float32 (N, ...) that backends are compared on
    shapes: Shapes
    options: Mapping = field(default_factory=dict)
    weights: Path | None = None
    network: nn.Module | None = None  # one in memory, instead of a file
    closeness: str = "silvertalk.engine.model:psnr"  # (given, wanted) -> dB; psnr is for pictures in [0, 1]
    min_closeness: float = MIN_PSNR  # dB to torch fp32

    def build_network(self) -> nn.Module:
        """The network in memory, or one built of the file."""
        return self.network if self.network is not None else _named(self.build)(self.weights, **self.options)

    def check_inputs(self) -> tuple[np.ndarray, ...]:
        """What backends are compared on: float32 (N, ...) each."""
        return _named(self.check)(self.shapes)

    def measure(self, given: np.ndarray, wanted: np.ndarray) -> float:
        """How close a backend's output is to that of torch fp32 (dB)."""
        return _named(self.closeness)(given, wanted)

    def to_json(self) -> str:
        """Text for another process; a network in memory cannot be told."""
        assert self.weights is not None, "save_network() first"
        keys = ("build", "check", "shapes", "options", "closeness", "min_closeness")
        return json.dumps({key: getattr(self, key) for key in keys} | {"weights": str(self.weights.absolute())})

    @classmethod
    def from_json(cls, text: str) -> Model:
        """What ``to_json`` wrote."""
        told = json.loads(text)
        shapes = {name: tuple(shape) for name, shape in told.pop("shapes").items()}
        return cls(**told | {"shapes": shapes, "weights": Path(told["weights"])})


def _named(name: str):
    """The function of ``module:function``."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def psnr(given: np.ndarray, wanted: np.ndarray) -> float:
    """Peak signal to noise ratio (dB) of pictures in [0, 1]; at most 120, NaN for pictures that are none."""
    error = float(np.mean((given.astype(np.float64) - wanted) ** 2))
    return float(-10 * np.log10(max(error, 1e-12))) if np.isfinite(error) else float("nan")


def snr(given: np.ndarray, wanted: np.ndarray) -> float:
    """Signal to noise ratio (dB) of sound; at most 120, NaN for sound that is none."""
    error = float(np.sum((given.astype(np.float64) - wanted) ** 2))
    if not np.isfinite(error):
        return float("nan")
    return float(-10 * np.log10(max(error / max(float(np.sum(wanted.astype(np.float64) ** 2)), 1e-30), 1e-12)))
