"""Tracking, boxes and cropping."""

import numpy as np
import pytest

from silvertalk.face import NoFaceError, choose_backend, crop_face, make_backend, paste_face, track_frames, track_video
from silvertalk.face.crop import lower_face_mask
from silvertalk.face.lips import lip_opening
from silvertalk.face.track import DETECT_EVERY, smooth_boxes_published, stable_boxes


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


def test_gap_without_a_face_is_bridged_and_marked(photo, backend):
    frames = [photo] * 9 + [np.zeros_like(photo)] * 6 + [photo] * 9
    track = track_frames(frames, backend)
    assert len(track) == 24
    assert not track.detected[9:15].any()
    assert track.detected.sum() >= 24 - 6 - DETECT_EVERY
    assert np.abs(track.bbox - track.bbox[0]).max() < 3


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


def test_paste_changes_only_the_masked_region():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (100, 120, 3), dtype=np.uint8)
    before = frame.copy()
    box = np.array([20, 10, 80, 90])
    result = paste_face(frame, box, np.full((96, 96, 3), 255, np.uint8))
    assert (frame == before).all()
    assert (result[:50] == before[:50]).all() and (result[:, :20] == before[:, :20]).all()
    assert (result[90:] == before[90:]).all() and (result[68, 50] == 255).all()


def test_paste_of_the_same_face_leaves_no_seam(photo):
    box = np.array([60, 40, 160, 160])
    result = paste_face(photo, box, crop_face(photo, box, 96))
    assert np.abs(result.astype(int) - photo).mean() < 1


def test_paste_partly_outside_the_frame():
    frame = np.zeros((50, 50, 3), np.uint8)
    face = np.full((96, 96, 3), 255, np.uint8)
    assert paste_face(frame, np.array([-30, -30, 30, 30]), face).max() == 255
    assert (paste_face(frame, np.array([200, 200, 260, 260]), face) == frame).all()


def test_mask_is_soft():
    mask = lower_face_mask(96)
    assert mask[:48].max() == 0 and mask[70, 48] == 1
    assert np.abs(np.diff(mask, axis=0)).max() < 0.25 and np.abs(np.diff(mask, axis=1)).max() < 0.25


def test_face_alignment_is_taken_where_its_weights_are(tmp_path, monkeypatch):
    from silvertalk.face.landmarks import FACE_ALIGNMENT_WEIGHTS

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

    from silvertalk.face.landmarks import FACE_ALIGNMENT_WEIGHTS

    source = inspect.getsource(face_alignment.api) + inspect.getsource(sfd_detector)
    assert all(name in source for name in FACE_ALIGNMENT_WEIGHTS)
