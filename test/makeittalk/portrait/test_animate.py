"""Sound moves landmarks as the published system has it, and without losing a frame."""

import numpy as np
import pytest
import torch

from silvertalk.makeittalk.geometry import blink, smooth
from silvertalk.makeittalk.networks import ContentBranch, SpeakerBranch
from silvertalk.makeittalk.options import AnimationOptions
from silvertalk.makeittalk.portrait.animate import AudioToLandmarks, finish


@pytest.fixture(scope="module")
def published(filled):
    """Both published networks with the golden weights."""
    return AudioToLandmarks(filled("content"), filled("speaker_pos"))


@pytest.fixture(scope="module")
def small():
    """Small networks."""
    torch.manual_seed(0)
    return AudioToLandmarks(ContentBranch(hidden_size=4), SpeakerBranch(hidden_size=4, d_model=8, ff_size=8, layers=1))


@pytest.fixture(scope="module")
def person(golden):
    """Embedding and face at rest."""
    data = golden("audio2landmark_pipeline")
    return data["emb"], data["face"]


def sound(frames, seed=0):
    """Normalised mel that wanders."""
    walk = np.cumsum(np.random.default_rng(seed).standard_normal((frames, 80)), 0)
    return ((walk - walk.mean(0)) / (walk.std(0) + 1e-6)).astype(np.float32)


def test_landmarks_are_the_published_ones(published, person, golden, constants):
    data = golden("audio2landmark_pipeline")
    au = (data["au"] - constants["au_mean"]) / constants["au_std"]
    result = published(au, *person, AnimationOptions(2, 2, 0.5, published=True))
    np.testing.assert_allclose(result, data["fls"], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("case", "frames", "amplify", "rows"),
    [("b", 539, (1.5, 3, 1), [0, 250, 511]), ("c", 545, (2, 2, 0.5), [0, 511, 512, 526])],
)
def test_pieces_are_the_published_ones(case, frames, amplify, rows, published, person, golden, inputs):
    data = golden("audio2landmark_pipeline")
    au = inputs.seeded_au(frames, int(data[f"{case}_au_seed"]), 0, 1)  # as it is after normalisation
    result = published(au, *person, AnimationOptions(*amplify, published=True))
    assert result.shape == tuple(data[f"{case}_shape"])
    np.testing.assert_allclose(result[rows], data[f"{case}_rows"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("frames", [1, 2, 9, 17, 18, 46, 512, 513, 529, 1000])
def test_no_frame_is_lost(frames, small, person):
    result = small(sound(frames), *person)
    assert result.shape == (frames, 204) and result.dtype == np.float32 and np.isfinite(result).all()
    finished = np.concatenate(list(finish([result], AnimationOptions())))
    assert finished.shape == (frames, 68, 3)


def test_first_piece_is_the_published_one(small, person):
    au = sound(200)
    ours, theirs = small(au, *person), small(au[:200], *person, AnimationOptions(published=True))
    assert len(theirs) == 182
    # Calibration looks at the whole piece, the filters at their ends; else nothing differs.
    assert np.abs((ours - ours.mean(0))[20:150] - (theirs - theirs.mean(0))[20:150]).max() < 0.05


def test_blocks_are_what_the_whole_is(small, person):
    au = sound(1200)
    blocks = list(small.stream(au, *person))
    assert len(blocks) >= 3 and max(map(len, blocks)) <= 512
    whole = small(au, *person)
    assert np.array_equal(np.concatenate(blocks), whole)
    # The last filter knows no pieces: it is that of the whole, wherever it was cut.
    for size in (3, 50, 1200):
        cut = [whole[k : k + size] for k in range(0, 1200, size)]
        finished = np.concatenate(list(finish(cut, AnimationOptions(seed=3))))
        np.testing.assert_allclose(finished, smooth(blink(whole.reshape(-1, 68, 3), 3)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("size", [7, 400, 1199, 1200])
def test_sound_in_blocks_is_the_whole_sound(size, published, small, person):
    au, options, taken = sound(1200), AnimationOptions(published=published), []
    blocks = (taken.append(k) or au[k : k + size] for k in range(0, 1200, size))
    stream = small.stream(blocks, *person, options, num_frames=1200)
    first = next(stream)
    assert len(taken) * size < 1050 + size  # two pieces, the second for what the first passes into
    assert np.array_equal(np.concatenate([first, *stream]), small(au, *person, options))


def test_pieces_pass_into_each_other(small, person):
    au = sound(1200, seed=1)
    ours, theirs = small(au, *person), small(au, *person, AnimationOptions(published=True))
    jumps = [np.abs(np.diff(x, axis=0)).mean(1).max() for x in (ours, theirs)]
    assert jumps[0] < 0.5 * jumps[1]


def test_options_do_what_they_say(small, person):
    au, options = sound(60), AnimationOptions
    still = small(au, *person, options(0, 0, 0)).reshape(-1, 68, 3)
    assert np.ptp(still[:, 48:, :2], axis=0).max() < 1e-5 < np.ptp(still[:, :48], axis=0).max()
    narrow, wide = (small(au, *person, options(1, amp, 0)).reshape(-1, 68, 3) for amp in (1, 2))
    assert np.ptp(wide[:, 57, 1]) > 1.5 * np.ptp(narrow[:, 57, 1])
    assert np.array_equal(narrow[:, :48], wide[:, :48])
    alone = AudioToLandmarks(small.content, None)
    assert np.array_equal(alone(au, *person), small(au, *person, options(amp_pos=0)))
    assert not np.array_equal(alone(au, *person), small(au, *person))
    closed = np.concatenate(list(finish([still], options(blink=False))))
    assert np.array_equal(closed, smooth(still))


def test_lips_rest_where_nobody_speaks(small, person):
    au, speaking = sound(60), np.repeat([1.0, 0.0], 30)
    options = AnimationOptions(amp_pos=0)
    moved = np.concatenate(list(small.stream(au, *person, options, speaking)))
    rest = np.concatenate(list(small.stream(au, *person, options, np.zeros(60))))
    np.testing.assert_allclose(moved[32:], rest[32:], rtol=0, atol=1e-6)
    assert np.ptp(rest, axis=0).max() < 1e-6 < np.ptp(moved[:28], axis=0).max()


def test_another_voice_moves_otherwise(small, person):
    au, (embedding, face) = sound(60), person
    assert np.abs(small(au, embedding, face) - small(au, np.roll(embedding, 9), face)).max() > 1e-4


def test_what_cannot_be_is_refused(small, person, tmp_path):
    with pytest.raises(ValueError, match=r"au has shape \(5, 79\), not \('frames', 80\)"):
        small(np.zeros((5, 79)), *person)
    with pytest.raises(ValueError, match="au has shape"):
        small(np.zeros((0, 80)), *person)
    with pytest.raises(ValueError, match="au holds something that is no number"):
        small(np.full((5, 80), np.nan), *person)
    with pytest.raises(ValueError, match="au has 20 frames, not the 21 that were said"):
        list(small.stream(iter([sound(20)]), *person, num_frames=21))
    with pytest.raises(ValueError, match="27 frames is too short for the published way; give 28"):
        small(sound(27), *person, AnimationOptions(published=True))
    with pytest.raises(ValueError, match="amp_lip_y is nan"):
        AnimationOptions(amp_lip_y=float("nan"))
    with pytest.raises(ValueError, match="seed is -1"):
        AnimationOptions(seed=-1)
    with pytest.raises(FileNotFoundError):
        AudioToLandmarks(tmp_path / "nothing.pth", None)
