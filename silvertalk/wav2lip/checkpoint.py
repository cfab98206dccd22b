"""Load and save checkpoints in the published layouts, and find those of trained networks.

torch is imported inside the functions that need it: rendering with a
converted network finds its checkpoint here and does without torch.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from silvertalk import __version__
from silvertalk.training.experiment import find_weights, load_config
from silvertalk.training.weights import first_difference, load_state, read_weights, unwrap
from silvertalk.utils import atomic_path, write_text
from silvertalk.utils.cache import cache_folder, content_key

if TYPE_CHECKING:
    from torch import Tensor, nn

    from silvertalk.wav2lip.networks import Wav2Lip

NETWORKS = {"syncnet": "SyncNet", "wav2lip": "Wav2Lip"}  # task of a training: class in networks.py
CLASSES = ("Wav2Lip", "SyncNet", "QualityDiscriminator", "PatchDiscriminator")  # in networks.py


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
        source: Experiment folder, one of its weights files, or any file of a
            Wav2Lip's weights that ``load_checkpoint`` reads.

    Raises:
        FileNotFoundError: No such folder or file, or nothing trained yet.
        ValueError: It holds another network.
    """
    source = Path(source)
    if source.is_dir():
        found = find_network(source)
    elif source.is_file():
        found = _find_configured(source) or _identify_file(source)
    else:
        raise FileNotFoundError(f"no {source}; name an experiment folder or the checkpoint file of a Wav2Lip")
    if found.kind != "Wav2Lip":
        raise ValueError(f"{source} holds a {found.kind}, not a Wav2Lip generator; name another folder")
    return found


def _find_configured(path: Path) -> TrainedNetwork | None:
    """Take what a file of one of our own experiments is from the configuration beside it, if there is one."""
    task, options = _read_config(path.parent) if (path.parent / "config.yaml").is_file() else (None, {})
    return TrainedNetwork(path, NETWORKS[task], options) if task in NETWORKS else None


def _identify_file(path: Path) -> TrainedNetwork:
    """Find out what network a file belongs to, once: that needs torch, and rendering does not."""
    record = cache_folder("networks") / f"{content_key(path)}.json"
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return TrainedNetwork(path, known["kind"], known["options"])
    except (OSError, ValueError, LookupError):
        kind, options = _identify(*read_weights(path), str(path))
        with contextlib.suppress(OSError):  # a cache that cannot be written costs a second next time
            write_text(record, json.dumps({"kind": kind, "options": options}))
    return TrainedNetwork(path, kind, options)


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


def build_generator(weights: Path, **options) -> Wav2Lip:
    """Build a generator of known options on the CPU, in eval mode, from a file of its weights."""
    return build_network(TrainedNetwork(weights, options=options))


def build_network(found: TrainedNetwork) -> nn.Module:
    """Build a network on the CPU, in eval mode, from the weights that were found."""
    return _build(found.kind, found.options, read_weights(found.weights)[0], str(found.weights))


def load_checkpoint(
    source: str | os.PathLike | Mapping,
    model: nn.Module | None = None,
    assign: bool = False,
    img_size: int | None = None,
) -> nn.Module:
    """Load weights into a network, or build the network they belong to.

    Args:
        source: A file: ``{"state_dict": ...}`` as the published training code
            writes, a bare state dict, a TorchScript archive or safetensors,
            keys with or without ``module.``; a dictionary of that kind; or an
            experiment folder.
        model: The network whose weights are replaced. Without it, class, size
            and width are taken from the file where it names them, else from
            its keys and shapes.
        assign: Take the tensors read instead of copying their values.
        img_size: Without a model: the size (pixels) it has to have. Experts
            of 288 and 384 pixels have the same shapes, quality discriminators
            too; a file that names no size counts as the published one.

    Returns:
        ``model``, or a new network in eval mode on the CPU, in float32.

    Raises:
        FileNotFoundError: No such file or folder, or nothing trained yet.
        ValueError: Not a checkpoint, or one of another network; the first key that does not fit is named.
    """
    name = "the given dictionary" if isinstance(source, Mapping) else str(source)
    found = None
    if not isinstance(source, Mapping):
        found = find_network(source) if Path(source).is_dir() else _find_configured(Path(source))
        source = found.weights if found else source
    state, about = unwrap(source, name) if isinstance(source, Mapping) else read_weights(source)
    if model is not None:
        return load_state(model, state, name, assign)
    if found and "network" not in about:
        about = {"network": found.kind, **found.options}
    kind, options = _identify(state, about, name, img_size)
    return _require_img_size(_build(kind, options, state, name), img_size, name)


def _build(kind: str, options: Mapping, state: Mapping[str, Tensor], name: str) -> nn.Module:
    """Build a network on the CPU around the weights, which become its own: a copy would need 145 MB more."""
    import torch

    from silvertalk.wav2lip import networks

    with torch.device("meta"):
        network = getattr(networks, kind)(**options)
    return load_state(network, state, name, assign=True).float().eval()


def _require_img_size(network: nn.Module, img_size: int | None, name: str) -> nn.Module:
    """Refuse a network of another size than was asked for."""
    if img_size not in (None, network.img_size):
        kind = type(network).__name__
        raise ValueError(f"{name}: is a {kind} of {network.img_size} pixels, not {img_size}; name another file")
    return network


def _identify(
    state: Mapping[str, Tensor], about: Mapping, name: str, img_size: int | None = None
) -> tuple[str, dict[str, float]]:
    """Find the network that some weights belong to.

    Args:
        state: The weights.
        about: What the file says of itself; ours name their network.
        name: Of the file, for the error.
        img_size: Tried first where several sizes have the same shapes.

    Returns:
        Class in networks.py and its options.

    Raises:
        ValueError: None fits; names the nearest and its first wrong key.
    """
    if about.get("network") in CLASSES and {"img_size", "width"} <= about.keys():
        return about["network"], {"img_size": int(about["img_size"]), "width": float(about["width"])}
    layouts = _layouts()
    order = sorted(layouts, key=lambda layout: layout[1] != img_size)
    alike = [layout for layout in order if layouts[layout].keys() == state.keys()]
    wrong = []
    # A file of the right keys may have a wrong shape; any other is compared with the layout that shares most keys.
    for kind, size in alike or [max(order, key=lambda layout: _overlap(state, layouts[layout]))]:
        for width in _widths(state, layouts[kind, size]):
            problem = first_difference(state, _shapes(kind, size, width))
            if problem is None:
                return kind, {"img_size": size, "width": width}
            wrong.append(f"a {kind} of {size} pixels and width {width:g}: {problem}")
    raise ValueError(f"{name}: belongs to no network of Wav2Lip; the nearest is {wrong[0]}")


def _overlap(state: Mapping, other: Mapping) -> float:
    """Share of the keys of either that both have."""
    return len(state.keys() & other.keys()) / len(state.keys() | other.keys())


def _widths(state: Mapping[str, Tensor], full: Mapping[str, Tensor]) -> list[float]:
    """Widths a state dict may be of: its longest vector (norms and biases) against that at full width.

    Channel counts are rounded: 0.3 of 512 are 154, which are not 0.3 of 512 again.
    """
    longest = [max((v.numel() for v in values.values() if v.dim() == 1), default=1) for values in (state, full)]
    ratio = longest[0] / longest[1]
    return list(dict.fromkeys([ratio, *(round(ratio, digits) or ratio for digits in (1, 2, 3))]))


@functools.cache
def _layouts() -> dict[tuple[str, int], Mapping[str, Tensor]]:
    """State dicts without content of every class and size at full width, published sizes first."""
    from silvertalk.wav2lip import networks

    published = [(kind, size) for kind in CLASSES for size in getattr(networks, kind).PUBLISHED]
    layouts = dict.fromkeys([*published, *((kind, size) for kind in CLASSES for size in networks.IMG_SIZES)])
    return {(kind, size): _shapes(kind, size, 1.0) for kind, size in layouts}


def _shapes(kind: str, img_size: int, width: float) -> Mapping[str, Tensor]:
    """State dict of a network, without content."""
    import torch

    from silvertalk.wav2lip import networks

    with torch.device("meta"):
        return getattr(networks, kind)(img_size, width).state_dict()


def save_checkpoint(
    path: str | os.PathLike,
    state_dict: Mapping,
    step: int = 0,
    epoch: int = 0,
    about: Mapping[str, str] | None = None,
) -> None:
    """Write weights in the layout that the published inference scripts read, atomically.

    Args:
        path: The file.
        state_dict: The weights.
        step: Training steps so far.
        epoch: Epochs so far.
        about: What the network is, as from ``describe``; others' tools do not look at it.
    """
    import torch

    content = {"state_dict": dict(state_dict), "optimizer": None, "global_step": step, "global_epoch": epoch}
    with atomic_path(path) as temporary:
        torch.save(content | dict(about or {}), temporary)


def describe(network: nn.Module) -> dict[str, str]:
    """Say in words what a network is, for the file its weights go into; ``load_checkpoint`` reads it.

    Returns:
        network (class), img_size (pixels), width, and version of this package.
    """
    about = {"network": type(network).__name__, "img_size": network.img_size, "width": network.width}
    return {key: str(value) for key, value in {**about, "version": __version__}.items()}
