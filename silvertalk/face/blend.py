"""Put a generated mouth into a picture so that nobody sees where it begins."""

from dataclasses import dataclass

import cv2
import numpy as np

from silvertalk.media.picture import Picture, cut, resize, rgb_to_yuv

# Grey levels between the generated and the filmed skin up to which they count as the same skin.
SAME_SKIN = 12.0
OUTLIER = 40.0  # grey levels; beyond, a pixel of the rim shows something else than skin
# Of the enlarged lips and teeth. With 0.5, and filmed faces of 230 to 250 pixels reduced to 96 for generated ones,
# lips are as sharp as filmed (mean gradient 1.00 of it; 0.90 unsharpened), and nearest to it (36.6 dB; 35.7).
SHARPEN = 0.5
DEBUG_TINT = 70.0


@dataclass
class NewFace:
    """A generated face and where it belongs."""

    box: tuple[int, int, int, int]  # x1 y1 x2 y2 from even_box
    generated: np.ndarray  # float32 RGB (S, S, 3), 0-255
    mask: np.ndarray  # float32 (M, M): 1 where the generated face is shown
    lips: np.ndarray | None = None  # float32 (M, M): 1 on lips and mouth; None: no filmed detail is added


def match_colour(generated: np.ndarray, filmed: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give a generated face the colours and the light of the filmed one at the mask's rim.

    A plane (offset and slopes over the picture) is fitted to the difference of
    each channel where the two meet; pixels that differ wildly do not count.

    Args:
        generated: float32 RGB (S, S, 3), 0-255.
        filmed: uint8 RGB (S, S, 3).
        mask: float32 (M, M); a hard mask's rim is the band along its edge.

    Returns:
        float32 RGB (S, S, 3).
    """
    size = generated.shape[0]
    soft = cv2.GaussianBlur(cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA), (0, 0), size / 48)
    difference = filmed.astype(np.float32) - generated
    weight = soft * (1 - soft) * np.exp(-((np.abs(difference).mean(axis=2) / OUTLIER) ** 2))
    total = weight.sum()
    if total < 1:
        return generated
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size - 0.5
    basis = np.stack([np.ones_like(x), x, y], axis=-1).reshape(-1, 3)
    weighted = basis * weight.reshape(-1, 1)
    # A little of the identity keeps the slopes small where the rim says nothing about them.
    normal = basis.T @ weighted + np.diag([0.0, 0.01, 0.01]) * total
    plane = np.linalg.solve(normal, weighted.T @ difference.reshape(-1, 3))
    return generated + (basis @ plane).reshape(generated.shape).astype(np.float32)


def blend(picture: Picture, face: NewFace, debug: bool = False) -> None:
    """Write a new face into a picture; where its mask is 0 nothing changes.

    Args:
        picture: A ``copy``; changed in place.
        face: The new face.
        debug: Tint the masked region red.
    """
    x1, y1, x2, y2 = face.box
    yuv = cv2.transform(face.generated, rgb_to_yuv(picture.frame).astype(np.float32))
    new = [resize(np.ascontiguousarray(yuv[..., 0]), x2 - x1, y2 - y1)]
    new += [resize(np.ascontiguousarray(yuv[..., k]), (x2 - x1) // 2, (y2 - y1) // 2) for k in (1, 2)]
    if face.lips is not None:
        new[0] = _with_detail(new[0], yuv[..., 0], cut(picture.luma, face.box), face.lips)
    if debug:
        new[2] = new[2] + DEBUG_TINT
    half = (x1 // 2, y1 // 2, x2 // 2, y2 // 2)
    for plane, box, values in zip(picture.planes, (face.box, half, half), new, strict=True):
        _mix(plane, box, values, face.mask)


def _mix(plane: np.ndarray, box: tuple[int, int, int, int], new: np.ndarray, mask: np.ndarray) -> None:
    """Mix float32 (h, w) into the box of a plane, as far as the box lies inside it."""
    x1, y1, x2, y2 = box
    height, width = plane.shape
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if left >= right or top >= bottom:
        return
    inside = (slice(top - y1, bottom - y1), slice(left - x1, right - x1))
    weight = np.clip(cv2.resize(mask, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)[inside], 0, 1)
    old = plane[top:bottom, left:right]
    mixed = old + weight * (new[inside] - old)
    old[:] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _with_detail(enlarged: np.ndarray, small: np.ndarray, filmed: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """Give an enlarged face back what its few pixels cannot hold.

    Skin, where the generated and the filmed face agree, gets the filmed pores
    and stubble; lips and teeth, which the sound decides, are sharpened.

    Args:
        enlarged: Brightness float32 (h, w) of the generated face, enlarged from ``small``.
        small: float32 (S, S), as generated.
        filmed: uint8 (h, w), the box of the picture.
        lips: float32 (M, M).
    """
    height, width = filmed.shape
    size = small.shape[0]
    if height <= size:
        return enlarged
    filmed = filmed.astype(np.float32)
    filmed_small = resize(filmed, size, size)
    apart = cv2.GaussianBlur(np.abs(small - filmed_small), (0, 0), size / 48)
    same = np.exp(-((apart / SAME_SKIN) ** 2)) * (1 - cv2.resize(lips, (size, size), interpolation=cv2.INTER_AREA))
    detail = filmed - resize(filmed_small, width, height)
    soft = cv2.GaussianBlur(enlarged, (0, 0), 0.6 * height / size)
    lips = np.clip(cv2.resize(lips, (width, height)), 0, 1)
    return enlarged + cv2.resize(same, (width, height)) * detail + SHARPEN * lips * (enlarged - soft)
