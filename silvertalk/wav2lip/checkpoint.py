"""Load and save checkpoints in the published layouts, and find those of trained networks.

torch is imported inside the functions that need it: rendering with a
converted network finds its checkpoint here and does without torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from silvertalk.utils import atomic_path
from silvertalk.utils.experiment import find_weights, load_config

if TYPE_CHECKING:
    from torch import nn

    from silvertalk.wav2lip.networks import Wav2Lip

NETWORKS = {"syncnet": "SyncNet", "wav2lip": "Wav2Lip"}  # task of a training: class in networks.py


@dataclass(frozen=True)
class TrainedNetwork:
    """Where the weights of a network lie and how it is built."""

    weights: Path
    kind: str = "Wav2Lip"  # class in networks.py
    options: Mapping = field(default_factory=lambda: {"img_size": 96, "width": 1.0})  # of its constructor


def find_network(exp_dir: str | os.PathLike) -> TrainedNetwork:
    """Find the best weights of an experiment.

    Args:
        exp_dir: Folder of stage 9 or 10 (``exp/syncnet_*``, ``exp/wav2lip_*``).

    Raises:
        FileNotFoundError: Not an experiment, or nothing trained yet.
        ValueError: An experiment of another kind.
    """
    task, options = _read_config(exp_dir)
    if task not in NETWORKS:
        raise ValueError(f"{exp_dir}/config.yaml: task '{task}' is none of {', '.join(NETWORKS)}; name another folder")
    return TrainedNetwork(find_weights(exp_dir), NETWORKS[task], options)


def find_generator(source: str | os.PathLike) -> TrainedNetwork:
    """Find the weights of a Wav2Lip generator.

    Args:
        source: Experiment folder, one of its weights files, or the checkpoint
            file of a published (full-size) Wav2Lip.

    Raises:
        FileNotFoundError: No such folder or file, or nothing trained yet.
        ValueError: It holds another network.
    """
    source = Path(source)
    if source.is_dir():
        found = find_network(source)
    elif source.is_file():
        # A file of one of our own experiments has its size in the configuration beside it.
        task, options = _read_config(source.parent) if (source.parent / "config.yaml").is_file() else (None, {})
        found = TrainedNetwork(source, NETWORKS[task], options) if task in NETWORKS else TrainedNetwork(source)
    else:
        raise FileNotFoundError(f"no {source}; name an experiment folder or the checkpoint file of a Wav2Lip")
    if found.kind != "Wav2Lip":
        raise ValueError(f"{source} holds a {found.kind}, not a Wav2Lip generator; name another folder")
    return found


def _read_config(exp_dir: str | os.PathLike) -> tuple[str | None, dict]:
    """Task and network options of an experiment; (None, {}) for the configuration of something else."""
    config = load_config(exp_dir)
    return (config.get("task"), config.get("model", {})) if isinstance(config, dict) else (None, {})


def load_network(exp_dir: str | os.PathLike) -> nn.Module:
    """Build the network of an experiment and load its best weights, in eval mode.

    Args:
        exp_dir: Folder of stage 9 or 10 (``exp/syncnet_*``, ``exp/wav2lip_*``).

    Raises:
        FileNotFoundError: Not an experiment, or nothing trained yet.
        ValueError: The weights do not fit the configuration.
    """
    return build_network(find_network(exp_dir))


def load_generator(source: str | os.PathLike | Wav2Lip) -> Wav2Lip:
    """Load a generator, in eval mode.

    Args:
        source: See ``find_generator``; or a Wav2Lip, which is returned.

    Raises:
        FileNotFoundError: No such folder or file, or nothing trained yet.
        ValueError: It holds another network.
    """
    if isinstance(source, str | os.PathLike):
        return build_network(find_generator(source))
    if type(source).__name__ != "Wav2Lip":
        raise ValueError(f"a {type(source).__name__} was given, not a Wav2Lip generator, a folder or a file")
    return source.eval()


def build_network(found: TrainedNetwork) -> nn.Module:
    """Build a network on the CPU, in eval mode, from the weights that were found."""
    import torch

    from silvertalk.wav2lip import networks

    # The weights read from the file become the network's own: a copy would need 145 MB more.
    with torch.device("meta"):
        network = getattr(networks, found.kind)(**found.options)
    return load_checkpoint(found.weights, network, assign=True).float().eval()


def load_checkpoint(path_or_dict: str | os.PathLike | Mapping, model: nn.Module, assign: bool = False) -> nn.Module:
    """Load weights into a network, or refuse by naming the first key that does not fit.

    Args:
        path_or_dict: A file or dictionary: ``{"state_dict": ...}`` as the
            published training code writes, or a bare state dict; keys with or
            without ``module.``.
        model: The network; its weights are replaced.
        assign: Take the tensors read instead of copying their values.

    Returns:
        ``model``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not a checkpoint, or one of another network.
    """
    import torch

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
    model.load_state_dict(state, assign=assign)
    return model


def _read(path: str | os.PathLike) -> Mapping:
    """Read a checkpoint file without running code from it."""
    import torch

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
    import torch

    content = {"state_dict": dict(state_dict), "optimizer": None, "global_step": step, "global_epoch": epoch}
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
