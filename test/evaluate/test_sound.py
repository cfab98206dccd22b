import numpy as np
import pytest

from silvertalk.evaluate.sound import click_level, measure_sound

RATE = 16000


def voice(seconds=1.0):
    """Damped resonances struck 120 times a second, with noise, float (T,), peak 0.5."""
    rng = np.random.default_rng(0)
    pulses = np.zeros(int(seconds * RATE))
    pulses[:: RATE // 120] = 1
    t = np.arange(400) / RATE
    ring = np.exp(-250 * t) * np.sin(2 * np.pi * 700 * t) + 0.3 * np.exp(-400 * t) * np.sin(2 * np.pi * 2500 * t)
    wav = np.convolve(pulses, ring)[: len(pulses)] + 1e-3 * rng.standard_normal(len(pulses))
    return 0.5 * wav / np.abs(wav).max()


def test_one_wrong_sample_is_a_click():
    wav = np.concatenate([voice(), np.zeros(RATE // 2), voice()])
    clean = click_level(wav, RATE)
    for place in (5000, 20000):  # in the voice, in the pause
        clicking = wav.copy()
        clicking[place] += 0.3
        assert click_level(clicking, RATE) > clean + 8
    quieter = wav.copy()
    quieter[20000] += 0.01
    assert click_level(quieter, RATE) > clean + 8  # heard, since nothing else is


def test_a_plosive_is_no_click():
    wav = voice()
    burst = np.zeros(RATE // 2)
    burst[4000:5600] = 0.1 * np.random.default_rng(1).standard_normal(1600) * np.linspace(1, 0, 1600)
    assert click_level(np.concatenate([wav, burst, wav]), RATE) < click_level(wav, RATE) + 6


def test_measures_of_an_utterance():
    wav = np.pad(voice(), RATE)
    found = measure_sound(wav, RATE)
    assert found["clipped"] == 0 and found["silence"] > 40
    softer = measure_sound(0.1 * wav, RATE)
    assert softer["level"] == pytest.approx(found["level"] - 20, abs=0.1) and softer["click"] == pytest.approx(
        found["click"]
    )
    assert measure_sound(np.clip(4 * wav, -1, 1), RATE)["clipped"] > 0.1
    nothing = measure_sound(np.zeros(RATE), RATE)
    assert nothing["silence"] == 100 and np.isnan(nothing["level"]) and np.isnan(nothing["click"])
    assert np.isnan(measure_sound(np.zeros(0), RATE)["level"])
