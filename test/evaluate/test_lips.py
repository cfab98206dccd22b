import cv2
import numpy as np
import pytest

from silvertalk.evaluate import lips
from silvertalk.face.lips import lip_opening, window_spread
from silvertalk.face.track import stable_boxes


def neutral_face():
    """A symmetric 68-point face of about 100 pixels, mouth closed: (68, 3)."""
    points = np.zeros((68, 3))
    angle = np.linspace(0, np.pi, 17)
    points[:17, 0], points[:17, 1] = 150 - 50 * np.cos(angle), 150 + 60 * np.sin(angle)
    points[17:27, 0], points[17:27, 1] = np.linspace(110, 190, 10), 130
    points[27:31, 0], points[27:31, 1] = 150, np.linspace(140, 165, 4)
    points[31:36, 0], points[31:36, 1] = np.linspace(142, 158, 5), 172
    points[36:42, 0], points[36:42, 1] = np.linspace(118, 135, 6), 145
    points[42:48, 0], points[42:48, 1] = np.linspace(165, 182, 6), 145
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    points[48:60, 0], points[48:60, 1] = 150 - 18 * np.cos(angle), 190 - 7 * np.sin(angle)
    points[60:68, 0] = 150 + np.array([-14, -7, 0, 7, 14, 7, 0, -7])
    points[60:68, 1] = 190
    return points


def speaking(gap):
    """Landmarks (T, 68, 3) whose lips are ``gap`` pixels apart."""
    points = np.repeat(neutral_face()[None], len(gap), axis=0)
    points[:, 61:64, 1] -= np.asarray(gap)[:, None] / 2
    points[:, 65:68, 1] += np.asarray(gap)[:, None] / 2
    return points


def syllables(length=100, seed=0):
    """A mouth opening and closing irregularly, 0 to 12 pixels."""
    noise = np.random.default_rng(seed).normal(size=length + 8)
    smooth = np.convolve(noise, np.hanning(9), "valid")
    return 12 * (smooth - smooth.min()) / np.ptp(smooth)


def opening(gap):
    landmarks = speaking(gap)
    return lip_opening(landmarks, stable_boxes(landmarks))


def test_equal_mouths_correlate_fully_and_shifted_ones_less():
    gap = syllables()
    same = lips.opening_correlation(opening(gap), opening(gap))
    shifted = [lips.opening_correlation(opening(np.roll(gap, k)), opening(gap)) for k in (1, 3, 6)]
    assert same == pytest.approx(1.0)
    assert same > shifted[0] > shifted[1] > shifted[2]


def test_control_of_another_clip_is_lower():
    real = opening(syllables())
    assert abs(lips.opening_correlation(opening(syllables(seed=1)), real)) < 0.5


def test_half_the_movement_correlates_fully_but_articulates_half():
    gap = syllables()
    assert lips.opening_correlation(opening(gap / 2), opening(gap)) == pytest.approx(1.0)
    assert lips.articulation(opening(gap / 2), opening(gap)) == pytest.approx(0.5, abs=0.01)


def test_still_mouth_scores_zero():
    still, real = opening(np.full(100, 5.0)), opening(syllables())
    assert lips.opening_correlation(still, real) == 0.0
    assert lips.articulation(still, real) == pytest.approx(0.0, abs=1e-6)
    assert lips.opening_correlation(np.full(100, np.float32(0.0413)), real.astype(np.float32)) == 0.0


def test_too_few_common_frames_are_not_scored():
    real = opening(syllables())
    valid = np.zeros(100, bool)
    valid[:9] = True
    assert np.isnan(lips.opening_correlation(real, real, valid))
    assert np.isnan(lips.opening_correlation(real[:5], real))


def test_frames_without_a_face_do_not_count():
    real = opening(syllables())
    wrong = real.copy()
    wrong[20:40] = 9.0
    valid = np.ones(100, bool)
    valid[20:40] = False
    assert lips.opening_correlation(wrong, real, valid) == pytest.approx(1.0)


def test_landmark_distance_ignores_head_movement():
    real = speaking(syllables())
    turn = np.exp(1j * np.linspace(-0.2, 0.2, len(real)))[:, None]
    moved = 1.3 * turn * (real[..., 0] + 1j * real[..., 1]) + 40
    generated = np.stack([moved.real, moved.imag], axis=-1)
    assert lips.landmark_distance(generated, real, stable_boxes(real)) == pytest.approx(0, abs=1e-6)


def test_landmark_distance_is_in_percent_of_the_face_height():
    real = speaking(np.zeros(20))
    box = stable_boxes(real)
    generated = real.copy()
    generated[:, 48:, 1] += 0.02 * (box[0, 3] - box[0, 1])
    assert lips.landmark_distance(generated, real, box) == pytest.approx(2.0, rel=1e-3)


def test_mouth_squares_have_one_size_and_hold_the_mouth():
    real = speaking(syllables())
    squares = lips.mouth_squares(real, stable_boxes(real))
    assert len(np.unique(squares[:, 2:] - squares[:, :2])) == 1
    assert (squares[:, :2] <= real[:, 48:, :2].min(axis=1)).all()
    assert (squares[:, 2:] >= real[:, 48:, :2].max(axis=1)).all()


def test_picture_similarity_of_known_noise():
    rng = np.random.default_rng(0)
    real = np.kron(rng.integers(60, 200, (6, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    assert lips.psnr([(real, real)]) == lips.MAX_PSNR and lips.ssim([(real, real)]) == pytest.approx(1.0)
    brighter = [((real + 5).astype(np.uint8), real)]
    assert lips.psnr(brighter) == pytest.approx(20 * np.log10(255 / 5))
    assert 0.9 < lips.ssim(brighter) < 1
    assert np.isnan(lips.psnr([])) and np.isnan(lips.ssim([]))


def test_late_sound_gives_a_positive_lag():
    gap = syllables(120)
    level = np.roll(gap, 4)  # the sound of frame t is heard at t + 4
    mel = np.repeat(level, 4)[: int(120 * 3.2) * 4][np.floor(np.arange(384) / 3.2).astype(int) * 4]
    curve = lips.sound_lag(opening(gap), np.repeat(mel[:, None], 80, axis=1))
    assert np.argmax(curve) - lips.MAX_LAG == 4


def test_spread_over_windows():
    real = opening(syllables(120))
    assert lips.correlation_spread(real, real) == pytest.approx(0, abs=1e-9)
    half_wrong = np.concatenate([real[:60], opening(syllables(120, seed=1))[60:]])
    assert lips.correlation_spread(half_wrong, real) > 0.2
    assert np.isnan(lips.correlation_spread(real[:30], real))
    assert window_spread(np.ones(60)) == 0
    assert window_spread(np.repeat([0.0, 1.0], 50)) > 0.3
    assert np.isnan(window_spread(np.ones(30)))


def test_motion_in_silence():
    real = opening(syllables())
    silent = np.zeros(100, bool)
    silent[50:] = True
    resting = np.where(silent, real.mean(), real)
    assert lips.silence_motion(resting, silent, real) == pytest.approx(0, abs=1e-9)
    chattering = np.where(silent, opening(syllables(seed=3)), real)
    assert lips.silence_motion(chattering, silent, real) > 0.5
    assert lips.silence_motion(0.5 * real, np.ones(100, bool), real) == pytest.approx(0.5)
    assert np.isnan(lips.silence_motion(real, np.arange(100) % 8 == 0, real))  # no pause is long enough
    assert np.isnan(lips.silence_motion(real, silent, np.zeros(100)))


def test_frames_without_speech():
    rng = np.random.default_rng(0)
    wav = 1e-4 * rng.normal(size=4 * 16000)
    wav[16000:32000] += 0.2 * rng.normal(size=16000) * (1 + np.sin(np.arange(16000) / 400))
    silent = lips.silent_frames(wav, 110)
    assert silent[:20].all() and not silent[25:50].any() and silent[60:].all() and len(silent) == 110
    assert lips.silent_frames(np.zeros(0), 3).all()


def test_sharpness_of_a_smear():
    rng = np.random.default_rng(0)
    real = rng.integers(0, 255, (40, 40, 3)).astype(np.uint8)
    smear = cv2.GaussianBlur(real, (0, 0), 2)
    assert lips.sharpness([(real, real)]) == pytest.approx(1)
    assert lips.sharpness([(smear, real)]) < 0.3
    assert lips.sharpness([(real, smear)]) > 3
    assert np.isnan(lips.sharpness([]))
