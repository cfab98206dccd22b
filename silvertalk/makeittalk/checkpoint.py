"""MakeItTalk's networks in files, ours and the published ones; see ``silvertalk.training.checkpoint``.

Published are ``ckpt_autovc.pth``, ``ckpt_content_branch.pth``, ``ckpt_speaker_branch.pth`` and
``ckpt_116_i2i_comb.pth``, each in a container of its own.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from silvertalk.training.checkpoint import Family, Kind, Shapes, save_checkpoint
from silvertalk.utils import atomic_path

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FAMILY", "export_official", "find_network", "load_checkpoint", "load_network", "save_checkpoint"]

OFFICIAL = {"AutoVC": "model", "ContentBranch": "model_g_face_id", "SpeakerBranch": "G", "ImageTranslation": "G"}


def _autovc_sizes(shape: Shapes) -> dict:
    """Options of AutoVC; the frames of a code cannot be seen from shapes."""
    pre, joined, _ = shape["encoder.convolutions.0.0.conv.weight"]
    num_mels = shape["decoder.linear_projection.linear_layer.weight"][0]
    neck, emb = shape["encoder.lstm.weight_hh_l0"][1], joined - num_mels
    num_f0 = shape["decoder.lstm.weight_ih_l0"][1] - emb - 2 * neck
    return {"num_mels": num_mels, "neck": neck, "emb": emb, "pre": pre, "num_f0": num_f0}


def _speaker_sizes(shape: Shapes) -> dict:
    """Options of the speaker branch."""
    transformer = _transformer_sizes(shape)
    return {
        "spk_emb_enc_size": shape["spk_emb_encoder.4.weight"][0],
        "emb": shape["spk_emb_encoder.0.weight"][1],
        "in_size": shape["audio_content_encoder.weight_ih_l0"][1],
        "hidden_size": shape["audio_content_encoder.weight_hh_l0"][1],
        "z_size": shape["out.0.weight"][1] - transformer["d_model"],
        "pos_dim": shape.get("pose.2.weight", (0,))[0],
        **transformer,
    }


def _transformer_sizes(shape: Shapes) -> dict:
    """Options of a transformer; heads, and window and step of the discriminator, cannot be seen from shapes."""
    return {
        "d_model": shape["encoder.embed.embed.weight"][0],
        "ff_size": shape["encoder.layers.0.ff.linear_1.weight"][0],
        "layers": len({key.split(".")[2] for key in shape if key.startswith("encoder.layers.")}),
    }


def _translation_sizes(shape: Shapes) -> dict:
    """Options of the image translation."""
    ngf, in_channels = shape["model.model.0.weight"][:2]
    num_downs = max(key.count("model.") for key in shape) - 1
    out_channels = shape["model.model.6.weight"][0]
    return {"in_channels": in_channels, "out_channels": out_channels, "num_downs": num_downs, "ngf": ngf}


_kind = partial(Kind, "silvertalk.makeittalk.networks")
FAMILY = Family(
    "MakeItTalk",
    {
        "AutoVC": _kind("postnet.convolutions.0.0.conv.weight", _autovc_sizes, "makeittalk_autovc"),
        "ContentBranch": _kind(
            "fc_prior.0.weight",
            lambda shape: dict(zip(("hidden_size", "in_size"), shape["fc_prior.0.weight"], strict=True)),
            "makeittalk_content",
        ),
        "SpeakerBranch": _kind(
            "spk_emb_encoder.0.weight", _speaker_sizes, "makeittalk_speaker", r"\.pe$|^decoder\.|^comb_mlp"
        ),
        "ImageTranslation": _kind("model.model.0.weight", _translation_sizes, "makeittalk_translation"),
        "LandmarkDiscriminator": _kind("fl_D.0.weight", lambda shape: {}),
        "GruDiscriminator": _kind(  # whose window cannot be seen from shapes
            "fl_DT.weight_ih_l0",
            lambda shape: {
                "comb_size": shape["fl_DT.weight_ih_l0"][1] - 204,
                "hidden_size": shape["fl_DT.weight_hh_l0"][1],
            },
        ),
        "TransformerDiscriminator": _kind(
            "encoder.embed.embed.weight",  # the speaker branch, too, has this key, and stands before
            lambda shape: {
                "spk_size": shape["encoder.embed.embed.weight"][1] - 204,
                **_transformer_sizes(shape),
            },
            spared=r"\.pe$",
        ),
    },
    ("state_dict", *dict.fromkeys(OFFICIAL.values())),
)
find_network, load_checkpoint, load_network = FAMILY.find, FAMILY.load, FAMILY.load_network


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

    network = FAMILY.load(model) if isinstance(model, str | os.PathLike | Mapping) else model
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
    published = {name: option.default for name, option in inspect.signature(type(network)).parameters.items()}
    only_training = ("dropout", "pos_dim")
    return {k: v for k, v in network.options.items() if v != published[k] and k not in only_training}
