"""Loudness and its levelling."""

import numpy as np
import pytest

from silvertalk.media.loudness import Leveller, loudness, soften_peaks

RATE = 24000


def tone(seconds, amplitude=0.1, pitch=997):
    return (amplitude * np.sin(2 * np.pi * pitch * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def test_a_tone_is_as_loud_as_the_standard_says():
    # BS.1770: 997 Hz at full scale in one channel is -3.01 LKFS.
    assert loudness(tone(2, 1.0), RATE) == pytest.approx(-3.01, abs=0.1)
    assert loudness(tone(2, 0.1), RATE) == pytest.approx(-23.01, abs=0.1)
    assert loudness(tone(0.1, 0.1), RATE) == pytest.approx(-23.0, abs=0.3)
    paused = np.concatenate([tone(2), np.zeros(4 * RATE, np.float32)])
    assert loudness(paused, RATE) == pytest.approx(-23.0, abs=0.6)  # the gate leaves the pause out
    assert loudness(np.zeros(RATE), RATE) == loudness(1e-6 * tone(1), RATE) == -np.inf


def test_sentences_are_brought_to_a_loudness_without_looking_ahead():
    level = Leveller(-23.0, RATE)
    pieces = np.array_split(tone(6, 0.01), 12)
    consumed = []
    out = level(consumed.append(0) or piece for piece in pieces)
    first = next(out)
    assert len(consumed) == 3 and len(first) == 1.5 * RATE  # 1.5 s are heard before the first is let through
    wav = np.concatenate([first, *out])
    assert len(wav) == 6 * RATE and loudness(wav, RATE) == pytest.approx(-23, abs=0.1)
    np.testing.assert_allclose(wav, tone(6, 0.01) * (wav[100] / tone(6, 0.01)[100]), atol=1e-6)  # one gain
    assert len(next(level([tone(0.5, 0.01)]))) == RATE // 2  # the next sentence waits for nothing


def test_a_louder_voice_is_turned_down_for_the_next_sentence():
    level = Leveller(-23.0, RATE)
    for _ in range(3):
        heard = loudness(np.concatenate(list(level([tone(4, 0.5)]))), RATE)
    assert heard == pytest.approx(-23, abs=0.1)


def test_silence_stays_silent_and_does_not_set_the_level():
    level = Leveller(-23.0, RATE)
    assert not np.concatenate(list(level([np.zeros(RATE, np.float32)]))).any()
    assert loudness(np.concatenate(list(level([tone(3, 0.01)]))), RATE) == pytest.approx(-23, abs=0.1)


def test_peaks_bend_and_nothing_clips():
    wav = np.linspace(-4, 4, 1001).astype(np.float32)
    soft = soften_peaks(wav)
    assert np.abs(soft).max() <= 10 ** (-1 / 20) and (np.diff(soft) >= 0).all()
    np.testing.assert_array_equal(soft[np.abs(wav) < 0.7], wav[np.abs(wav) < 0.7])
