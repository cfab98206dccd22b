"""Cut a face out of a frame."""

import numpy as np

from silvertalk.media import Picture
from silvertalk.media.picture import cut, even_box, resize


def crop_face(frame: Picture | np.ndarray, bbox: np.ndarray, size: int) -> np.ndarray:
    """Cut out a box and scale it to a square.

    Args:
        frame: A picture, or uint8 RGB (H, W, 3).
        bbox: (4,) x1 y1 x2 y2, pixels; what lies outside the frame repeats its border.
        size: Side of the result, pixels.

    Returns:
        uint8 RGB (size, size, 3).
    """
    box = even_box(bbox)
    return frame.crop(box, size) if isinstance(frame, Picture) else resize(cut(frame, box), size, size)
