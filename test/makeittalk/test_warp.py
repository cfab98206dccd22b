"""The piecewise-affine warp against a slow one, and what must not happen at its edges."""

import numpy as np
import pytest

from silvertalk.makeittalk.cartoon.puppet import make_puppet, mean_depth, mean_landmarks
from silvertalk.makeittalk.warp import Warp, blend

SIZE = 96


@pytest.fixture
def mesh():
    """A smooth opaque picture, vertices and triangles of a face, and the same vertices moved."""
    y, x = np.mgrid[:SIZE, :SIZE]
    waves = [127 + 120 * np.sin(x / a + y / b) for a, b in ((9, 14), (-11, 8), (13, 10))]
    picture = np.dstack([*waves, np.full((SIZE, SIZE), 255)]).astype(np.uint8)
    points = mean_landmarks(SIZE, SIZE) * (1, 1)
    points[60:68, 1] += np.array([0, -3, -3, -3, 0, 3, 3, 3])
    points[55:60, 1] += 4
    puppet = make_puppet("x", picture, points, mean_depth())
    moved = points + (2, -1) + np.random.default_rng(0).normal(0, 0.4, (68, 2))
    return picture, puppet.triangles, puppet.vertices(points), puppet.vertices(moved)


def slow_map(reference, triangles, vertices, x, y):
    """Where a pixel's centre comes from, by barycentric coordinates; None where no triangle is, NaN on an edge."""
    found = None
    for triangle in triangles:
        a, b, c = vertices[triangle]
        shares = np.linalg.solve(np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]]), [x, y, 1])
        if shares.min() > 1e-9:
            found = shares @ reference[triangle]
        elif shares.min() > -1e-9:
            found = np.full(2, np.nan)
    return found


def test_at_rest_the_picture_stays(mesh):
    picture, triangles, reference, _ = mesh
    assert (Warp(picture, reference, triangles)(reference) == picture).all()


def test_agrees_with_a_slow_warp(mesh):
    picture, triangles, reference, moved = mesh
    map_x, map_y = Warp(picture, reference, triangles).maps(moved)
    for x, y in np.random.default_rng(1).integers(0, SIZE, (60, 2)):
        expected = slow_map(reference, triangles, moved, x, y)
        if expected is not None and np.isfinite(expected).all():
            expected = np.clip(expected, 0, SIZE - 1)
            assert np.allclose((map_x[y, x], map_y[y, x]), expected, atol=2e-2), (x, y)


def test_no_seams_and_no_holes(mesh):
    picture, triangles, reference, moved = mesh
    warp = Warp(picture, reference, triangles)
    _, _, _, count = warp._spans(reference)
    assert count.sum() == SIZE * SIZE  # every pixel once: the mesh at rest has no overlaps
    warped = warp(moved)
    assert (warped[..., 3] == 255).all()
    # A smooth picture stays smooth across edges.
    assert np.abs(np.diff(warped[..., :3].astype(int), axis=0)).max() < 60


def test_later_triangles_are_seen():
    picture = np.zeros((20, 20, 4), np.uint8)
    picture[:10], picture[10:] = (255, 0, 0, 255), (0, 0, 255, 255)
    reference = np.array([[0, 0], [19, 0], [0, 9], [0, 11], [19, 11], [0, 19]], float)
    vertices = np.array([[0, 0], [19, 0], [0, 19], [0, 0], [19, 0], [0, 19]], float)
    first, second = [0, 1, 2], [3, 4, 5]
    assert Warp(picture, reference, np.array([first, second]))(vertices)[3, 3].tolist() == [0, 0, 255, 255]
    warped = Warp(picture, reference, np.array([second, first]))(vertices)
    assert warped[3, 3].tolist() == [255, 0, 0, 255] and not warped[18, 18].any()
    # Which way a triangle turns does not matter; one without area is not drawn.
    assert Warp(picture, reference, np.array([second, first[::-1]]))(vertices)[3, 3].tolist() == [255, 0, 0, 255]
    vertices[2] = vertices[1]
    assert Warp(picture, reference, np.array([second, first]))(vertices)[3, 3].tolist() == [0, 0, 255, 255]


def test_hidden_colours_do_not_bleed():
    picture = np.full((40, 40, 4), (0, 255, 0, 0), np.uint8)  # transparent green
    picture[10:30, 10:30] = (200, 200, 200, 255)
    corners = np.array([[-50, -50], [90, -50], [90, 90], [-50, 90]], float)
    warp = Warp(picture, corners, np.array([[0, 1, 2], [0, 2, 3]]))
    warped = warp(corners + (0.5, 0.25))
    grey = warped[..., :3].astype(int)
    assert np.ptp(grey, axis=2).max() <= 1  # premultiplied: no green anywhere
    edge = warped[20, 10].astype(int)
    assert edge[3] == pytest.approx(127, abs=2) and edge[0] == pytest.approx(100, abs=2)
    white = blend(warped, np.full((40, 40, 3), 255, np.uint8))
    assert white[20, 10, 0] == pytest.approx(228, abs=2) and (white[0, 0] == 255).all() and white[20, 20, 0] == 200
