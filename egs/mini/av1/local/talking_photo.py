"""Move the mouth, eyes and head of a photograph by a smooth warp.

The photograph is NASA's portrait of the astronaut Eileen Collins (public
domain), carried by scikit-image as ``skimage.data.astronaut()``. All positions
below are pixels of that picture. She smiles with her teeth showing, so the
mouth is worked column by column: the lips slide apart or together, the jaw
follows, the upper teeth stay with the skull, and darkness fills what opens.

Every displacement is a monotone function of the output row, so the picture
stretches and never folds.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np

SIZE = 320  # pixels, side of the output picture
VIEW = (110.0, 0.0, 340.0)  # left, top, right edge of what is shown; the view is square

# Edges of the lips where they meet teeth or darkness, (x, y) from corner to corner.
UPPER_LIP = ((202.5, 139.9), (206, 140.6), (210, 141.6), (214, 142.5), (218, 143.2), (222, 143.6),
             (226, 143.6), (230, 143.2), (234, 142.5), (238, 141.4), (242, 140.5), (245, 140.1))  # fmt: skip
LOWER_LIP = ((202.5, 139.9), (206, 143.0), (210, 146.0), (214, 148.2), (218, 149.3), (222, 149.6),
             (226, 149.4), (230, 148.7), (234, 147.2), (238, 145.0), (242, 142.0), (245, 140.1))  # fmt: skip
MOUTH_CENTRE, MOUTH_HALF_WIDTH = 223.7, 21.2
NOSE_BOTTOM, COLLAR = 133.0, 226.0  # rows that do not move with the mouth
WIDEST_OPENING = 15.0  # pixels between the lips at opening 1; the smile itself has 6.3
# Each eye: lid edge and lower rim, (x, y) from corner to corner.
EYES = (
    (((190, 101.5), (194, 99), (198, 97.3), (203, 96.8), (208, 98), (212, 100.5), (215, 102.5)),
     ((190, 101.5), (194, 103), (198, 104.2), (203, 105.2), (208, 105), (212, 103.8), (215, 102.5))),
    (((234, 105), (238, 101.5), (242, 99.5), (246, 99.2), (250, 99.8), (254, 101.5), (260, 105)),
     ((234, 105), (238, 106.2), (242, 107), (246, 107.6), (250, 107.4), (254, 106.8), (260, 105))),
)  # fmt: skip
BROW_DISTANCE = 9.0  # pixels from a lid up to where nothing moves
HEAD_CENTRE, HEAD_RADII, NECK = (225.0, 95.0), (80.0, 92.0), (225.0, 185.0)
CAVITY, TONGUE = np.float32([38, 14, 14]), np.float32([128, 58, 56])  # RGB
SEAM = np.float32([104, 54, 48])  # RGB, the line where closed lips meet


@dataclass
class Pose:
    """What one frame shows."""

    opening: float = 0.42  # distance of the lips, 0 (closed) to 1
    width: float = 0.0  # -1 (rounded) to 1 (spread)
    blink: float = 0.0  # 0 (open eyes) to 1 (closed)
    sway: tuple[float, float] = (0.0, 0.0)  # pixels right and down
    tilt: float = 0.0  # degrees


def _smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _curve(points, x: np.ndarray) -> np.ndarray:
    """Height of a curve through points; beyond its ends it stays level."""
    from scipy.interpolate import PchipInterpolator

    xs, ys = zip(*points, strict=True)
    return PchipInterpolator(xs, ys)(np.clip(x, xs[0], xs[-1])).astype(np.float32)


@functools.cache
def _photo() -> np.ndarray:
    """The photograph, uint8 (512, 512, 3) RGB."""
    from skimage.data import astronaut

    return astronaut()


@functools.cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Photo coordinates of every output pixel of the still picture, two of (SIZE, SIZE)."""
    left, top, right = VIEW
    steps = (np.arange(SIZE, dtype=np.float32) + 0.5) * (right - left) / SIZE - 0.5
    return tuple(np.meshgrid(left + steps, top + steps))


@functools.cache
def _table(points) -> np.ndarray:
    """A curve sampled every 1/16 pixel over the photo's width, for fast look-up."""
    return _curve(points, np.arange(512 * 16) / 16)


def _look_up(points, x: np.ndarray) -> np.ndarray:
    return _table(points)[np.clip((x * 16).astype(np.int32), 0, 512 * 16 - 1)]


def render(pose: Pose) -> np.ndarray:
    """Draw one frame, uint8 (SIZE, SIZE, 3) RGB."""
    x, y = _undo_head_motion(*_grid(), pose)
    for upper, lower in EYES:
        box = _box(upper[0][0] - 4, 84, upper[-1][0] + 4, 116)
        y[box] = _blink(x[box], y[box], upper, lower, pose.blink)
    box = _box(MOUTH_CENTRE - 60, NOSE_BOTTOM - 6, MOUTH_CENTRE + 60, COLLAR + 4)
    mouth = _Mouth(x[box], y[box].copy(), pose)
    x[box], y[box] = mouth.x, mouth.skin_y
    picture = _sample(x, y)
    mouth.paint(picture[box])
    return picture


def _sample(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Photo pixels at fractional positions (H, W): uint8 (H, W, 3)."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    return cv2.remap(_photo(), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _box(left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    """Output pixels of a photo rectangle, widened by what the head may move."""
    scale = SIZE / (VIEW[2] - VIEW[0])
    first, last = (np.array([top, left]) - 7 - [VIEW[1], VIEW[0]]), (np.array([bottom, right]) + 7 - [VIEW[1], VIEW[0]])
    first, last = np.clip(first * scale, 0, SIZE).astype(int), np.clip(last * scale, 0, SIZE).astype(int)
    return slice(first[0], last[0]), slice(first[1], last[1])


def _undo_head_motion(x: np.ndarray, y: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Where output pixels lie on the head at rest; full inside the head, none at the shoulders."""
    across, down = (x - HEAD_CENTRE[0]) / HEAD_RADII[0], (y - HEAD_CENTRE[1]) / HEAD_RADII[1]
    distance = np.sqrt(across * across + down * down)
    weight = 1 - _smoothstep((distance - 0.95) / 0.5)
    cosine, sine = math.cos(math.radians(pose.tilt)), math.sin(math.radians(pose.tilt))
    dx, dy = x - NECK[0] - pose.sway[0], y - NECK[1] - pose.sway[1]
    rest_x = NECK[0] + cosine * dx + sine * dy
    rest_y = NECK[1] - sine * dx + cosine * dy
    return x + weight * (rest_x - x), y + weight * (rest_y - y)


def _blink(x: np.ndarray, y: np.ndarray, upper, lower, blink: float) -> np.ndarray:
    """Rows to sample so that the upper lid comes down over the eye."""
    lid, rim = _look_up(upper, x), _look_up(lower, x)
    drop = blink * (rim - lid)
    # The skin between brow and lid stretches evenly down to the lid's new place.
    share = np.clip((y - (lid - BROW_DISTANCE)) / (BROW_DISTANCE + drop), 0, 1)
    return np.where(y < lid + drop, y - drop * share, y)


class _Mouth:
    """The mouth of one frame on a patch of output pixels.

    Args:
        x: Photo columns of the patch's pixels (H, W), head motion undone.
        y: Photo rows.
        pose: What to show.
    """

    LIP_INSET = 0.8  # pixels; lips are cut a little inside, so that no tooth shines through when they meet

    def __init__(self, x: np.ndarray, y: np.ndarray, pose: Pose):
        self.x = self._undo_width(x, y, pose.width)
        self.y = y
        across = (self.x - MOUTH_CENTRE) / MOUTH_HALF_WIDTH
        profile = np.clip(1 - across**2, 0, None)
        self.upper, self.lower = _look_up(UPPER_LIP, self.x), _look_up(LOWER_LIP, self.x)
        # The upper lip comes down a little when the mouth closes and rises when it opens wide.
        self.lift = (1.6 - 2.4 * pose.opening) * profile
        self.top = self.upper + self.lift
        self.gap = pose.opening * WIDEST_OPENING * profile**0.65
        self.bottom = self.top + self.gap
        self.opening = pose.opening
        self.skin_y = self._skin_rows()

    @staticmethod
    def _undo_width(x: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
        """Columns of the mouth at its own width; rounding narrows more than a smile can spread."""
        scale = 1 + (0.05 if width > 0 else 0.28) * width
        near = np.exp(-(((x - MOUTH_CENTRE) / 30) ** 2) - ((y - 147) / 20) ** 2)
        return x - (x - MOUTH_CENTRE) * (1 - 1 / scale) * near

    def _skin_rows(self) -> np.ndarray:
        """Photo rows of lips, chin and neck."""
        lift = self.lift + self.LIP_INSET
        above = self.y - lift * (1 - _smoothstep((self.top - self.y) / (self.top - NOSE_BOTTOM)))
        lip_drop = self.bottom - self.lower - self.LIP_INSET
        # Away from the lips the whole jaw moves, as broad as the face, fading towards the collar.
        jaw_drop = (self.opening * WIDEST_OPENING - 6.0) * np.exp(-np.square(np.square((self.x - MOUTH_CENTRE) / 40)))
        depth = np.clip((self.y - self.bottom) / (COLLAR - self.bottom), 0, 1)
        towards_jaw = _smoothstep(depth / 0.35)
        drop = lip_drop + towards_jaw * (jaw_drop - lip_drop)
        below = self.y - drop * (1 - _smoothstep(depth))
        return np.where(self.y < (self.top + self.bottom) / 2, above, below).astype(np.float32)

    def paint(self, patch: np.ndarray) -> None:
        """Put teeth, darkness and tongue between the lips, in place.

        Args:
            patch: Drawn with ``x`` and ``skin_y``, uint8 (H, W, 3).
        """
        # Only the rectangle around the lips needs the work.
        near = (np.abs(self.x - MOUTH_CENTRE) < MOUTH_HALF_WIDTH) & (np.abs(self.y - self.top - 8) < 12)
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        x, y, top, bottom, gap, upper, lower = (
            field[inner] for field in (self.x, self.y, self.top, self.bottom, self.gap, self.upper, self.lower)
        )
        under_lip = y - top  # pixels below the upper lip
        inside = np.clip(under_lip / 0.9 + 0.3, 0, 1) * np.clip((bottom - y) / 0.9 + 0.3, 0, 1)
        inside *= np.clip(gap / 0.8, 0, 1)
        # Closed lips meet in a dark line.
        seam = 0.6 * np.exp(-np.square(under_lip / 0.9)) * np.clip(1 - gap / 2, 0, 1)
        seam *= np.abs(x - MOUTH_CENTRE) < MOUTH_HALF_WIDTH
        skin = patch[inner] + seam[..., None] * (SEAM - patch[inner])
        interior = self._interior(x, y, under_lip, bottom, gap, np.maximum(lower - upper - 0.8, 0), upper)
        patch[inner] = np.clip(skin + inside[..., None] * (interior - skin), 0, 255)

    @staticmethod
    def _interior(x, y, under_lip, bottom, gap, teeth_length, upper) -> np.ndarray:
        """What is seen between the lips: the photo's teeth, below them darkness, at its bottom the tongue."""
        teeth = _sample(x, upper + np.clip(under_lip, 0, teeth_length))
        behind = np.clip((under_lip - teeth_length) / 1.2, 0, 1)[..., None]
        tongue = (_smoothstep((y - bottom + 0.45 * gap) / 6) * np.clip(gap / 10, 0, 1))[..., None]
        return teeth * (1 - behind) + behind * (CAVITY + tongue * (TONGUE - CAVITY))
