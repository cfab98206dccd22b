from pathlib import Path

import numpy as np
import pytest

from silvertalk.media import mel as mel_module
from silvertalk.media import wav2lip_mel
from silvertalk.media.mel import _mel_basis

GOLDEN = np.load(Path(__file__).parents[1] / "goldens/wav2lip/audio.npz")


def test_equals_the_published_front_end():
    np.testing.assert_allclose(wav2lip_mel(GOLDEN["chirp_wav"]), GOLDEN["mel_chirp"], atol=1e-4)
    np.testing.assert_allclose(_mel_basis(), GOLDEN["mel_basis"], atol=1e-6)


def test_silence_is_the_lowest_value():
    silence = wav2lip_mel(np.zeros(32000))
    np.testing.assert_array_equal(silence, GOLDEN["mel_silence"])
    assert silence.max() == -4


def test_equals_its_formula():
    """The same by numpy alone: pre-emphasis, reflected edges, Hann window of 800 every 200 samples."""
    wav = np.random.default_rng(0).uniform(-0.5, 0.5, 4000)
    emphasised = np.pad(np.append(wav[0], wav[1:] - 0.97 * wav[:-1]), 400, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 800)
    frames = np.stack([emphasised[i : i + 800] * window for i in range(0, len(emphasised) - 799, 200)], axis=1)
    level = 20 * np.log10(np.maximum(1e-5, GOLDEN["mel_basis"] @ np.abs(np.fft.rfft(frames, axis=0)))) - 20
    np.testing.assert_allclose(wav2lip_mel(wav), np.clip(8 * (level + 100) / 100 - 4, -4, 4), atol=1e-4)


@pytest.mark.parametrize("num_samples", [16000, 15999, 801, 800, 300, 1, 0])
def test_shape_and_range(num_samples):
    mel = wav2lip_mel(np.random.default_rng(0).uniform(-1, 1, num_samples))
    assert mel.shape == (80, 1 + max(num_samples, 800) // 200) and mel.dtype == np.float32
    assert mel.min() >= -4 and mel.max() <= 4


@pytest.mark.parametrize("num_samples", [200 * 1000, 200 * 1000 + 199, 200 * 960 + 1])
@pytest.mark.parametrize("columns", [3, 64])
def test_blocks_equal_one_piece(num_samples, columns, monkeypatch):
    """Also when the last block is shorter than the reflection."""
    wav = np.random.default_rng(0).uniform(-0.5, 0.5, num_samples).astype(np.float32)
    whole = wav2lip_mel(wav)
    monkeypatch.setattr(mel_module, "COLUMNS_AT_ONCE", columns)
    np.testing.assert_allclose(wav2lip_mel(wav), whole, atol=1e-5)
