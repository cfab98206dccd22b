"""Photos: finding the face, cutting the head out, putting it back."""

import logging

import cv2
import numpy as np
import pytest

from silvertalk.face import NoFaceError, make_backend
from silvertalk.face.detect.depth import mean_face
from silvertalk.makeittalk.geometry import ANCHORS
from silvertalk.makeittalk.portrait import photo as module
from silvertalk.makeittalk.portrait.photo import make_head, read_photo
from silvertalk.media import Picture, VideoWriter, read_pictures


@pytest.fixture(scope="module")
def backend():
    return make_backend("dlib")


@pytest.fixture(scope="module")
def std_z():
    face = mean_face()
    return 1.6 * face[:, 2] / np.ptp(face[:, 0])


def save(path, rgb):
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


@pytest.fixture(scope="module")
def head(photo, backend, std_z, tmp_path_factory):
    path = save(tmp_path_factory.mktemp("photo") / "a.png", photo)
    return make_head(*read_photo(path, backend), 128, std_z)


def test_face_is_normalised_and_goes_back_where_it_was(head):
    np.testing.assert_allclose(head.face[16, :2] - head.face[0, :2], (1.6, 0), atol=0.1)
    np.testing.assert_allclose(head.face[36, 1], head.face[45, 1], atol=1e-9)  # upright
    x1, y1, x2, _ = head.box
    back = head.place(head.face) * (x2 - x1) / 128 + (x1, y1)
    np.testing.assert_allclose(back, head.points, atol=1e-6)
    assert np.allclose(head.place(np.stack([head.face] * 2))[1], head.place(head.face))


def test_a_turned_head_is_set_upright(photo, backend, std_z, tmp_path):
    turned = cv2.warpAffine(photo, cv2.getRotationMatrix2D((120, 120), 15, 1), (240, 240), borderMode=1)
    faces = [make_head(*read_photo(save(tmp_path / "t.png", rgb), backend), 256, std_z).face for rgb in (photo, turned)]
    assert np.abs(faces[0] - faces[1])[ANCHORS].max() < 0.06
    points = read_photo(tmp_path / "t.png", backend)[1]
    assert points[36, 1] - points[45, 1] > 5  # it was turned


def test_portrait_put_back_is_the_photo(head):
    pasted = head.paste(head.portrait)
    x1, y1, x2, y2 = (max(0, v) for v in head.box)
    before, after = (p.rgb().astype(int) for p in (head.picture, pasted))
    outside = np.ones(before.shape[:2], bool)
    outside[y1:y2, x1:x2] = False
    assert (before[outside] == after[outside]).all()
    assert np.abs(before - after).mean() < 2


def test_border_is_soft_and_in_the_colours_around(head):
    """Without its offset of colour, what is drawn fades in; noise at the rim does not show as a line."""
    offset = np.clip(head.portrait.astype(int) + 25, 0, 255).astype(np.uint8)
    change = head.paste(offset).luma.astype(int) - head.picture.luma.astype(int)
    assert np.abs(change).mean() < 5  # 25 grey levels more are taken for light, and taken back
    drawn = head.portrait.copy()
    drawn[40:90, 40:90] = 255 - drawn[40:90, 40:90]  # something that is no light
    change = np.abs(head.paste(drawn).luma.astype(int) - head.picture.luma.astype(int))
    x1, y1, x2, y2 = head.box
    middle = change[(y1 + y2) // 2 - 10 : (y1 + y2) // 2 + 10, (x1 + x2) // 2 - 10 : (x1 + x2) // 2 + 10]
    assert middle.mean() > 20
    mask = module._rim_mask()
    assert mask.max() == 1 and mask[0].max() < 0.01 and mask[:, -1].max() < 0.01
    assert np.abs(np.diff(mask, axis=0)).max() < 0.12 and mask[0, 0] == 0 and (mask == 1).mean() > 0.55


def test_mouth_is_closed_and_official_networks_get_their_face(photo, backend, std_z, tmp_path):
    picture, points = read_photo(save(tmp_path / "a.png", photo), backend)
    points[61:64, 1] -= 4
    points[65:68, 1] += 4
    plain, closed, official = (
        make_head(picture, points, 256, std_z, **options) for options in ({}, {"closed": True}, {"official": True})
    )

    def opening(head):
        return head.face[66, 1] - head.face[62, 1]

    assert opening(closed) < 0.35 * opening(plain)
    np.testing.assert_allclose(closed.photographed(), plain.place(plain.face), atol=1e-6)  # where the picture has it
    np.testing.assert_allclose(official.face[:, 2], 0.1 * plain.face[:, 2])
    lids = [head.face[41, 1] - head.face[37, 1] for head in (plain, official)]
    assert lids[1] > lids[0]  # wider eyes


def test_choice_among_several(photo, backend, tmp_path):
    path = save(tmp_path / "two.png", np.hstack([photo, photo[:, ::-1]]))
    lefts = [read_photo(path, backend, select)[1][:, 0].mean() for select in ("0", "1", "250,0,470,240")]
    assert lefts[0] < 240 < lefts[1] and lefts[1] == lefts[2]
    with pytest.raises(NoFaceError, match=r"two.png: no face found.*choose another"):
        read_photo(path, backend, "2")


def test_small_face_is_found_with_a_warning(photo, backend, tmp_path, caplog):
    small = cv2.resize(photo, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    whole = np.full((300, 700, 3), 120, np.uint8)
    whole[50 : 50 + len(small), 400 : 400 + small.shape[1]] = small
    with caplog.at_level(logging.WARNING):
        _, points = read_photo(save(tmp_path / "small.png", whole), backend)
    width = np.ptp(points[:17, 0])
    assert width < 70 and 400 < points[:, 0].mean() < 400 + small.shape[1]
    assert "pixels wide and is enlarged" in caplog.text
    assert type(backend).DETECTION_SIZE == backend.DETECTION_SIZE  # as it was
    _, again = read_photo(tmp_path / "small.png", backend, "390,40,560,200")
    assert np.allclose(again, points)


def test_no_face_and_profiles_are_refused(photo, backend, tmp_path, monkeypatch, caplog):
    with pytest.raises(NoFaceError, match="grey.png: no face found; use a photo with a frontal face"):
        read_photo(save(tmp_path / "grey.png", np.full((200, 200, 3), 90, np.uint8)), backend)
    path = save(tmp_path / "a.png", photo)
    angle = 60.0
    monkeypatch.setattr(module, "head_degrees", lambda points: np.array([[angle, 0, 0]]))
    with pytest.raises(NoFaceError, match=r"a.png: the face is turned away by 60 degrees"):
        read_photo(path, backend)
    angle = -30.0
    with caplog.at_level(logging.WARNING):
        read_photo(path, backend)
    assert "turned away by 30 degrees" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"gone.png"):
        read_photo(tmp_path / "gone.png", backend)


def test_first_usable_frame_of_a_video(photo, backend, tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 25) as out:
        for k in range(8):
            out.write(photo if k >= 3 else np.zeros_like(photo))
    picture, _ = read_photo(tmp_path / "v.mp4", backend)
    shown = list(read_pictures(tmp_path / "v.mp4"))
    assert (picture.luma == shown[3].luma).all()
    assert isinstance(picture, Picture)
