"""Puppets: a drawing, the 68 landmarks on it and the triangles that carry it along.

A puppet is a picture and five tables of the published MakeItTalk (Zhou et al., "MakeItTalk: Speaker-Aware
Talking-Head Animation", SIGGRAPH Asia 2020, section 4.5), all named after it:

- ``<name>.png`` (or .jpg): the drawing, best with transparency around it;
- ``<name>_face_open_mouth.txt`` (68, 3): landmarks on the drawing, x y in pixels (z is not used);
- ``<name>_face_open_mouth_norm.txt`` (68, 3): the same, normalised to a face 1.6 wide, with depth;
- ``<name>_face_close_mouth.txt`` (68, 3): those with the lips brought together, where speech starts from;
- ``<name>_scale_shift.txt`` (3,): scale and shift between the two, ``norm = -(pixels + shift) * scale``;
- ``<name>_delauney_tri.txt`` (N, 3): the triangles. Their vertices are the landmarks, with the outer lip or
  without (which is told by the largest number), and twelve points around the picture.
"""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from silvertalk.face.detect.depth import mean_face
from silvertalk.face.select import largest
from silvertalk.makeittalk.geometry import denormalise, normalise_face
from silvertalk.utils import atomic_path

LANDMARKS, OUTER_LIP, NUM_BORDER = 68, slice(48, 60), 12
FAR = 5000  # pixels from the picture to the outer vertices, so that moving landmarks hardly shear its border
PICTURES = (".png", ".jpg", ".jpeg")
# Closest landmarks whose triangles are still told apart: points are truncated to pixels for the triangulation.
LEAST_GAP = 2  # pixels
UPPER_OUTER, LOWER_OUTER = [49, 50, 51, 52, 53], [59, 58, 57, 56, 55]
UPPER_INNER, LOWER_INNER = [61, 62, 63], [67, 66, 65]
# A drawn mouth whose opening is below this share of its width is taken for closed: no teeth, no dark inside.
CLOSED_SHARE = 0.06
DISAGREEMENT = 0.02  # of the face's width, between the tables of one puppet


@dataclass
class Puppet:
    """A drawing that can speak.

    Attributes:
        name: Of the puppet and its files.
        picture: uint8 BGRA (H, W, 4).
        drawn: Landmarks on the drawing, float (68, 2), x y in pixels.
        norm: The same normalised, float (68, 3).
        closed: The same with the mouth closed, normalised, float (68, 3).
        scale: Normalised units for a pixel, negative as published.
        shift: Pixels (2,).
        triangles: Vertex numbers, int (N, 3), in drawing order.
    """

    name: str
    picture: np.ndarray
    drawn: np.ndarray
    norm: np.ndarray
    closed: np.ndarray
    scale: float
    shift: np.ndarray
    triangles: np.ndarray

    @property
    def inner_lip(self) -> bool:
        """Whether the triangles leave the outer lip out, as told by their largest number."""
        return int(self.triangles.max()) < LANDMARKS - 12 + NUM_BORDER  # the outer lip has 12

    @property
    def mouth_is_drawn_open(self) -> bool:
        """Whether the drawing shows the inside of the mouth."""
        opening = np.mean(self.drawn[LOWER_INNER, 1] - self.drawn[UPPER_INNER, 1])
        return bool(opening >= CLOSED_SHARE * np.hypot(*(self.drawn[64] - self.drawn[60])))

    def with_mesh(self, inner_lip: bool) -> "Puppet":
        """The same with triangles made anew, see ``make_puppet``."""
        return replace(self, triangles=triangulate(self.drawn, *self.picture.shape[:2], inner_lip))

    def vertices(self, points: np.ndarray) -> np.ndarray:
        """Add the far vertices to landmarks (..., 68, 2); returns (..., 80 or 68, 2), pixels."""
        if self.inner_lip:
            points = np.delete(points, OUTER_LIP, axis=-2)
        bound = bound_points(*self.picture.shape[:2])
        return np.concatenate([points, np.broadcast_to(bound, (*points.shape[:-2], *bound.shape))], axis=-2)

    def to_pixels(self, face: np.ndarray) -> np.ndarray:
        """Turn normalised landmarks (..., 68, 3) into pixels of the drawing (..., 68, 2)."""
        return denormalise(face, self.shift, self.scale)[..., :2]

    def save(self, folder: str | os.PathLike) -> None:
        """Write the picture and its tables."""
        folder = Path(folder)
        with atomic_path(folder / f"{self.name}.png") as temporary:
            cv2.imwrite(str(temporary), self.picture)
        drawn = np.column_stack([self.drawn, np.ones(LANDMARKS)])
        tables = {
            "face_open_mouth": (drawn, "%.4f"),
            "face_open_mouth_norm": (self.norm, "%.4f"),
            "face_close_mouth": (self.closed, "%.4f"),
            "scale_shift": (np.array([self.scale, *self.shift]), "%.10f"),
            "delauney_tri": (self.triangles, "%d"),
        }
        for table, (values, form) in tables.items():
            with atomic_path(folder / f"{self.name}_{table}.txt") as temporary:
                np.savetxt(temporary, values, fmt=form)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Puppet":
        """Read a puppet and check that its parts fit.

        Args:
            path: Its folder; the picture, where a folder holds several puppets.

        Raises:
            FileNotFoundError: A part is missing.
            ValueError: A table is damaged or does not fit the picture; says file and line.
        """
        picture_path = find_picture(path)
        picture, name = read_drawing(picture_path), picture_path.stem

        def table(part: str, shape: tuple[int | None, int]) -> np.ndarray:
            return _read_table(picture_path.with_name(f"{name}_{part}.txt"), shape)

        drawn = table("face_open_mouth", (LANDMARKS, 3))[:, :2]
        _check_inside(drawn, picture, picture_path.with_name(f"{name}_face_open_mouth.txt"))
        puppet = cls(
            name,
            picture,
            drawn,
            table("face_open_mouth_norm", (LANDMARKS, 3)),
            table("face_close_mouth", (LANDMARKS, 3)),
            *_read_scale_shift(picture_path.with_name(f"{name}_scale_shift.txt")),
            _read_triangles(picture_path.with_name(f"{name}_delauney_tri.txt")),
        )
        _warn_of_disagreement(puppet, picture_path)
        return puppet


def make_puppet(
    name: str, picture: np.ndarray, points: np.ndarray, depth: np.ndarray, inner_lip: bool = False
) -> Puppet:
    """Make a puppet of a drawing.

    Args:
        name: Of the puppet.
        picture: uint8 BGRA (H, W, 4).
        points: Landmarks on it, float (68, 2), pixels.
        depth: z (68,) of a face 1.6 wide.
        inner_lip: Let the lips' rims follow the opening instead of landmarks of their own: for drawings
            whose mouth is a mere line.

    Raises:
        ValueError: The landmarks cannot be those of a face.
    """
    points = np.asarray(points, np.float64)[:, :2]
    check_points(points, picture)
    norm, shift, scale = normalise_face(points, depth, z_scale=1)
    triangles = triangulate(points, *picture.shape[:2], inner_lip)
    return Puppet(name, picture, points, norm, close_mouth(norm), float(scale), shift, triangles)


def find_landmarks(picture: np.ndarray, backend) -> np.ndarray | None:
    """Detect the landmarks of the largest face in a drawing.

    Args:
        picture: uint8 BGRA (H, W, 4).
        backend: See ``silvertalk.face.make_backend``.

    Returns:
        (68, 2) in pixels; None where no face is found.
    """
    share = picture[..., 3:] / np.float32(255)
    view = backend.view(np.rint(picture[..., 2::-1] * share + 255 * (1 - share)).astype(np.uint8))
    boxes = backend.detect(view)
    chosen = largest(boxes)
    if chosen is None:
        return None
    height, width = picture.shape[:2]
    return np.clip(backend.landmarks(view, boxes[chosen])[:, :2], 0, (width - 1, height - 1))


def mean_landmarks(height: int, width: int) -> np.ndarray:
    """Landmarks to start placing from: a mean face in the middle of a picture, (68, 2) pixels."""
    face = mean_face()[:, :2]
    low, high = face.min(axis=0), face.max(axis=0)
    scale = 0.5 * min(width / (high - low)[0], height / (high - low)[1])
    return (face - (low + high) / 2) * scale + ((width - 1) / 2, (height - 1) / 2)


def mean_depth() -> np.ndarray:
    """z (68,) of the mean face, for a face 1.6 wide."""
    face = mean_face()
    return face[:, 2] * (1.6 / (face[16, 0] - face[0, 0]))


def check_points(points: np.ndarray, picture: np.ndarray) -> None:
    """Refuse landmarks (68, 2) that cannot be those of a face on a picture.

    Raises:
        ValueError: Says which.
    """
    if points.shape[0] != LANDMARKS or not np.isfinite(points).all():
        raise ValueError(f"there have to be {LANDMARKS} landmarks with x and y, not {np.isfinite(points).all(1).sum()}")
    _check_inside(points, picture, "landmark")
    for left, right, what in ((0, 16, "jaw"), (36, 45, "eyes"), (48, 54, "mouth"), (60, 64, "inner lip")):
        if points[right, 0] - points[left, 0] < LEAST_GAP:
            raise ValueError(f"landmark {left} has to be left of {right} in the picture ({what}); move them")
    for upper, lower, what in ((27, 33, "nose"), (51, 57, "lips"), (33, 8, "nose and chin")):
        if points[lower, 1] < points[upper, 1]:
            raise ValueError(f"landmark {upper} has to be above {lower} in the picture ({what}); move them")


def close_mouth(norm: np.ndarray) -> np.ndarray:
    """Bring the lips of a normalised face (68, 3) together, as the published puppets have it.

    Both lips go towards each other; the lower ones then towards where the upper ones have gone.
    """
    closed = norm.copy()
    y, x = closed[:, 1], closed[:, 0]
    y[UPPER_OUTER] = 0.7 * y[UPPER_OUTER] + 0.3 * y[LOWER_OUTER]
    y[LOWER_OUTER] = 0.4 * y[UPPER_OUTER] + 0.6 * y[LOWER_OUTER]
    y[UPPER_INNER] = 0.5 * y[UPPER_INNER] + 0.5 * y[LOWER_INNER]
    y[LOWER_INNER] = 0.5 * y[UPPER_INNER] + 0.5 * y[LOWER_INNER]
    x[UPPER_INNER] = 0.6 * x[UPPER_INNER] + 0.4 * x[LOWER_INNER]
    x[LOWER_INNER] = 0.6 * x[UPPER_INNER] + 0.4 * x[LOWER_INNER]
    return closed


def bound_points(height: int, width: int, far: int = FAR) -> np.ndarray:
    """Vertices around a picture, ``far`` pixels outside: int (12, 2), x y, in the published order."""
    w, h = width - 1, height - 1
    left = [(-far, y) for y in (-far, h // 4, h // 2, 3 * (h // 4), far + h)]
    below = [(w // 2, far + h), (far + w, far + h), (far + w, h // 2), (far + w, -far)]
    above = [(x, -far) for x in (w // 4, w // 2, 3 * (w // 4))]
    return np.array(left + below + above)


def triangulate(points: np.ndarray, height: int, width: int, inner_lip: bool = False) -> np.ndarray:
    """Connect landmarks and the picture's border (Delaunay).

    Args:
        points: Landmarks (68, 2), pixels.
        height: Of the picture.
        width: Of the picture.
        inner_lip: Leave out the outer lip.

    Returns:
        Vertex numbers, int (N, 3): landmarks in their order, then ``bound_points``.

    Raises:
        ValueError: Landmarks on one pixel.
    """
    points = _with_lips_apart(points)
    if inner_lip:
        points = np.delete(points, OUTER_LIP, axis=0)
    vertices = np.concatenate([points.astype(np.int64), bound_points(height, width, far=0)])
    numbers = {}
    for number, vertex in enumerate(map(tuple, vertices.tolist())):
        if vertex in numbers:
            raise ValueError(
                f"landmarks {_landmark(numbers[vertex], inner_lip)} and {_landmark(number, inner_lip)} lie on one "
                "pixel; move them apart"
            )
        numbers[vertex] = number
    subdivision = cv2.Subdiv2D((0, 0, width, height))
    for vertex in vertices.tolist():
        subdivision.insert([float(v) for v in vertex])
    corners = subdivision.getTriangleList().reshape(-1, 3, 2).round().astype(int).tolist()
    found = [[numbers.get(tuple(corner)) for corner in triangle] for triangle in corners]
    return np.array([triangle for triangle in found if None not in triangle], np.int64)


def _with_lips_apart(points: np.ndarray) -> np.ndarray:
    """Open closed lips, so that the mouth gets triangles of its own; only their numbers are used."""
    points = np.array(points, np.float64)
    gaps = points[LOWER_INNER, 1] - points[UPPER_INNER, 1]
    if gaps.min() >= LEAST_GAP:
        return points
    # As round as an open mouth: in a flat one Delaunay's triangles would tie the rims of both lips together.
    height = 0.22 * np.hypot(*(points[54] - points[48]))
    inner = height * np.array([0.7, 1, 0.7])
    outer = height * np.array([0.85, 1.15, 1.3, 1.15, 0.85]) + LEAST_GAP
    points[UPPER_INNER, 1] -= inner
    points[LOWER_INNER, 1] += inner
    points[UPPER_OUTER, 1] -= outer
    points[LOWER_OUTER, 1] += outer
    points[[48, 54], 0] += [-LEAST_GAP, LEAST_GAP]
    return points


def _landmark(vertex: int, inner_lip: bool) -> str:
    """Name a vertex as people know it."""
    number = vertex + 12 if inner_lip and vertex >= 48 else vertex
    return str(number) if number < LANDMARKS else "the picture's border"


def find_picture(path: str | os.PathLike) -> Path:
    """Find the picture of a puppet.

    Args:
        path: A folder with one puppet, or the picture.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several.
    """
    path = Path(path)
    if path.is_dir():
        names = sorted(p.name.removesuffix("_delauney_tri.txt") for p in path.glob("*_delauney_tri.txt"))
        if len(names) > 1:
            raise ValueError(f"{path}: holds the puppets {', '.join(names)}; name the picture of one")
        if not names:
            raise FileNotFoundError(f"{path}: holds no puppet (NAME_delauney_tri.txt); see silvertalk puppet make")
        path = path / names[0]
    candidates = [path] if path.suffix.lower() in PICTURES else [Path(f"{path}{suffix}") for suffix in PICTURES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"{path}: there is no such picture ({', '.join(c.name for c in candidates)})")


def read_drawing(path: str | os.PathLike) -> np.ndarray:
    """Read a picture as uint8 BGRA (H, W, 4); one without transparency is opaque.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It is no picture.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such picture")
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"{path}: cannot be read as a picture; give a PNG or JPEG")
    if picture.dtype != np.uint8:
        picture = (picture // 257).astype(np.uint8)  # PNG of 16 bits
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGRA)
    return picture if picture.shape[2] == 4 else cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)


def read_points(path: str | os.PathLike) -> np.ndarray:
    """Read 68 landmarks, x y (and z, not used) in a line: float (68, 2), pixels."""
    return _read_table(Path(path), (LANDMARKS, None))[:, :2]


def _read_table(path: Path, shape: tuple[int | None, int | None]) -> np.ndarray:
    """Read a table of numbers with so many lines and columns; None for any number."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: is missing; a puppet is a picture and five tables, silvertalk puppet makes it"
        )
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise ValueError(f"{path}:{number}: '{line.strip()[:40]}' are no numbers") from None
        if not np.isfinite(values).all():
            raise ValueError(f"{path}:{number}: '{line.strip()[:40]}' holds what is no finite number")
        columns = shape[1] or (len(rows[0]) if rows else max(2, len(values)))
        if len(values) != columns:
            raise ValueError(f"{path}:{number}: has {len(values)} numbers, not {columns}")
        rows.append(values)
    if not rows or len(rows) != (shape[0] or len(rows)):
        raise ValueError(f"{path}: has {len(rows)} lines, not {shape[0] or 'any'}")
    return np.array(rows)


def _read_scale_shift(path: Path) -> tuple[float, np.ndarray]:
    """Read scale, and shift (2,)."""
    values = _read_table(path, (3, 1))[:, 0]
    if values[0] == 0:
        raise ValueError(f"{path}:1: the scale is 0")
    return float(values[0]), values[1:]


def _read_triangles(path: Path) -> np.ndarray:
    """Read vertex numbers (N, 3) and check that they exist, differ, and miss no landmark."""
    triangles = _read_table(path, (None, 3))
    last = LANDMARKS + NUM_BORDER - 1
    for line, triangle in enumerate(triangles, 1):
        if (triangle != triangle.round()).any() or triangle.min() < 0 or triangle.max() > last:
            raise ValueError(f"{path}:{line}: {_listed(triangle)} are no vertices; they are numbered from 0 to {last}")
        if len(set(triangle)) < 3:
            raise ValueError(f"{path}:{line}: {_listed(triangle)} is no triangle, a vertex occurs twice")
    triangles = triangles.astype(np.int64)
    unused = sorted(set(range(triangles.max() + 1)) - set(triangles.ravel().tolist()))
    if unused:
        logging.warning("%s: vertices %s are in no triangle and move nothing", path, _listed(unused))
    return triangles


def _listed(values) -> str:
    return " ".join(f"{value:g}" for value in values)


def _check_inside(points: np.ndarray, picture: np.ndarray, what) -> None:
    """Refuse landmarks outside the picture."""
    height, width = picture.shape[:2]
    outside = np.nonzero((points < 0).any(1) | (points[:, 0] > width) | (points[:, 1] > height))[0]
    if len(outside):
        k = int(outside[0])
        where = f"{what}:{k + 1}" if isinstance(what, Path) else f"{what} {k}"
        raise ValueError(
            f"{where}: ({points[k, 0]:g}, {points[k, 1]:g}) lies outside the picture of {width} x {height} pixels; "
            "was the picture scaled after its landmarks were placed?"
        )


def _warn_of_disagreement(puppet: Puppet, path: Path) -> None:
    """Say when the tables do not describe one face, so that the first frame would jump."""
    apart = np.abs(puppet.to_pixels(puppet.norm) - puppet.drawn).max()
    width = abs(puppet.drawn[16, 0] - puppet.drawn[0, 0])
    if apart > DISAGREEMENT * max(width, 1):
        logging.warning(
            "%s: face_open_mouth, face_open_mouth_norm and scale_shift disagree by %.1f pixels; make the puppet anew",
            path,
            apart,
        )
