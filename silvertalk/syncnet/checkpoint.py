"""The networks of SyncNet's family in files; see ``silvertalk.training.checkpoint``."""

import functools
import importlib
from collections.abc import Iterator

from silvertalk.training.checkpoint import Family, Kind, Shapes


def face_kind(kind: str, module: str, mark: str, task: str = "") -> Kind:
    """Describe a class of ``FaceNetwork``; see ``Kind``."""
    return Kind(module, mark, functools.partial(_sizes, kind, module), task)


def _sizes(kind: str, module: str, shapes: Shapes) -> Iterator[dict]:
    """Sizes and widths that a network may have, published sizes first.

    The width is that of the longest vector (of norms and biases) against that at full width. Channel counts are
    rounded: 0.3 of 512 are 154, which are not 0.3 of 512 again.
    """
    from silvertalk.syncnet.layers import IMG_SIZES

    longest = max((shape[0] for shape in shapes.values() if len(shape) == 1), default=1)
    published = getattr(importlib.import_module(module), kind).PUBLISHED
    for img_size in dict.fromkeys([*published, *IMG_SIZES]):
        ratio = longest / (1024 if kind == "SyncNet" and img_size > 96 else 512)
        for width in dict.fromkeys([ratio, *(round(ratio, digits) or ratio for digits in (1, 2, 3))]):
            yield {"img_size": img_size, "width": width}


SYNCNET = face_kind("SyncNet", "silvertalk.syncnet.networks", "face_encoder.0.conv_block.0.weight", "syncnet")
FAMILY = Family("SyncNet", {"SyncNet": SYNCNET})
load_checkpoint = FAMILY.load  # a trained expert: experiment folder or file
