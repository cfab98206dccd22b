"""Video frames as codecs store them: one plane of brightness, two of colour.

Pictures stay in this form (8 bits, 4:2:0) from the decoder to the encoder. What
nobody changes is never converted, so it arrives bit for bit, and a face costs
the conversion of a face, not of a frame.
"""

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation

# Weights of red and blue in brightness (ITU-T H.273, table 4), by the number FFmpeg gives the colour space.
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
BT601 = (0.299, 0.114)  # also what FFmpeg assumes where a file does not say
ROUNDED = Interpolation.BILINEAR | Interpolation.ACCURATE_RND  # by itself FFmpeg rounds some formats down
THREADS = 1  # of a conversion: starting more takes longer than they save
BT709_SPACE, MPEG_RANGE, FULL_RANGE = 1, 1, 2


class Picture:
    """One frame.

    Args:
        frame: In the pixel format yuv420p or yuvj420p; its colour tags are used.

    Attributes:
        frame: The frame. A decoder may still refer to its pixels: write only to those of a ``copy``.
        planes: Views of them, uint8: brightness (H, W), colours (ceil(H / 2), ceil(W / 2)) twice.
    """

    def __init__(self, frame: av.VideoFrame):
        self.frame = frame
        self.height, self.width = frame.height, frame.width
        self.planes = [
            np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
            for plane in frame.planes
        ]

    @classmethod
    def from_frame(cls, frame: av.VideoFrame, quarter_turns: int = 0, mirrored: bool = False) -> "Picture":
        """Take a decoded frame of any pixel format.

        Args:
            frame: As decoded.
            quarter_turns: To turn it by, against the clock.
            mirrored: Whether left and right change places before that.
        """
        if frame.format.name not in ("yuv420p", "yuvj420p"):
            frame = _to_yuv420p(frame)
        picture = cls(frame)
        if quarter_turns % 4 == 0 and not mirrored:
            return picture
        planes = [plane[:, ::-1] if mirrored else plane for plane in picture.planes]
        return picture.with_planes([np.rot90(plane, quarter_turns) for plane in planes])

    @classmethod
    def from_rgb(cls, rgb: np.ndarray) -> "Picture":
        """Convert uint8 (H, W, 3) to BT.709 of video range."""
        return cls(_to_yuv420p(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")))

    @property
    def luma(self) -> np.ndarray:
        """Brightness, uint8 (H, W); a view."""
        return self.planes[0]

    def rgb(self) -> np.ndarray:
        """Convert the whole frame: uint8 (H, W, 3)."""
        return self.frame.to_ndarray(format="rgb24", threads=THREADS)

    def copy(self) -> "Picture":
        """Copy the pixels, so that they may be written."""
        return self.with_planes(self.planes)

    def with_planes(self, planes: list[np.ndarray]) -> "Picture":
        """Make a picture of other pixels in the same colour space."""
        result = Picture(_empty(*planes[0].shape[::-1], self.frame))
        for new, old in zip(result.planes, planes, strict=True):
            new[:] = old
        return result

    def crop(self, box: tuple[int, int, int, int], size: int) -> np.ndarray:
        """Cut out a box and scale it to a square.

        Args:
            box: x1 y1 x2 y2 from ``even_box``; what lies outside repeats the border.
            size: Side of the result, pixels.

        Returns:
            uint8 RGB (size, size, 3).
        """
        x1, y1, x2, y2 = box
        half = (x1 // 2, y1 // 2, x2 // 2, y2 // 2)
        planes = [resize(cut(p, b), size, size) for p, b in zip(self.planes, (box, half, half), strict=True)]
        return cv2.transform(cv2.merge(planes), yuv_to_rgb(self.frame))


def _empty(width: int, height: int, like: av.VideoFrame) -> av.VideoFrame:
    """Make a frame with the colour tags of another."""
    frame = av.VideoFrame(width, height, like.format.name)
    for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
        setattr(frame, tag, getattr(like, tag))
    return frame


def _to_yuv420p(frame: av.VideoFrame) -> av.VideoFrame:
    """Convert any pixel format; the colour space stays, RGB becomes BT.709 of video range."""
    if frame.format.is_rgb or frame.format.name.startswith(("gray", "pal", "mono", "ya")):
        # FFmpeg takes all grey for full range; telling it the same of the result leaves video range as it is.
        as_is = frame.format.name.startswith("gray") and frame.color_range == MPEG_RANGE
        result = frame.reformat(
            format="yuv420p",
            dst_colorspace="ITU709",
            dst_color_range="JPEG" if as_is else "MPEG",
            interpolation=ROUNDED,
            threads=THREADS,
        )
        result.colorspace, result.color_range = BT709_SPACE, MPEG_RANGE
        return result
    # yuvj* is FFmpeg's older way to say full range.
    full = frame.format.name.startswith("yuvj") or frame.color_range == FULL_RANGE
    result = frame.reformat(format="yuvj420p" if full else "yuv420p", threads=THREADS)
    for tag in ("colorspace", "color_primaries", "color_trc"):
        setattr(result, tag, getattr(frame, tag))
    result.color_range = FULL_RANGE if full else frame.color_range
    return result


def even_box(bbox: np.ndarray) -> tuple[int, int, int, int]:
    """Round a box (x1 y1 x2 y2, pixels) to even pixels, where the colour planes have pixels of their own."""
    x1, y1, x2, y2 = (2 * int(round(float(v) / 2)) for v in bbox)
    return x1, y1, max(x2, x1 + 4), max(y2, y1 + 4)


def cut(plane: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Cut x1 y1 x2 y2 out of a plane (H, W); what lies outside repeats the border."""
    x1, y1, x2, y2 = box
    height, width = plane.shape[:2]
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        return plane[y1:y2, x1:x2]
    rows, columns = np.clip(np.arange(y1, y2), 0, height - 1), np.clip(np.arange(x1, x2), 0, width - 1)
    return plane[rows][:, columns]


def resize(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a plane: means of pixels when it gets smaller, bicubic when larger."""
    if plane.shape[:2] == (height, width):
        return plane
    shrinks = plane.shape[0] >= height and plane.shape[1] >= width
    return cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def yuv_to_rgb(frame: av.VideoFrame) -> np.ndarray:
    """Matrix (3, 4) that turns (Y, U, V, 1) of a frame, 0-255, into R, G, B, 0-255 (ITU-T H.273, equations 38 ff.)."""
    red, blue = LUMA_WEIGHTS.get(frame.colorspace, BT601)
    green = 1 - red - blue
    full = frame.format.name.startswith("yuvj") or frame.color_range == FULL_RANGE
    black, y_scale, c_scale = (0, 1.0, 1.0) if full else (16, 255 / 219, 255 / 224)
    to_red, to_blue = 2 * (1 - red) * c_scale, 2 * (1 - blue) * c_scale
    matrix = np.array(
        [
            [y_scale, 0, to_red],
            [y_scale, -to_blue * blue / green, -to_red * red / green],
            [y_scale, to_blue, 0],
        ]
    )
    return np.hstack([matrix, -matrix @ [[black], [128], [128]]])


def rgb_to_yuv(frame: av.VideoFrame) -> np.ndarray:
    """The inverse of ``yuv_to_rgb``, (3, 4)."""
    forward = yuv_to_rgb(frame)
    inverse = np.linalg.inv(forward[:, :3])
    return np.hstack([inverse, -inverse @ forward[:, 3:]])
