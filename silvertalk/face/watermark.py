"""A mark in a corner of every picture: a text, or a picture with transparency."""

from pathlib import Path

import cv2
import numpy as np

from silvertalk.media.picture import Picture, resize, rgb_to_yuv

HEIGHT, MARGIN = 0.045, 0.02  # shares of the picture's height
OPACITY = 0.7


class Watermark:
    """A mark of fixed pixels.

    Args:
        rgba: uint8 (h, w, 4), even sides.
        picture: One of the pictures it will be drawn on; all have its size.
    """

    def __init__(self, rgba: np.ndarray, picture: Picture):
        margin = 2 * round(MARGIN * picture.height / 2)
        self.right, self.bottom = picture.width // 2 * 2 - margin, picture.height // 2 * 2 - margin
        alpha = rgba[..., 3].astype(np.float32) / 255 * OPACITY
        yuv = cv2.transform(rgba[..., :3].astype(np.float32), rgb_to_yuv(picture.frame).astype(np.float32))
        height, width = alpha.shape
        half = (width // 2, height // 2)
        self.values = [yuv[..., 0], *(resize(np.ascontiguousarray(yuv[..., k]), *half) for k in (1, 2))]
        self.alphas = [alpha, *[resize(alpha, *half)] * 2]

    def draw(self, picture: Picture) -> None:
        """Write the mark into a ``copy``."""
        corners = [(self.right, self.bottom), *[(self.right // 2, self.bottom // 2)] * 2]
        for plane, (right, bottom), values, alpha in zip(
            picture.planes, corners, self.values, self.alphas, strict=True
        ):
            old = plane[bottom - len(alpha) : bottom, right - alpha.shape[1] : right]
            old[:] = np.clip(np.rint(old + alpha * (values - old)), 0, 255).astype(np.uint8)


def make_watermark(mark: str, picture: Picture) -> Watermark:
    """Prepare a mark for pictures of one size.

    Args:
        mark: A PNG file, or a text (letters of the font DejaVu Sans; others as PNG).
        picture: One of the pictures.

    Raises:
        FileNotFoundError: The PNG is not there.
        ValueError: The mark does not fit into the picture, or cannot be written with the font.
    """
    if Path(mark).suffix.lower() == ".png":
        rgba = _read_png(mark)
    else:
        rgba = _write_text(mark, max(12, round(HEIGHT * picture.height)))
    height, width = (side + side % 2 for side in rgba.shape[:2])
    rgba = np.pad(rgba, ((0, height - rgba.shape[0]), (0, width - rgba.shape[1]), (0, 0)))
    room = 1 - 2 * MARGIN
    if width > room * picture.width or height > room * picture.height:
        raise ValueError(
            f"watermark '{mark}' ({width}x{height}) does not fit into {picture.width}x{picture.height}; make it smaller"
        )
    return Watermark(rgba, picture)


def _read_png(path: str) -> np.ndarray:
    """Read uint8 RGBA (H, W, 4)."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no watermark {path}")
    pixels = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"{path}: is not a colour PNG of 8 bits; convert it")
    if pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)


def _write_text(text: str, size: int) -> np.ndarray:
    """Draw white letters with a dark rim: uint8 RGBA (H, W, 4)."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font
    from PIL import Image, ImageDraw, ImageFont

    path = font_manager.findfont("DejaVu Sans")
    known = FT2Font(path).get_charmap()
    missing = [letter for letter in text if ord(letter) not in known]
    if missing:
        raise ValueError(f"watermark '{text}': the font has no '{missing[0]}'; give the mark as a PNG")
    font = ImageFont.truetype(path, size)
    rim = max(1, size // 12)
    left, top, right, bottom = font.getbbox(text, stroke_width=rim)
    image = Image.new("RGBA", (right - left, bottom - top))
    ImageDraw.Draw(image).text(
        (-left, -top), text, font=font, fill="white", stroke_width=rim, stroke_fill=(0, 0, 0, 255)
    )
    return np.array(image)
