"""The engine of the image translation: from a drawing of landmarks and a portrait to a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from silvertalk.engine import select
from silvertalk.engine.model import Model
from silvertalk.engine.runtimes import Engine
from silvertalk.face.detect.depth import mean_face
from silvertalk.makeittalk.checkpoint import find_network, load_checkpoint, load_network
from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.makeittalk.networks import ImageTranslation
from silvertalk.training.experiment import load_config

KIND = "ImageTranslation"
PUBLISHED_SIZE = 256  # pixels
# Names of what an engine takes: a drawing and the portrait, which has been moved to the landmarks or not.
STILL, MOVED = "picture", "moved_picture"
CHECK_SHIFTS = (-6, 0, 6)  # pixels of 256 that the check's face moves by


class Painter(ImageTranslation):
    """An image translation whose pictures are cut to what can be shown."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, 6, S, S) drawing and portrait, BGR in [0, 1] -> (B, 3, S, S) BGR in [0, 1]."""
        return torch.clamp(self.picture(inputs), 0, 1)


def make_engine(source: str | os.PathLike | ImageTranslation, img_size: int | None = None, **options) -> Engine:
    """Make the engine that runs an image translation fastest here, or the one asked for.

    It takes float32 (B, 6, S, S), see ``to_input``, by a name that says whether the portrait has to be
    moved before, and gives float32 (B, 3, S, S), BGR in [0, 1].

    Args:
        source: Experiment folder of stage 14, published checkpoint, or network.
        img_size: Side of the portrait (pixels); None: what the experiment was trained with, else 256.
        **options: See ``silvertalk.engine.select.make_engine``.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: Another network, or something that cannot be asked of this backend or machine.
        RuntimeError: A backend or device that is missing, a failed conversion, or one not close to torch fp32.
    """
    return select.make_engine(translation_model(source, img_size), **options)


def translation_model(source: str | os.PathLike | ImageTranslation, img_size: int | None = None) -> Model:
    """What an engine needs to know of an image translation; see ``make_engine``."""
    in_memory = not isinstance(source, str | os.PathLike)
    options = source.options if in_memory else _options(source)
    if options["in_channels"] != 6:
        raise ValueError(f"{source}: takes {options['in_channels']} channels; only drawing and portrait (6) are drawn")
    size = img_size or (PUBLISHED_SIZE if in_memory else _trained_size(source))
    step = 2 ** options["num_downs"]
    if size < step or size % step:
        raise ValueError(f"portraits of {size} pixels were asked for; this network takes multiples of {step}")
    return Model(
        build="silvertalk.makeittalk.portrait.translate:build_painter",
        check="silvertalk.makeittalk.portrait.translate:check_inputs",
        shapes={MOVED if options["moved"] else STILL: (6, size, size)},
        options=dict(options),
        weights=None if in_memory else _weights_file(source),
        network=_painter(source) if in_memory else None,
    )


def _options(source: str | os.PathLike) -> Mapping:
    """Options of the image translation in an experiment folder or a file."""
    if not Path(source).is_dir():
        return load_network(source, KIND).options
    found = find_network(source)
    if found.kind != KIND:
        raise ValueError(f"{source} holds a {found.kind}, not an {KIND}; name another")
    with torch.device("meta"):
        return ImageTranslation(**found.options).options


def _weights_file(source: str | os.PathLike) -> Path:
    """The file of weights of an experiment folder, or the file itself."""
    return find_network(source).weights if Path(source).is_dir() else Path(source)


def _trained_size(source: str | os.PathLike) -> int:
    """Side of the portraits (pixels) that an experiment was trained with; the published one's for a bare file."""
    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    if not (folder / "config.yaml").is_file():
        return PUBLISHED_SIZE
    return int((load_config(folder).get("data") or {}).get("img_size", PUBLISHED_SIZE))


def build_painter(weights: Path, **options) -> Painter:
    """Build a painter of known options on the CPU, in eval mode, from a file of the translation's weights."""
    return _painter(load_checkpoint(weights, ImageTranslation(**options)))


def _painter(network: ImageTranslation) -> Painter:
    """A painter with the weights of a network, in eval mode."""
    with torch.device("meta"):
        painter = Painter(**network.options)
    painter.load_state_dict(network.state_dict(), assign=True)
    return painter.eval()


def to_input(drawing: np.ndarray, portrait: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 3) twice, BGR -> float32 (6, S, S) in [0, 1]."""
    return np.concatenate([drawing, portrait], axis=2).transpose(2, 0, 1).astype(np.float32) / 255


def to_picture(drawn: np.ndarray) -> np.ndarray:
    """float32 (3, S, S) in [0, 1], BGR, as the engine gives it -> uint8 (S, S, 3), as published cut, not rounded."""
    return (drawn.transpose(1, 2, 0) * 255).astype(np.uint8)


def check_inputs(shapes: Mapping[str, tuple[int, ...]]) -> tuple[np.ndarray]:
    """Make what converted networks are compared on: a real portrait, and a face at three places.

    Args:
        shapes: Name of the input and its shape (6, S, S).

    Returns:
        (3, 6, S, S), float32.
    """
    import cv2
    from skimage.data import astronaut  # NASA, public domain

    [(_, _, size)] = shapes.values()
    portrait = cv2.resize(astronaut()[20:250, 105:335, ::-1], (size, size), interpolation=cv2.INTER_AREA)
    face = mean_face()[:, :2]
    face = (face / np.ptp(face[:, 0]) * 0.4 + (0.52, 0.37)) * size
    inputs = [to_input(draw_landmarks(face + shift * size / 256, size), portrait) for shift in CHECK_SHIFTS]
    return (np.stack(inputs),)
