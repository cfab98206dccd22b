"""Faces to be animated, kept tracks, avatars."""

import numpy as np
import pytest

from silvertalk.face import NoFaceError
from silvertalk.face.source import FaceSource, make_avatar, usual_rate
from silvertalk.media import MediaInfo, VideoWriter, probe, read_frames
from silvertalk.utils.cache import cache_folder


class Counting:
    """dlib, with a count of its work."""

    def __init__(self):
        from silvertalk.face import make_backend

        self.inner, self.landmarked = make_backend("dlib"), 0
        self.name, self.view, self.detect = "dlib", self.inner.view, self.inner.detect

    def landmarks(self, gray, box):
        self.landmarked += 1
        return self.inner.landmarks(gray, box)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SILVERTALK_CACHE", str(tmp_path / "cache"))


def followed(path, num_frames=None, **options) -> tuple[int, np.ndarray]:
    """Frames on which the backend worked, and the boxes."""
    backend = Counting()
    track = FaceSource(path, backend=backend, **options).track(num_frames)
    return backend.landmarked, track.bbox


@pytest.mark.recipe  # seconds
def test_track_is_kept_by_content_and_settings(own_cache, face_video, tmp_path):
    count, boxes = followed(face_video)
    assert count == 50
    copy = tmp_path / "another name.mp4"
    copy.write_bytes(face_video.read_bytes())
    count, kept = followed(copy)
    assert count == 0 and (kept == boxes).all()
    assert followed(face_video, fps=12.5)[0] == 25
    assert followed(face_video, start=1.0)[0] == 25
    assert followed(face_video, select="0")[0] == 50
    with open(copy, "ab") as file:
        file.write(b"\0")
    assert followed(copy)[0] == 50


@pytest.mark.recipe  # seconds
def test_part_of_a_kept_track(own_cache, face_video):
    assert followed(face_video, 20)[0] == 20
    assert followed(face_video, 10)[0] == 0
    assert followed(face_video, 30)[0] == 30
    assert followed(face_video, 90)[0] == 50
    count, boxes = followed(face_video)
    assert count == 0 and len(boxes) == 50


@pytest.mark.recipe  # seconds
def test_damaged_cache_is_made_again(own_cache, face_video, caplog):
    followed(face_video)
    (kept,) = cache_folder("tracks").glob("*.npz")
    for content in (b"", b"PK\3\4 rubbish", kept.read_bytes()[:5000]):
        kept.write_bytes(content)
        assert followed(face_video)[0] == 50
        assert str(kept) in caplog.text
    assert followed(face_video, cache=False)[0] == 50


@pytest.mark.recipe  # seconds
def test_avatar_shows_the_same_frames(face_video, tmp_path):
    assert make_avatar(face_video, tmp_path / "me", backend="dlib") == 50
    avatar = FaceSource(tmp_path / "me", backend=None)  # needs no backend any more
    assert avatar.fps == 25
    original = FaceSource(face_video, backend="dlib", cache=False)
    assert np.abs(avatar.track().bbox - original.track().bbox).max() < 2
    for number in (0, 17, 49):
        a, b = next(avatar.pictures(number)).rgb(), next(original.pictures(number)).rgb()
        assert np.abs(a.astype(int) - b).mean() < 2
    assert make_avatar(face_video, tmp_path / "me", seconds=0.4, backend="dlib") == 10  # made again
    assert sorted(p.name for p in tmp_path.iterdir()) == ["me"]


def test_avatar_has_its_own_settings(face_video, tmp_path):
    make_avatar(face_video, tmp_path / "me", fps=12.5, seconds=1, backend="dlib")
    assert probe(tmp_path / "me" / "video.mp4").fps == 12.5
    with pytest.raises(ValueError, match="12.5 frames a second"):
        FaceSource(tmp_path / "me", fps=25)
    (tmp_path / "me" / "avatar.json").write_text("{")
    with pytest.raises(RuntimeError, match="avatar.json: is damaged"):
        FaceSource(tmp_path / "me")


def test_avatar_failures_leave_nothing(tmp_path):
    with VideoWriter(tmp_path / "empty.mp4", 25) as out:
        for _ in range(5):
            out.write(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(NoFaceError, match="empty.mp4"):
        make_avatar(tmp_path / "empty.mp4", tmp_path / "me", backend="dlib")
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="mine: is there and is no avatar"):
        make_avatar(tmp_path / "empty.mp4", tmp_path / "mine", backend="dlib")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.mp4", "mine"]


@pytest.mark.parametrize(
    ("fps", "constant", "wanted"),
    [(12.5, True, 12.5), (29.97, False, 30000 / 1001), (29.6, False, 30000 / 1001), (24.6, False, 25), (120, True, 60)],
)
def test_rate_of_a_source(fps, constant, wanted):
    assert usual_rate(MediaInfo(1.0, fps, 10, 10, False, False, constant_rate=constant)) == pytest.approx(wanted)
    assert usual_rate(MediaInfo(1.0, 0.0, 10, 10, False, True)) == 25


def test_photo_has_one_frame(photo, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "p.png"), photo[..., ::-1])
    assert len(FaceSource(tmp_path / "p.png", backend="dlib").track()) == 1


def test_folder_of_pictures(face_video, tmp_path):
    import cv2

    for number, rgb in enumerate(read_frames(face_video)):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), rgb[..., ::-1])  # 2.jpg comes before 10.jpg
    source = FaceSource(tmp_path, backend="dlib")
    video = FaceSource(face_video, backend="dlib")
    assert np.abs(source.track().bbox - video.track().bbox).max() < 2
    (tmp_path / "7.jpg").write_bytes(b"rubbish")
    with pytest.raises(RuntimeError, match="7.jpg: is not a readable picture"):
        list(source.pictures())
