"""Whose face is followed."""

import cv2
import numpy as np
import pytest

from silvertalk.face import make_backend, make_selector, track_frames
from silvertalk.face.select import nearest
from silvertalk.media import Picture

BOXES = np.array([[200.0, 0, 260, 60], [0, 0, 100, 100], [400, 10, 450, 60]])


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [("largest", 1), ("0", 1), ("1", 0), ("2", 2), ("3", None), ("390,0,500,90", 2), ("600,0,700,90", None)],
)
def test_choices(choice, chosen):
    assert make_selector(choice)(BOXES, None) == chosen
    assert make_selector(choice)(np.zeros((0, 4)), None) is None


@pytest.mark.parametrize(("point", "chosen"), [((0.05, 0.5), 1), ((0.55, 0.1), 0), ((1, 1), 2)])
def test_nearest_to_a_place(point, chosen):
    frame = np.zeros((100, 420, 3), np.uint8)
    assert nearest(point)(BOXES, frame) == chosen
    assert nearest(point)(np.zeros((0, 4)), frame) is None


@pytest.mark.parametrize(
    ("choice", "error"), [("smallest", "smallest"), ("1,2,x,4", "1,2,x,4"), ("gone.jpg", "gone.jpg"), ("-1", "-1")]
)
def test_bad_choice_is_named(choice, error):
    with pytest.raises((ValueError, FileNotFoundError), match=error):
        make_selector(choice)


def test_person_of_a_photo(media, tmp_path, photo):
    from silvertalk.media import read_frames

    other = cv2.resize(next(read_frames(media / "faces" / "May_5s.mp4")), (240, 240))
    cv2.imwrite(str(tmp_path / "her.png"), cv2.resize(photo, None, fx=1.3, fy=1.3)[..., ::-1])
    both = np.hstack([other, photo, np.zeros_like(photo)])
    select = make_selector(str(tmp_path / "her.png"))
    track = track_frames([Picture.from_rgb(both)] * 3, make_backend("dlib"), select=select)
    assert track.bbox[0, 0] > 220
    alone = np.hstack([other, np.zeros_like(photo)])
    backend = make_backend("dlib")
    boxes = backend.detect(backend.view(alone))
    assert len(boxes) == 1 and select(boxes, alone) is None


def test_photo_without_a_face(tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(ValueError, match="wall.png: no face"):
        make_selector(str(tmp_path / "wall.png"))
