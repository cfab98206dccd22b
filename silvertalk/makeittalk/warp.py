"""Piecewise-affine warp: the triangles of a mesh carry a picture along.

Every pixel belongs to the triangle its centre lies in, by a rule that gives pixels of a shared edge to one
of both sides, so there are neither seams nor pixels drawn twice.
"""

import cv2
import numpy as np

OUTSIDE = -1e4  # where no triangle lies: reads as transparent


class Warp:
    """Moves a picture with the vertices of a mesh.

    Coordinate 0 is the centre of the first pixel and size - 1 that of the last, in the picture and in the
    frame, so a mesh at rest gives the picture back. Interpolation is bilinear on premultiplied colours, and
    where triangles overlap the later one is seen.

    Args:
        picture: uint8 BGRA (H, W, 4), not premultiplied.
        reference: Vertices on the picture, float (P, 2), x y in pixels.
        triangles: Vertex numbers, int (N, 3), in drawing order.
    """

    def __init__(self, picture: np.ndarray, reference: np.ndarray, triangles: np.ndarray):
        self.height, self.width = picture.shape[:2]
        alpha = picture[..., 3:].astype(np.uint16)
        self._picture = np.dstack([((picture[..., :3] * alpha + 127) // 255).astype(np.uint8), picture[..., 3]])
        self._reference, self._triangles = np.asarray(reference, np.float64), triangles
        pairs = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        self._edges, sides = np.unique(pairs, axis=0, return_inverse=True)
        self._sides = sides.reshape(-1, 3)  # edges of each triangle

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """Warp the picture to moved vertices, float (P, 2); returns uint8 BGRA (H, W, 4), premultiplied."""
        map_x, map_y = self.maps(np.asarray(vertices, np.float64))
        return cv2.remap(self._picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

    def maps(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Say where in the picture each pixel comes from: x and y, float32 (H, W)."""
        triangle, row, first, count = self._spans(vertices)
        affine = self._affine(vertices)[triangle].astype(np.float32)  # (S, 2, 3)
        ends = np.cumsum(count)
        column = np.arange(count.sum()) - np.repeat(ends - count - first, count)
        pixels = np.repeat(row * self.width, count) + column
        maps = []
        for k, last in enumerate((self.width - 1, self.height - 1)):
            origin = affine[:, k, 1] * row + affine[:, k, 2]
            source = np.repeat(origin, count) + np.repeat(affine[:, k, 0], count) * column.astype(np.float32)
            # The far triangles reach out of the picture; there its border goes on.
            target = np.full(self.height * self.width, OUTSIDE, np.float32)
            target[pixels] = np.clip(source, 0, last)
            maps.append(target.reshape(self.height, self.width))
        return maps[0], maps[1]

    def _spans(self, vertices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Find the runs of pixels in each triangle: its number, row, first column, number of columns, each (S,)."""
        rows = np.arange(self.height)
        a, b = vertices[self._edges[:, 0]], vertices[self._edges[:, 1]]
        low, high = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
        crossed = (low[:, None] <= rows) & (rows < high[:, None])  # (E, H)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
            # Computed once for each edge, so that both its triangles end at the same pixel.
            column = np.ceil(a[:, :1] + (rows - a[:, 1:]) * slope[:, None])
        first = np.where(crossed, column, np.inf)[self._sides].min(axis=1)  # (N, H)
        after = np.where(crossed, column, -np.inf)[self._sides].max(axis=1)
        first, after = np.clip(first, 0, self.width), np.clip(after, 0, self.width)
        triangle, row = np.nonzero(after > first)  # in drawing order: the last assignment to a pixel stays
        first, after = first[triangle, row].astype(np.int64), after[triangle, row].astype(np.int64)
        return triangle, row, first, after - first

    def _affine(self, vertices: np.ndarray) -> np.ndarray:
        """Find the map of each triangle from the frame to the picture, float (N, 2, 3); flat ones are 0."""
        a, b, c = (vertices[self._triangles[:, k]] for k in range(3))
        p, q, r = (self._reference[self._triangles[:, k]] for k in range(3))
        (ux, uy), (vx, vy) = (b - a).T, (c - a).T
        area = ux * vy - uy * vx
        inverse = np.divide(1, area, out=np.zeros_like(area), where=area != 0)[:, None]
        by_x = ((q - p) * vy[:, None] - (r - p) * uy[:, None]) * inverse
        by_y = ((r - p) * ux[:, None] - (q - p) * vx[:, None]) * inverse
        return np.stack([by_x, by_y, p - by_x * a[:, :1] - by_y * a[:, 1:]], axis=-1)


def blend(premultiplied: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Lay a premultiplied picture over a background: ``source + (1 - alpha) * background``.

    Args:
        premultiplied: uint8 BGRA (H, W, 4).
        background: uint8 BGR (H, W, 3).

    Returns:
        uint8 BGR (H, W, 3).
    """
    share = cv2.cvtColor(cv2.bitwise_not(premultiplied[..., 3]), cv2.COLOR_GRAY2BGR)
    return cv2.add(premultiplied[..., :3], cv2.multiply(background, share, scale=1 / 255))
