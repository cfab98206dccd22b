"""Cut a face out of a frame and put a changed one back."""

import functools

import cv2
import numpy as np

# Soft rim of the pasted region, as a share of the crop's side.
FEATHER = 0.08
# Half axes of the pasted ellipse, as shares of the crop's side.
MASK_HALF_WIDTH, MASK_HALF_HEIGHT = 0.4, 0.48


def _corners(bbox: np.ndarray) -> tuple[int, int, int, int]:
    """Round a box to whole pixels."""
    x1, y1, x2, y2 = (int(round(float(v))) for v in bbox)
    return x1, y1, max(x2, x1 + 2), max(y2, y1 + 2)


def crop_face(frame: np.ndarray, bbox: np.ndarray, size: int) -> np.ndarray:
    """Cut out a box and scale it to a square.

    Args:
        frame: uint8 (H, W, 3).
        bbox: (4,) x1 y1 x2 y2, pixels; what lies outside the frame repeats its border.
        size: Side of the result, pixels.

    Returns:
        uint8 (size, size, 3).
    """
    x1, y1, x2, y2 = _corners(bbox)
    height, width = frame.shape[:2]
    rows = np.clip(np.arange(y1, y2), 0, height - 1)
    columns = np.clip(np.arange(x1, x2), 0, width - 1)
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        face = frame[y1:y2, x1:x2]
    else:
        face = frame[rows][:, columns]
    shrinks = min(face.shape[:2]) > size
    return cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def paste_face(frame: np.ndarray, bbox: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Blend the lower half of a generated face into a frame with a soft rim.

    Args:
        frame: uint8 (H, W, 3); not changed.
        bbox: (4,), the box the face was cut from.
        face: uint8 (S, S, 3).

    Returns:
        uint8 (H, W, 3). Pixels outside the mask are those of ``frame``.
    """
    x1, y1, x2, y2 = _corners(bbox)
    height, width = frame.shape[:2]
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if left >= right or top >= bottom:
        return frame
    inside = (slice(top - y1, bottom - y1), slice(left - x1, right - x1))
    mask = cv2.resize(lower_face_mask(face.shape[0]), (x2 - x1, y2 - y1))[inside][..., None]
    new = cv2.resize(face, (x2 - x1, y2 - y1), interpolation=cv2.INTER_CUBIC)[inside]
    result = frame.copy()
    old = result[top:bottom, left:right]
    result[top:bottom, left:right] = np.rint(old + mask * (new.astype(np.float32) - old)).astype(np.uint8)
    return result


@functools.cache
def lower_face_mask(size: int) -> np.ndarray:
    """Weights of the generated picture: 1 around mouth and chin, 0 at the rim.

    An upright ellipse cut at the nose, both with soft edges. It ends where
    cheeks and jaw end in an average face: beyond lies background, which no
    sound should move and which the generator draws softly.

    Args:
        size: Side of the face picture, pixels.

    Returns:
        float32 (size, size) in [0, 1].
    """
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    radius = np.hypot((x - 0.5) / MASK_HALF_WIDTH, (y - 0.5) / MASK_HALF_HEIGHT)
    ellipse = np.clip((1 - radius) / (2 * FEATHER), 0, 1)
    below_nose = np.clip((y - 0.5) / FEATHER, 0, 1)
    smooth = ellipse * below_nose
    return (smooth * smooth * (3 - 2 * smooth)).astype(np.float32)
