"""Tracking, boxes and cropping."""

import cv2
import numpy as np
import pytest

from silvertalk.face import NoFaceError, choose_backend, crop_face, make_backend, track_frames, track_video
from silvertalk.face.lips import lip_opening
from silvertalk.face.track import (
    Seen,
    drawn_weight,
    make_track,
    seconds_apart,
    smooth_motion,
    stable_boxes,
)
from silvertalk.media import Picture


@pytest.fixture(scope="module")
def backend():
    """dlib, which needs no download."""
    return make_backend("dlib")


def test_backend_choice():
    assert choose_backend("dlib") == "dlib"
    with pytest.raises(ValueError, match="magic"):
        choose_backend("magic")


def test_follows_a_swaying_face(face_video, backend):
    track = track_video(face_video, backend)
    assert track.bbox.shape == (50, 4) and track.landmarks.shape == (50, 68, 3) and track.detected.all()
    centre = track.bbox[:, [0, 2]].mean(1)
    moved = 4 * np.sin(np.arange(50) / 5)
    assert np.corrcoef(centre, moved)[0, 1] > 0.98
    assert np.abs(centre - centre.mean() - (moved - moved.mean())).max() < 2
    # The mouth lies in the lower half of the box.
    assert (track.landmarks[:, 48:68, 1].min(1) > track.bbox[:, [1, 3]].mean(1)).all()


@pytest.mark.parametrize(("gap", "phase"), [(1, 0), (2, 1), (3, 3), (6, 1), (12, 2)])
def test_black_out_is_noticed_to_the_frame(photo, backend, gap, phase):
    first = 8 + phase  # detection runs on every fourth frame; a black-out between two is a cut
    frames = [photo] * first + [np.zeros_like(photo)] * gap + [photo] * 9
    track = track_frames(frames, backend)
    assert len(track) == len(frames)
    assert (np.flatnonzero(~track.detected) == np.arange(first, first + gap)).all()
    assert np.abs(track.bbox - track.bbox[0]).max() < 3
    assert track.shot.tolist() == [0] * first + [1] * gap + [2] * 9


def test_nothing_is_smoothed_across_a_cut(photo, backend):
    moved = np.roll(photo[::-1, ::-1][::-1, ::-1] // 2, 30, axis=1)
    track = track_frames([photo] * 12 + [moved] * 12, backend)
    assert set(track.shot) == {0, 1} and track.detected.all()
    for part in (track.bbox[:12], track.bbox[12:]):
        assert np.abs(part - part[0]).max() < 1
    assert abs(track.bbox[12, 0] - track.bbox[11, 0] - 30) < 4


def points_at(x, y=100.0, scale=1.0):
    """Landmarks of a plain frontal face: (68, 3)."""
    points = np.zeros((68, 3), np.float32)
    points[36:42, :2], points[42:48, :2] = (x - 31, y), (x + 31, y)
    points[36, 0], points[45, 0] = x - 45, x + 45
    points[33, :2], points[30, :2] = (x, y + 47), (x, y + 35)
    points[[0, 16], :2] = (x - 70, y), (x + 70, y)
    return points


def test_short_misses_are_drawn_long_ones_fade():
    seen = np.ones(60, bool)
    seen[10:14] = False  # 0.16 s
    seen[30:40] = False
    track = make_track([Seen(0, points_at(100) if s else None) for s in seen], 25.0)
    weight = drawn_weight(track, 25.0)
    assert (weight[:27] == 1).all() and (weight[30:40] == 0).all() and (weight[43:] == 1).all()
    assert (np.diff(weight[26:31]) < 0).all() and (np.diff(weight[39:43]) > 0).all()
    assert seconds_apart(weight == 0, 25.0) == [(1.2, 1.6)]


def test_profile_is_passed_through():
    faces = [points_at(100) for _ in range(40)]
    for turned in faces[20:]:
        turned[30, 0] = 147  # the nose tip beyond the outer corner of the eye
    weight = drawn_weight(make_track([Seen(0, points) for points in faces], 25.0), 25.0)
    assert (weight[:15] == 1).all() and (weight[21:] == 0).all()


def test_microphone_before_the_mouth_is_noticed(photo, backend):
    open_frames, covered = [np.roll(photo, k % 5, axis=1) for k in range(60)], []
    for k in range(60):
        frame = open_frames[k].copy()
        if 20 <= k < 40:
            cv2.ellipse(frame, (124 + k % 5, 142), (14, 26), 0, 0, 360, (20, 20, 25), -1)
        covered.append(frame)
    assert (drawn_weight(track_frames(open_frames, backend), 25.0) == 1).all()
    weight = drawn_weight(track_frames(covered, backend), 25.0)
    assert (weight[20:40] == 0).all() and (weight[:16] == 1).all() and (weight[44:] == 1).all()


def smooth_boxes_published(boxes: np.ndarray, window: int = 5) -> np.ndarray:
    """Smooth boxes (T, 4) as the published Wav2Lip does: in place, forward-looking, in whole pixels."""
    boxes = np.array(boxes)
    for i in range(len(boxes)):
        rows = boxes[len(boxes) - window :] if i + window > len(boxes) else boxes[i : i + window]
        boxes[i] = rows.mean(axis=0).astype(np.int64)
    return boxes


def test_boxes_neither_lag_nor_tremble():
    frames, random = np.arange(200), np.random.default_rng(0)
    moved = 40 * np.clip((frames - 100) / 10, 0, 1)  # at rest, 100 mm a second, at rest
    noisy = moved + random.normal(0, 0.7, 200)
    smooth = smooth_motion(noisy[:, None], np.ones(200), 25.0)[:, 0]
    published = smooth_boxes_published(np.repeat(noisy[:, None] * 1000, 4, axis=1))[:, 0] / 1000

    def trembling(track):
        return np.mean([np.abs(np.diff(track[rest], 2)).mean() for rest in (slice(10, 85), slice(125, 190))])

    assert trembling(smooth) < 0.1 * trembling(noisy) and trembling(smooth) < 0.5 * trembling(published)
    lags = [np.abs(smooth[90:125] - np.roll(moved, lag)[90:125]).mean() for lag in range(-4, 5)]
    assert int(np.argmin(lags)) - 4 == 0
    assert np.abs(smooth - moved).max() < 4 < np.abs(published - moved).max()


def test_another_face_is_not_taken_for_the_lost_one():
    class Scripted:
        """A detector that sees what it is told."""

        name = "scripted"

        def view(self, frame):
            return frame

        def detect(self, frame):
            boxes = {0: [[0, 0, 100, 100], [300, 0, 380, 80]], 1: [[300, 0, 380, 80]]}[int(frame[0, 0, 0])]
            return np.array(boxes, float)

        def landmarks(self, frame, box):
            return points_at(float(box[0]) + 50)

    def frame(kind):
        return np.full((4, 4, 3), kind, np.uint8)

    track = track_frames([frame(0)] * 9 + [frame(1)] * 10 + [frame(0)] * 9, Scripted())
    assert (~track.detected[9:19]).sum() >= 10 - 3 and np.abs(track.bbox[:, 0] - track.bbox[0, 0]).max() < 2
    gone_for_good = track_frames([frame(0)] * 9 + [frame(1)] * 60, Scripted())
    assert gone_for_good.bbox[-1, 0] > 250 and gone_for_good.detected[-10:].all()


def test_pictures_and_arrays_give_the_same(photo, backend):
    wide = np.ascontiguousarray(np.pad(photo, ((0, 0), (0, 17), (0, 0))))  # rows with gaps between them
    picture, array = (track_frames([frame], backend) for frame in (Picture.from_rgb(wide), wide))
    assert np.abs(picture.landmarks - array.landmarks).max() < 1.5


def test_no_face_is_said(backend):
    with pytest.raises(NoFaceError, match="no face found in 5 frames"):
        track_frames([np.zeros((120, 160, 3), np.uint8)] * 5, backend)


def test_largest_of_two_faces_is_followed(photo, backend):
    half = np.ascontiguousarray(photo[::2, ::2])
    both = np.zeros((240, 500, 3), np.uint8)
    both[:, :240] = photo
    both[60:180, 300:420] = half
    track = track_frames([both] * 6, backend)
    assert (track.bbox[:, 2] < 260).all()


def test_box_does_not_follow_the_jaw(photo, backend):
    landmarks = track_frames([photo], backend).landmarks
    opened = landmarks.copy()
    opened[:, 3:14, 1] += 12  # jaw
    opened[:, 55:60, 1] += 12  # lower lip
    opened[:, 65:68, 1] += 12
    box = stable_boxes(landmarks)
    np.testing.assert_allclose(stable_boxes(opened), box)
    assert lip_opening(opened, box)[0] > lip_opening(landmarks, box)[0] + 0.04


def test_published_smoothing(goldens):
    golden = np.load(goldens / "inference_misc.npz")
    assert (smooth_boxes_published(golden["boxes_in"]) == golden["boxes_smoothed"]).all()
    assert (smooth_boxes_published(golden["boxes_in"][:3]) == golden["boxes_short_smoothed"]).all()


def test_crop_beyond_the_border_repeats_it():
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:, :10] = 200
    crop = crop_face(frame, np.array([-20, 0, 20, 40]), 40)
    assert crop.shape == (40, 40, 3)
    assert (crop[:, :29] == 200).all() and (crop[:, 31:] == 0).all()


def test_face_alignment_is_taken_where_its_weights_are(tmp_path, monkeypatch):
    from silvertalk.face.detect.landmarks import FACE_ALIGNMENT_WEIGHTS

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert choose_backend("auto") == "dlib"
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in FACE_ALIGNMENT_WEIGHTS:
        (folder / name).touch()
    assert choose_backend("auto") == "face_alignment"


def test_weight_names_are_those_of_the_package():
    import inspect

    import face_alignment.api
    from face_alignment.detection.sfd import sfd_detector

    from silvertalk.face.detect.landmarks import FACE_ALIGNMENT_WEIGHTS

    source = inspect.getsource(face_alignment.api) + inspect.getsource(sfd_detector)
    assert all(name in source for name in FACE_ALIGNMENT_WEIGHTS)
