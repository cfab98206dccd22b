"""Cut a face or a head out of a frame."""

import numpy as np

from silvertalk.media import Picture
from silvertalk.media.picture import cut, even_box, resize

# A portrait shows hair and collar, in widths of the jaw (ends 0 and 16 of the landmarks); as in the published examples.
PORTRAIT_SIDE, PORTRAIT_BELOW_EYES = 2.0, 0.05


def portrait_box(landmarks: np.ndarray) -> tuple[int, int, int, int]:
    """Place a square around a head for a whole clip, large enough for wherever it moves.

    Args:
        landmarks: (T, 68, 2 or 3), pixels; T is 1 for a photo.

    Returns:
        x1 y1 x2 y2, even pixels; may reach beyond the picture, whose border ``crop_face`` then repeats.
    """
    points = landmarks[..., :2]
    # The longer of two measures, since turning the head shortens one: jaw, and eyes to nose base (0.35 of it).
    jaw = np.linalg.norm(points[:, 16] - points[:, 0], axis=1)
    eyes = points[:, 36:48].mean(axis=1)
    width = np.median(np.maximum(jaw, np.linalg.norm(points[:, 33] - eyes, axis=1) / 0.35))
    centre = np.stack([(eyes[:, 0] + points[:, [0, 16], 0].mean(axis=1)) / 2, eyes[:, 1]], axis=1)
    middle = (centre.min(axis=0) + centre.max(axis=0)) / 2 + (0, PORTRAIT_BELOW_EYES * width)
    half = (PORTRAIT_SIDE * width + np.ptp(centre, axis=0).max()) / 2
    x1, y1, _, _ = even_box((*(middle - half), *(middle + half)))
    side = 2 * round(half)
    return x1, y1, x1 + side, y1 + side


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
