"""Frames and mel columns pair as published."""

from fractions import Fraction

import numpy as np
import pytest

from silvertalk.syncnet.windows import mel_start, padded_columns
from silvertalk.wav2lip import mel_chunk_starts

RATES = {
    "25": 25,
    "29.97": 29.97,
    "30000_1001": 30000 / 1001,
    "30": 30,
    "24": 24,
    "24000_1001": 24000 / 1001,
    "50": 50,
    "60": 60,
}


@pytest.mark.parametrize("name", RATES)
def test_inference_windows(name, goldens):
    golden = np.load(goldens / "audio.npz")[f"chunk_start_{name}"]
    assert mel_chunk_starts(161, RATES[name]) == golden.tolist()


def test_training_crops(goldens):
    golden = np.load(goldens / "audio.npz")
    starts = [mel_start(frame) for frame in range(1000)]
    assert starts == golden["crop_start_train"].tolist() == golden["crop_start_syncnet"].tolist()
    # The published generator sees the window of the frame before; ours that of the frame itself.
    published = [[mel_start(first - 1 + k) for k in range(5)] for first in range(1, 1000)]
    assert published == golden["segmented_start_train"][1:].tolist()


def test_evaluation_windows_have_no_tail(goldens):
    assert mel_chunk_starts(161, 25)[:-1] == np.load(goldens / "audio.npz")["chunk_start_eval_25"].tolist()


def test_too_little_sound_is_refused():
    with pytest.raises(ValueError, match="15 mel columns"):
        mel_chunk_starts(15, 25)


@pytest.mark.parametrize("fps", [24, 25, 30, 50, float(Fraction(30000, 1001))])
def test_padding_gives_every_frame_its_own_window(fps):
    for frames in (1, 2, 50, 333):
        columns = padded_columns(frames, fps)
        assert mel_start(frames - 1, fps) + 16 <= columns <= mel_start(frames - 1, fps) + 17
