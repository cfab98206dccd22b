"""Drawings are the published ones."""

import numpy as np
import pytest

from silvertalk.makeittalk.drawing import draw_landmarks


@pytest.mark.parametrize(
    ("points", "image", "moved"),
    [
        ("landmarks_px", "image68", 0),
        ("landmarks_px", "image68_partly_outside", 150),
        ("landmarks98", "image98", 0),
        ("landmarks74", "image74", 0),
    ],
)
def test_drawing_is_the_published_one(points, image, moved, golden):
    data = golden("landmark_drawing")
    drawn = draw_landmarks(data[points][:, :2] + [moved, 0])
    assert drawn.dtype == np.uint8 and drawn.shape == (256, 256, 3)
    # OpenCV cuts lines at the border in a way that has changed.
    assert (drawn != data[image]).sum() <= (18 if moved else 0)


def test_larger_drawing_has_wider_lines(pixels):
    small, large = draw_landmarks(pixels), draw_landmarks(2 * pixels, 512)
    assert large.shape == (512, 512, 3)
    dark = [(image < 255).any(2).mean() for image in (small, large)]
    assert dark[1] == pytest.approx(dark[0], rel=0.25)


def test_what_is_no_face_is_refused(pixels):
    with pytest.raises(ValueError, match="67 landmarks cannot be drawn; 68, 74 or 98 can"):
        draw_landmarks(pixels[:67])
    pixels = pixels.copy()
    pixels[3] = np.nan
    with pytest.raises(ValueError, match="no number"):
        draw_landmarks(pixels)
    assert (draw_landmarks(np.full((68, 2), -1e30)) == 255).all()
