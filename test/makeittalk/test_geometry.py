"""Landmark geometry is the published one, where there is such."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from silvertalk.makeittalk import geometry
from silvertalk.makeittalk.geometry import ANCHORS


def close(result, wanted, atol=1e-6):
    np.testing.assert_allclose(result, wanted, rtol=0, atol=atol)


@pytest.fixture
def data(golden):
    return golden("landmark_geometry")


def test_photo_is_normalised_as_published(data, pixels):
    adjusted = geometry.adjust_photo_landmarks(pixels)
    close(adjusted, data["face_px_adjusted"])
    close(geometry.adjust_photo_landmarks(2 * pixels, 512), 2 * data["face_px_adjusted"])
    norm, shift, scale = geometry.normalise_face(adjusted, 10 * data["face_norm"][:, 2])
    close(norm, data["face_norm"])
    close(shift, data["shift"])
    close(scale, data["scale"])
    close(geometry.denormalise(norm, shift, scale)[:, :2], adjusted[:, :2])


def test_face_without_width_is_refused(pixels):
    with pytest.raises(ValueError, match="points 0 and 16.* have the same x"):
        geometry.normalise_face(np.where(np.arange(68)[:, None] == 16, pixels[0], pixels), np.zeros(68))


def test_mouth_is_closed_as_published(data, pixels):
    closed = geometry.close_mouth(pixels)
    close(closed, data["face_px_mouth_closed"])
    close(geometry.lip_area(pixels), data["inner_lip_signed_area"])


def test_eyes_blink_as_published(data, pixel_sequence):
    blinking = geometry.blink(pixel_sequence, seed=int(data["blink_seed"]))
    close(blinking[:, 36:48], data["blink_eyes"], 1e-4)
    others = np.r_[0:36, 48:68]
    assert np.array_equal(blinking[:, others], pixel_sequence[:, others])
    blocks = [pixel_sequence[k : k + 7] for k in range(0, 300, 7)]
    assert np.array_equal(np.concatenate(list(geometry.blink_blocks(blocks))), blinking)
    relaxed = geometry.relax_lids(pixel_sequence[:46])
    assert np.array_equal(geometry.blink(pixel_sequence[:46]), relaxed)  # too short for a blink
    assert not np.array_equal(geometry.blink(pixel_sequence[:47])[:46], relaxed)


def test_times_of_blinks():
    times = np.array(list(itertools.islice(geometry.blink_times(5), 3000)))
    assert times[0] == 30
    assert (np.diff(times).min(), np.diff(times).max()) == (90, 149)


def test_smoothing_is_the_published_one(data, pixel_sequence):
    rows = [0, 1, 7, 150, 298, 299]
    portrait = geometry.smooth(geometry.blink(pixel_sequence))
    close(portrait.reshape(-1, 204)[rows], data["smooth_e2e_rows"])
    close(geometry.smooth(pixel_sequence, 17, 11).reshape(-1, 204)[rows], data["smooth_cartoon_rows"])


@pytest.mark.parametrize("length", [1, 2, 4, 5, 14])
def test_short_sequences_are_smoothed_as_far_as_they_go(length, pixel_sequence):
    assert geometry.smooth(pixel_sequence[:length]).shape == (length, 68, 3)
    line = np.linspace(0, 1, length)[:, None, None] * np.ones((1, 68, 3))
    close(geometry.smooth(line), line)  # a cubic is not changed


def test_registration_is_the_published_one(data, constants):
    target = constants["std_face"][ANCHORS]
    rotation, translation = geometry.rigid_transform(data["icp_src"][ANCHORS], target)
    close(rotation, data["icp_T"][:3, :3])
    close(translation, data["icp_T"][:3, 3])
    close(geometry.rigid_registration(data["icp_src"], target), data["icp_registered"])


def test_head_pose_is_the_published_one(data, pixels, pixel_sequence, constants):
    faces = (pixel_sequence[:40] - pixels) / 85 + data["face_norm"]
    pose, registered = geometry.head_pose(faces, constants["anchor_t_shape_9"])
    close(pose[:, :4], data["gaze_rot_quat"])
    close(pose[:, 4:], data["gaze_rot_trans"][:, :, 3])
    close(registered[[0, 39]], data["gaze_anchor_t_shape_rows"])


def test_registration_undoes_a_movement(pixels):
    face = pixels / abs(pixels[36, 0] - pixels[45, 0])
    rotation = Rotation.from_euler("xyz", [[10, -20, 5], [0, 30, -15]], degrees=True)
    moved = np.stack([r.apply(face) + [3, -7, 11] for r in rotation])
    close(geometry.rigid_registration(moved, face[ANCHORS]), np.stack([face, face]))
    pose, registered = geometry.head_pose(moved, pixels[ANCHORS])  # in any unit
    centred = face - face[[33, 36, 45]].mean(0)
    close(registered, np.stack([centred, centred]))
    close(pose[:, :4], rotation.inv().as_quat(canonical=True))
    close(moved[1] @ rotation[1].inv().as_matrix().T + pose[1, 4:], centred)


def test_a_mirrored_face_is_turned_and_not_mirrored(pixels):
    rotation, _ = geometry.rigid_transform((pixels * [-1, 1, 1])[ANCHORS], pixels[ANCHORS])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_movement_is_calibrated_and_amplified_as_published(golden):
    data = golden("training_losses")
    calibrated = geometry.calibrate(data["calib_x"]).reshape(-1, 68, 3)
    close(geometry.amplify_lips(calibrated, 2, 3).reshape(-1, 204), data["calib_out_2_3"], 2e-5)


def test_crossed_lips_are_mended_as_published(golden):
    data = golden("audio2landmark_pipeline")
    fixed = geometry.fix_inverse_lips(data["inv_in"].reshape(-1, 68, 3))
    close(fixed.reshape(-1, 204), data["inv_out"], 2e-5)
    assert np.abs(data["inv_in"] - data["inv_out"]).max() > 1e-2
