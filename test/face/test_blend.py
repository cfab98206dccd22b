"""Masks, and putting a new mouth into a picture."""

import numpy as np
import pytest

from silvertalk.face import make_backend, track_frames
from silvertalk.face.blend import NewFace, blend, match_colour
from silvertalk.face.mask import MASK_SIDE, lip_mask, mask_points, mouth_mask, rectangle_mask
from silvertalk.face.watermark import make_watermark
from silvertalk.media import Picture
from silvertalk.media.picture import even_box

SIZE = 96


@pytest.fixture(scope="module")
def face(photo):
    """A picture three times as large as the generator's face, its box, and its landmarks in the box."""
    import cv2

    rgb = cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    rgb = np.clip(rgb + np.random.default_rng(0).normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)  # pores
    track = track_frames([rgb], make_backend("dlib"))
    return Picture.from_rgb(rgb), even_box(track.bbox[0]), mask_points(track, 25.0)[0]


def changed(before: Picture, after: Picture) -> np.ndarray:
    """Pixels whose brightness differs (H, W)."""
    return before.luma != after.luma


def test_mask_covers_mouth_and_chin_only(face):
    _, _, points = face
    mask = mouth_mask(points)

    def at(point):
        return mask[int(point[1] * MASK_SIDE), int(point[0] * MASK_SIDE)]

    assert at(points[48:68].mean(0)) == 1
    assert at((points[8] + points[57]) / 2) > 0.9  # chin
    assert at(points[27]) == 0 and at(points[36]) == 0 and at(points[0]) == 0
    assert mask[int((points[8, 1] + 0.08) * MASK_SIDE) :].max() == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.25 and np.abs(np.diff(mask, axis=1)).max() < 0.25


def test_mask_options(face):
    _, _, points = face
    assert mouth_mask(points, 0.8).sum() < mouth_mask(points).sum() < mouth_mask(points, 1.2).sum()
    assert set(np.unique(mouth_mask(points, feather=0))) == {0, 1}
    assert (mouth_mask(points, feather=2) <= mouth_mask(points) + 1e-6).all()
    assert 0.3 < lip_mask(points).max() <= 1 and lip_mask(points).sum() < 0.5 * mouth_mask(points).sum()


def test_fixed_mask_is_one_for_all(photo):
    track = track_frames([photo, np.roll(photo, 3, axis=1), np.roll(photo, -3, axis=0)], make_backend("dlib"))
    fixed = mask_points(track, 25.0, tracking=False)
    assert (fixed == fixed[0]).all()
    assert np.abs(mask_points(track, 25.0) - fixed).max() < 0.05


def new_face(face, generated=None, mask=None, lips=None) -> NewFace:
    """A new face of one colour, or the filmed one."""
    picture, box, points = face
    filmed = picture.crop(box, SIZE)
    generated = filmed.astype(np.float32) if generated is None else generated
    return NewFace(box, generated, mouth_mask(points) if mask is None else mask, lips)


@pytest.mark.parametrize("mask", ["soft", "rectangle"])
def test_nothing_changes_outside_the_mask(face, mask):
    import cv2

    picture, box, points = face
    weights = mouth_mask(points) if mask == "soft" else rectangle_mask()
    result = picture.copy()
    green = np.broadcast_to(np.float32([0, 255, 0]), (SIZE, SIZE, 3)).copy()
    blend(result, new_face(face, green, weights))
    x1, y1, x2, y2 = box
    touched = np.zeros(picture.luma.shape, bool)
    touched[y1:y2, x1:x2] = cv2.resize(weights, (x2 - x1, y2 - y1)) > 0
    difference = changed(picture, result)
    assert difference.any() and not difference[~touched].any()
    for before, after in zip(picture.planes[1:], result.planes[1:], strict=True):
        small = np.kron(before != after, np.ones((2, 2), bool))[: touched.shape[0], : touched.shape[1]]
        grown = cv2.dilate(touched.astype(np.uint8), np.ones((5, 5)))
        assert small.any() and not (small & (grown == 0)).any()


def test_same_face_leaves_no_seam_and_keeps_detail(face):
    picture, box, points = face
    plain, detailed = picture.copy(), picture.copy()
    blend(plain, new_face(face))
    blend(detailed, new_face(face, lips=lip_mask(points)))
    x1, y1, x2, y2 = box
    centre = np.s_[
        y1 + int(0.82 * (y2 - y1)) : y1 + int(0.9 * (y2 - y1)), x1 + 2 * (x2 - x1) // 5 : x1 + 3 * (x2 - x1) // 5
    ]

    def apart(result):
        return np.abs(result.luma[centre].astype(int) - picture.luma[centre]).mean()

    assert apart(detailed) < 0.5 * apart(plain)


def test_colour_and_light_are_matched(face):
    picture, box, points = face
    filmed = picture.crop(box, SIZE)
    slope = np.linspace(-15, 15, SIZE)[None, :, None]
    dark = np.clip(filmed * 1.0 - 25 + slope, 0, 255).astype(np.float32)
    matched = match_colour(dark, filmed, mouth_mask(points))
    inside = mouth_mask(points)[:: MASK_SIDE // 32, :: MASK_SIDE // 32] > 0.5

    def apart(generated):
        import cv2

        return np.abs(cv2.resize(generated - filmed, (32, 32), interpolation=cv2.INTER_AREA)[inside]).mean()

    assert apart(matched) < 0.15 * apart(dark)
    # A black microphone before the chin must not darken the mouth.
    filmed = filmed.copy()
    filmed[80:, 40:56] = 0
    assert np.abs(match_colour(dark, filmed, mouth_mask(points)) - matched)[50:70, 30:66].mean() < 4


def test_face_partly_outside_the_picture(face):
    picture, box, points = face
    for shift in (-200, 400, 5000):
        moved = tuple(value + 2 * shift for value in box)
        result = picture.copy()
        blend(
            result,
            NewFace(moved, np.full((SIZE, SIZE, 3), 255, np.float32), rectangle_mask()),
        )
        assert changed(picture, result).any() == (abs(shift) < 1000 and moved[0] < picture.width and moved[2] > 0)


def test_watermark(face, tmp_path):
    import cv2

    picture = face[0]
    logo = np.zeros((11, 31, 4), np.uint8)
    logo[..., 2], logo[..., 3] = 255, 255
    cv2.imwrite(str(tmp_path / "logo.png"), logo)
    for mark in ("synthetic", str(tmp_path / "logo.png")):
        result = picture.copy()
        make_watermark(mark, picture).draw(result)
        where = np.argwhere(changed(picture, result))
        assert len(where) > 100 and where.min(0)[0] > 0.9 * picture.height and where.min(0)[1] > 0.5 * picture.width
    with pytest.raises(ValueError, match="PNG"):
        make_watermark("합성", picture)
    with pytest.raises(FileNotFoundError, match="gone.png"):
        make_watermark("gone.png", picture)
    with pytest.raises(ValueError, match="does not fit"):
        make_watermark("synthetic " * 50, picture)
