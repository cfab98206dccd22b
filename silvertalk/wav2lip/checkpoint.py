"""Load and save checkpoints in the published layouts."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from silvertalk.utils import atomic_path


def load_checkpoint(path_or_dict: str | os.PathLike | Mapping, model: nn.Module) -> nn.Module:
    """Load weights into a network, or refuse by naming the first key that does not fit.

    Args:
        path_or_dict: A file or dictionary: ``{"state_dict": ...}`` as the
            published training code writes, or a bare state dict; keys with or
            without ``module.``.
        model: The network; its weights are replaced.

    Returns:
        ``model``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not a checkpoint, or one of another network.
    """
    name = "the given dictionary"
    if not isinstance(path_or_dict, Mapping):
        name = str(path_or_dict)
        path_or_dict = _read(path_or_dict)
    state = path_or_dict.get("state_dict", path_or_dict)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{name}: is not a checkpoint of {type(model).__name__}: it holds no state dict")
    state = {key.replace("module.", ""): value for key, value in state.items()}
    problem = _first_difference(state, model.state_dict())
    if problem:
        raise ValueError(f"{name}: is not a checkpoint of this {type(model).__name__}: {problem}")
    model.load_state_dict(state)
    return model


def _read(path: str | os.PathLike) -> Mapping:
    """Read a checkpoint file without running code from it."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint {path}; train it, or name another file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen unrelated types here
        raise ValueError(f"{path}: cannot be read as a PyTorch checkpoint ({type(error).__name__}: {error})") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: holds a {type(content).__name__}, not a state dict")
    return content


def _first_difference(state: Mapping, wanted: Mapping) -> str | None:
    """Name the first missing, misshapen or unexpected key."""
    for key, value in wanted.items():
        if key not in state:
            return f"missing key '{key}'"
        if state[key].shape != value.shape:
            return f"'{key}' has shape {tuple(state[key].shape)}, not {tuple(value.shape)}"
    unexpected = [key for key in state if key not in wanted]
    return f"unexpected key '{unexpected[0]}'" if unexpected else None


def save_checkpoint(path: str | os.PathLike, state_dict: Mapping, step: int = 0, epoch: int = 0) -> None:
    """Write weights in the layout that the published inference scripts read, atomically."""
    content = {"state_dict": dict(state_dict), "optimizer": None, "global_step": step, "global_epoch": epoch}
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
