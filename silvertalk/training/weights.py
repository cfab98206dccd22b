"""Files of weights: what torch writes, TorchScript archives and safetensors, read without running code from them.

torch is imported inside the functions, so that who imports this does without it.
"""

from __future__ import annotations

import os
import re
import string
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

CONTAINERS = ("state_dict",)
Module = TypeVar("Module", bound="nn.Module")


def read_weights(path: str | os.PathLike, containers: Sequence[str] = CONTAINERS) -> tuple[dict[str, Tensor], dict]:
    """Read a state dict, bare or wrapped, with or without ``module.`` in its keys.

    Args:
        path: What ``torch.save`` wrote (any version), a TorchScript archive or safetensors.
        containers: Keys that a state dict may be wrapped in.

    Returns:
        The state dict, and what else the file says of itself.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is damaged, or is something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint {path}; train it, or name another file")
    if _is_safetensors(path):
        return _read_safetensors(path)
    return unwrap(_read_torch(path), str(path), containers)


def unwrap(content: Mapping, name: str, containers: Sequence[str] = CONTAINERS) -> tuple[dict[str, Tensor], dict]:
    """Separate a state dict from what it is wrapped in.

    Args:
        content: ``{"state_dict": ...}`` as the published training code writes, or a bare state dict.
        name: For the error.
        containers: Keys that it may be wrapped in, instead of ``state_dict``.

    Raises:
        ValueError: There is none.
    """
    import torch

    wrapper = next((key for key in containers if isinstance(content, Mapping) and key in content), None)
    state = content if wrapper is None else content[wrapper]
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ValueError(f"{name}: holds no state dict; name a file of weights")
    rest = {} if state is content else {key: value for key, value in content.items() if key != wrapper}
    # The published code drops every occurrence, too.
    return {key.replace("module.", ""): value for key, value in state.items()}, rest


def load_state(model: Module, state: Mapping[str, Tensor], name: str, assign: bool = False) -> Module:
    """Replace the weights of a network, or refuse by naming the first key that does not fit.

    Args:
        model: The network.
        state: Its weights.
        name: Where they come from, for the error.
        assign: Take the tensors given instead of copying their values.

    Raises:
        ValueError: Weights of another network.
    """
    problem = first_difference(state, model.state_dict())
    if problem:
        raise ValueError(f"{name}: is not a checkpoint of this {type(model).__name__}: {problem}")
    model.load_state_dict(state, assign=assign)
    return model


def first_difference(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    """Name the first missing, misshapen or unexpected key."""
    for key, value in wanted.items():
        if key not in state:
            return f"missing key '{key}'"
        if state[key].shape != value.shape:
            return f"'{key}' has shape {tuple(state[key].shape)}, not {tuple(value.shape)}"
    unexpected = [key for key in state if key not in wanted]
    return f"unexpected key '{unexpected[0]}'" if unexpected else None


def _read_torch(path: str | os.PathLike) -> Mapping:
    """Read what torch wrote; only a TorchScript archive is read as one."""
    import torch

    try:
        if _is_torchscript(path):  # which the ordinary, safe reading always refuses
            return torch.jit.load(str(path), map_location="cpu").state_dict()
        with torch.serialization.safe_globals(_OPTIMIZER):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen unrelated types here
        raise ValueError(f"{path}: {_what_is_wrong(path, error)}") from error


class _Ignored:
    """Stands for an optimiser that was pickled whole beside the weights; nothing of it is made or run."""


# What a pickled optimiser names; the safe reading refuses these, and is given harmless ones instead.
_OPTIMIZER: list[Any] = [
    dict,
    (_Ignored, "torch.optim.adam.Adam"),
    (lambda *args: OrderedDict(), "collections.defaultdict"),
]


def _is_torchscript(path: str | os.PathLike) -> bool:
    """Whether a file is a TorchScript archive: a zip file with code and its constants."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        parts = {name.partition("/")[2] for name in archive.namelist()}
    return "constants.pkl" in parts and any(name.startswith("code/") for name in parts)


def _what_is_wrong(path: str | os.PathLike, error: Exception) -> str:
    """Say why a file cannot be read, and what to do."""
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return "is empty; fetch or write it again"
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        return "is cut short; fetch or write it again"
    text = start.decode("latin-1")
    if all(character in string.printable for character in text):
        return f"is a text file ('{' '.join(text.split())[:40]} ...'), perhaps a web page saved in place of the weights"
    reason = " ".join(str(error).split())
    foreign = re.search(r"GLOBAL (\S+)", reason)
    if foreign:
        return f"holds a pickled {foreign[1]}, and is refused: reading it could run a program hidden in it"
    reason = reason[:300]
    return f"cannot be read as a PyTorch checkpoint, fetch or write it again ({type(error).__name__}: {reason})"


def _is_safetensors(path: str | os.PathLike) -> bool:
    """Whether a file begins with the length of a JSON header that begins like one."""
    with open(path, "rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and start[:4] != b"PK\3\4"


def _read_safetensors(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict]:
    """Read safetensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return unwrap({key: file.get_tensor(key) for key in file.keys()}, str(path))[0], file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: is damaged safetensors, fetch or write it again ({error})") from error
