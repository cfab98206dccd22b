"""Load and save MakeItTalk's checkpoints: ours, and the published ones in their containers.

torch is imported inside the functions that need it: rendering with converted
networks finds its checkpoints here and does without torch.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from silvertalk import __version__
from silvertalk.training.experiment import find_weights, load_config
from silvertalk.training.weights import load_state, read_weights, unwrap
from silvertalk.utils import atomic_path

if TYPE_CHECKING:
    from torch import Tensor, nn

TASKS = {  # task of a training: class in networks.py
    "makeittalk_autovc": "AutoVC",
    "makeittalk_content": "ContentBranch",
    "makeittalk_speaker": "SpeakerBranch",
    "makeittalk_translation": "ImageTranslation",
}
CONTAINERS = ("state_dict", "model", "model_g_face_id", "G")  # ours, then the published ones
OFFICIAL = {"AutoVC": "model", "ContentBranch": "model_g_face_id", "SpeakerBranch": "G", "ImageTranslation": "G"}


@dataclass(frozen=True)
class TrainedNetwork:
    """Where the weights of a network lie and how it is built."""

    weights: Path
    kind: str  # class in networks.py
    options: Mapping = field(default_factory=dict)  # of its constructor


def find_network(exp_dir: str | os.PathLike) -> TrainedNetwork:
    """Find the best weights of an experiment.

    Args:
        exp_dir: Folder of stages 11 to 14 (``exp/makeittalk_*``).

    Raises:
        FileNotFoundError: Not an experiment, or nothing trained yet.
        ValueError: An experiment of another kind.
    """
    config = load_config(exp_dir)
    task = config.get("task") if isinstance(config, dict) else None
    if task not in TASKS:
        raise ValueError(f"{exp_dir}/config.yaml: task '{task}' is none of {', '.join(TASKS)}; name another folder")
    return TrainedNetwork(find_weights(exp_dir), TASKS[task], config.get("model") or {})


def load_checkpoint(source: str | os.PathLike | Mapping, model: nn.Module | None = None) -> nn.Module:
    """Load weights into a network, or build the network they belong to.

    Args:
        source: An experiment folder; a file: ours, or a published one
            (``ckpt_autovc.pth``, ``ckpt_content_branch.pth``,
            ``ckpt_speaker_branch.pth``, ``ckpt_116_i2i_comb.pth``), from which
            nothing is executed; or a dictionary of that kind. Keys with or without ``module.``.
        model: The network whose weights are replaced. Without it, class and
            sizes are taken from the file where it names them, else from its keys and shapes.

    Returns:
        ``model``, or a new network in eval mode on the CPU.

    Raises:
        FileNotFoundError: No such file or folder, or nothing trained yet.
        ValueError: Not a checkpoint, or one of another network; the first key that does not fit is named.
    """
    state, kind, options, name = _read(source, named=model is not None)
    if model is None:
        model = _build(kind, options, name).eval()
    return _load(model, state, name)


def load_network(source: str | os.PathLike | Mapping, kind: str) -> nn.Module:
    """Load a network that has to be of a kind, as ``load_checkpoint`` does.

    Args:
        source: Experiment folder, file or dictionary.
        kind: Its class, e.g. ``ContentBranch``.

    Raises:
        FileNotFoundError: No such file or folder, or nothing trained yet.
        ValueError: It holds another network.
    """
    network = load_checkpoint(source)
    if type(network).__name__ != kind:
        name = "the given dictionary" if isinstance(source, Mapping) else source
        raise ValueError(f"{name} holds a {type(network).__name__}, not a {kind}; name another")
    return network


def _read(source: str | os.PathLike | Mapping, named: bool) -> tuple[dict[str, Tensor], str, Mapping, str]:
    """Read a state dict, the class it belongs to and its options (unless the network is there), and a name."""
    if isinstance(source, Mapping):
        name = "the given dictionary"
        state, about = unwrap(source, name, CONTAINERS)
    elif Path(source).is_dir():
        found = find_network(source)
        return read_weights(found.weights, CONTAINERS)[0], found.kind, found.options, str(found.weights)
    else:
        name = str(source)
        state, about = read_weights(source, CONTAINERS)
    kind, options = ("", {}) if named else _identify(state, about, name)
    return state, kind, options, name


def _build(kind: str, options: Mapping, name: str) -> nn.Module:
    """Build a network on the CPU; the large ones without content, for the weights that become theirs."""
    import torch

    from silvertalk.makeittalk import networks

    try:
        with torch.device("meta" if kind in ("AutoVC", "ImageTranslation") else "cpu"):
            return getattr(networks, kind)(**options)
    except TypeError as error:
        raise ValueError(f"{name}: no {kind} can be built with its options ({error})") from error


def _load(model: nn.Module, state: Mapping[str, Tensor], name: str) -> nn.Module:
    """Give a network its weights; what nothing uses in the published speaker branch may differ."""
    speaker = type(model).__name__ == "SpeakerBranch"
    fixed = {k: v for k, v in model.state_dict().items() if k.endswith(".pe") or speaker and k.startswith("decoder.")}
    state = {key: value for key, value in state.items() if not (speaker and key.startswith("comb_mlp"))}
    empty = any(parameter.is_meta for parameter in model.parameters())
    return load_state(model, fixed | state, name, assign=empty)


def _identify(state: Mapping[str, Tensor], about: Mapping, name: str) -> tuple[str, dict]:
    """Find the class and options that some weights belong to.

    Args:
        state: The weights.
        about: What the file says of itself; ours name their network.
        name: Of the file, for the error.

    Raises:
        ValueError: None fits.
    """
    if "network" in about and "options" in about:
        return _named(about, name)
    for kind, (mark, sizes) in _MARKS.items():
        if mark in state:
            try:
                return kind, sizes({key: tuple(value.shape) for key, value in state.items()})
            except LookupError as error:
                raise ValueError(f"{name}: is a damaged {kind}; missing key {error}") from error
    marks = ", ".join(f"'{mark}' of a {kind}" for kind, (mark, _) in _MARKS.items())
    raise ValueError(f"{name}: belongs to no network of MakeItTalk: has '{next(iter(state))}', but not {marks}")


def _named(about: Mapping, name: str) -> tuple[str, dict]:
    """Read class and options from a file of ours."""
    from silvertalk.makeittalk import networks

    kind = str(about["network"])
    if kind not in (*TASKS.values(), "LandmarkDiscriminator", "TransformerDiscriminator", "GruDiscriminator"):
        raise ValueError(f"{name}: holds a {kind}, which is no network of MakeItTalk; name another file")
    assert hasattr(networks, kind)
    return kind, json.loads(about["options"])


def _autovc_sizes(shape: Mapping[str, tuple]) -> dict:
    """Options of AutoVC; the frames of a code cannot be seen from shapes."""
    pre, joined, _ = shape["encoder.convolutions.0.0.conv.weight"]
    num_mels = shape["decoder.linear_projection.linear_layer.weight"][0]
    neck, emb = shape["encoder.lstm.weight_hh_l0"][1], joined - num_mels
    num_f0 = shape["decoder.lstm.weight_ih_l0"][1] - emb - 2 * neck
    return {"num_mels": num_mels, "neck": neck, "emb": emb, "pre": pre, "num_f0": num_f0}


def _content_sizes(shape: Mapping[str, tuple]) -> dict:
    """Options of the content branch."""
    hidden_size, in_size = shape["fc_prior.0.weight"]
    return {"in_size": in_size, "hidden_size": hidden_size}


def _speaker_sizes(shape: Mapping[str, tuple]) -> dict:
    """Options of the speaker branch."""
    d_model = shape["encoder.embed.embed.weight"][0]
    return {
        "spk_emb_enc_size": shape["spk_emb_encoder.4.weight"][0],
        "emb": shape["spk_emb_encoder.0.weight"][1],
        "in_size": shape["audio_content_encoder.weight_ih_l0"][1],
        "hidden_size": shape["audio_content_encoder.weight_hh_l0"][1],
        "z_size": shape["out.0.weight"][1] - d_model,
        "pos_dim": shape.get("pose.2.weight", (0,))[0],
        **_transformer_sizes(shape),
    }


def _transformer_sizes(shape: Mapping[str, tuple]) -> dict:
    """Options of a transformer; heads cannot be seen from shapes."""
    return {
        "d_model": shape["encoder.embed.embed.weight"][0],
        "ff_size": shape["encoder.layers.0.ff.linear_1.weight"][0],
        "layers": len({key.split(".")[2] for key in shape if key.startswith("encoder.layers.")}),
    }


def _judge_sizes(shape: Mapping[str, tuple]) -> dict:
    """Options of the transformer discriminator; window and step cannot be seen from shapes."""
    return {"spk_size": shape["encoder.embed.embed.weight"][1] - 204, **_transformer_sizes(shape)}


def _gru_sizes(shape: Mapping[str, tuple]) -> dict:
    """Options of the GRU discriminator; the window cannot be seen from shapes."""
    gates, hidden_size = shape["fl_DT.weight_hh_l0"]
    return {"comb_size": shape["fl_DT.weight_ih_l0"][1] - 204, "hidden_size": hidden_size}


def _translation_sizes(shape: Mapping[str, tuple]) -> dict:
    """Options of the image translation."""
    ngf, in_channels = shape["model.model.0.weight"][:2]
    out_channels = shape["model.model.6.weight"][0]
    num_downs = max(key.count("model.") for key in shape) - 1
    return {"in_channels": in_channels, "out_channels": out_channels, "num_downs": num_downs, "ngf": ngf}


# A key that no other network has, and its sizes from the shapes of all keys.
_MARKS = {
    "AutoVC": ("postnet.convolutions.0.0.conv.weight", _autovc_sizes),
    "ContentBranch": ("fc_prior.0.weight", _content_sizes),
    "SpeakerBranch": ("spk_emb_encoder.0.weight", _speaker_sizes),
    "ImageTranslation": ("model.model.0.weight", _translation_sizes),
    "LandmarkDiscriminator": ("fl_D.0.weight", lambda shape: {}),
    "GruDiscriminator": ("fl_DT.weight_ih_l0", _gru_sizes),
    # After the speaker branch, which has this key, too.
    "TransformerDiscriminator": ("encoder.embed.embed.weight", _judge_sizes),
}


def save_checkpoint(path: str | os.PathLike, network: nn.Module, step: int = 0, epoch: int = 0) -> None:
    """Write a network: its weights and what it is, atomically.

    Args:
        path: The file.
        network: One of networks.py.
        step: Training steps so far.
        epoch: Epochs so far.
    """
    import torch

    content = {"state_dict": dict(network.state_dict()), **describe(network)}
    with atomic_path(path) as temporary:
        torch.save(content | {"global_step": step, "global_epoch": epoch}, temporary)


def describe(network: nn.Module) -> dict[str, str]:
    """Say in words what a network is: network (class), options (JSON), and version of this package."""
    return {"network": type(network).__name__, "options": json.dumps(network.options), "version": __version__}


def export_official(model: str | os.PathLike | nn.Module, out: str | os.PathLike) -> Path:
    """Write a network in the container that the published scripts read.

    Args:
        model: Experiment folder, file or network.
        out: The file, e.g. ``ckpt_content_branch.pth``.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: Not a network of MakeItTalk, or a discriminator, which the published scripts do not have.
    """
    import torch

    network = load_checkpoint(model) if isinstance(model, str | os.PathLike | Mapping) else model
    kind = type(network).__name__
    if kind not in OFFICIAL:
        raise ValueError(f"{model}: the published scripts have no file for a {kind}; name one of {', '.join(OFFICIAL)}")
    state = {key: value for key, value in network.state_dict().items() if not key.startswith("pose.")}
    content = {OFFICIAL[kind]: state}
    if kind in ("ContentBranch", "ImageTranslation"):
        content["epoch"] = 0
    with atomic_path(out) as temporary:
        torch.save(content, temporary)
    logging.info("%s: %s as the published scripts read it", out, kind)
    changed = _differences(network)
    if changed:
        logging.warning("%s: is no %s of the published size (%s); the scripts have to be told", out, kind, changed)
    return Path(out)


def _differences(network: nn.Module) -> dict:
    """Options of a network that are not the published ones and change its keys or shapes."""
    published = _build(type(network).__name__, {}, "").options
    only_training = ("dropout", "pos_dim")
    return {k: v for k, v in network.options.items() if v != published[k] and k not in only_training}
