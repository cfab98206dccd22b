"""LSE-D and LSE-C (Prajwal et al., ACM MM 2020), on the two sorts of pictures they are published for.

``face``: the face track cut out with room around it, as syncnet_python does
for videos of the real world. ``frame``: the whole picture, as Wav2Lip's
evaluation does for LRS2, LRS3 and LRW, whose pictures are cut that way.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from scipy.signal import medfilt

from silvertalk.evaluate.tables import Row
from silvertalk.face.lips import window_spread
from silvertalk.syncnet.syncnet_v2 import IMG_SIZE, SyncNetV2, lip_sync_error

CROPS = ("face", "frame")
# Constants of syncnet_python.
CROP_SCALE = 0.4  # room around the face, share of its larger side
SMOOTHED = 13  # frames of the median filter over position and size
OUTSIDE = 110  # grey level beyond the picture


def lse_scores(
    network: SyncNetV2, frames: Iterable[np.ndarray], bbox: np.ndarray | None, wav: np.ndarray
) -> tuple[Row, np.ndarray]:
    """Score a clip.

    Args:
        network: ``SyncNetV2`` in eval mode.
        frames: uint8 RGB (H, W, 3) at 25 fps.
        bbox: (T, 4) face boxes, pixels; None to take whole pictures.
        wav: 16 kHz sound (T,) in [-1, 1].

    Returns:
        Figures, and the mean distance at every offset (31,).

    Raises:
        ValueError: Fewer than 6 frames with sound.
    """
    measured = lip_sync_error(network, face_crops(frames, bbox), wav)
    row = {"lse_d": measured.lse_d, "lse_c": measured.lse_c, "lse_offset": float(measured.offset)}
    return row | {"lse_spread": window_spread(measured.framewise)}, measured.curve


def face_crops(frames: Iterable[np.ndarray], bbox: np.ndarray | None) -> Iterator[np.ndarray]:
    """Cut out what the network sees: uint8 BGR (224, 224, 3) of each RGB frame; see ``lse_scores``."""
    if bbox is None:
        for frame in frames:
            yield cv2.resize(frame[..., ::-1], (IMG_SIZE, IMG_SIZE))
    else:
        for frame, box in zip(frames, crop_boxes(bbox), strict=False):
            yield cv2.resize(_cut(frame, box)[..., ::-1], (IMG_SIZE, IMG_SIZE))


def crop_boxes(bbox: np.ndarray) -> np.ndarray:
    """Boxes around a face track as syncnet_python cuts them: int (T, 4), x1 y1 x2 y2, more room below than above."""
    half = (bbox[:, 2:] - bbox[:, :2]).max(axis=1) / 2
    x, y = ((bbox[:, k] + bbox[:, k + 2]) / 2 for k in range(2))
    half, x, y = (_median(values) for values in (half, x, y))
    left, right = x - half * (1 + CROP_SCALE), x + half * (1 + CROP_SCALE)
    return np.stack([left, y - half, right, y + half * (1 + 2 * CROP_SCALE)], axis=1).astype(int)


def _median(values: np.ndarray) -> np.ndarray:
    """Median filter that holds the ends; syncnet_python's takes zeros there, which shrinks the first and last boxes."""
    half = SMOOTHED // 2
    return medfilt(np.pad(np.asarray(values, np.float64), half, mode="edge"), SMOOTHED)[half:-half]


def _cut(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Cut a box (x1, y1, x2, y2), grey where it leaves the picture."""
    x1, y1, x2, y2 = box
    height, width = frame.shape[:2]
    cut = np.full((max(y2 - y1, 1), max(x2 - x1, 1), 3), OUTSIDE, np.uint8)
    inside = frame[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    top, left = min(max(-y1, 0), len(cut)), min(max(-x1, 0), cut.shape[1])
    inside = inside[: min(len(cut) - top, height), : min(cut.shape[1] - left, width)]
    cut[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return cut
