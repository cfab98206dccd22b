"""A portrait that follows its landmarks."""

import numpy as np
import pytest
import torch

from silvertalk.makeittalk.cartoon.puppet import mean_landmarks
from silvertalk.makeittalk.networks import ImageTranslation
from silvertalk.makeittalk.portrait.mesh import MovingPortrait
from silvertalk.makeittalk.training.train import build_network

SIZE = 128


@pytest.fixture
def face():
    """A smooth picture and the landmarks of a face in it."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    portrait = np.stack([rows, columns, 127 + 100 * np.sin(rows / 9) * np.cos(columns / 7)], axis=-1).astype(np.uint8)
    return portrait, mean_landmarks(SIZE, SIZE)


def test_at_rest_nothing_changes(face):
    portrait, points = face
    np.testing.assert_array_equal(MovingPortrait(portrait, points)(points), portrait)


def test_landmarks_take_their_colours_along(face):
    portrait, points = face
    rest = np.rint(points)
    moved = rest + (3, -2)
    moved[48:68] += (0, 4)
    shown = MovingPortrait(portrait, rest)(moved)
    for old, new in zip(rest.astype(int), moved.astype(int), strict=True):
        assert np.abs(shown[new[1], new[0]].astype(int) - portrait[old[1], old[0]]).max() <= 4
    border = np.ones((SIZE, SIZE), bool)
    border[1:-1, 1:-1] = False
    assert np.abs(shown.astype(int) - portrait)[border].max() <= 2


def test_points_beyond_the_picture(face):
    portrait, points = face
    shown = MovingPortrait(portrait, points)(points + (0, SIZE / 2))
    assert shown.shape == portrait.shape and shown.std() > 10


def test_a_new_network_begins_with_the_portrait():
    torch.manual_seed(0)
    given = torch.rand(1, 6, 64, 64)
    network = build_network("ImageTranslation", None, ngf=4, moved=True).eval()
    with torch.no_grad():
        assert torch.equal(network.picture(given), given[:, 3:])
        published = ImageTranslation(ngf=4).eval()
        assert torch.equal(published.picture(given), torch.tanh(published(given)))


def test_an_opening_mouth_gets_an_inside():
    portrait, points = np.full((SIZE, SIZE, 3), 180, np.uint8), mean_landmarks(SIZE, SIZE)
    points[61:64, 1] = points[65:68, 1][::-1] = points[[60, 64], 1].mean()  # closed
    move = MovingPortrait(portrait, points)
    np.testing.assert_array_equal(move(points), portrait)
    opened = points.copy()
    opened[65:68, 1] += 10
    x, y = np.rint(opened[60:68].mean(axis=0)).astype(int)
    assert (move(opened)[y, x] < 130).all()
    half = points.copy()
    half[65:68, 1] += 3
    assert move(opened)[y, x].sum() < move(half)[y, x].sum() <= 540
    outside = np.ones((SIZE, SIZE), bool)
    x1, y1, x2, y2 = *(opened[60:68].min(axis=0).astype(int) - 4), *(opened[60:68].max(axis=0).astype(int) + 5)
    outside[y1:y2, x1:x2] = False
    np.testing.assert_array_equal(move(opened)[outside], portrait[outside])
