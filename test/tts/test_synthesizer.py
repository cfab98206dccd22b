"""Text to sound with a tiny voice of random weights."""

import numpy as np
import pytest

from silvertalk.tts import Synthesizer, UnknownCharacterError


@pytest.fixture(scope="module")
def synthesizer(tiny_voice):
    return Synthesizer.from_exp(tiny_voice)


def test_sound_has_the_length_of_its_durations(synthesizer):
    text = "lie low at noon"
    wav, sampling_rate = synthesizer(text)
    assert wav.dtype == np.float32 and wav.ndim == 1 and sampling_rate == 16000
    assert np.abs(wav).max() <= 1.0
    # e^2 - 1 rounds to 6 frames of 256 samples for each character.
    assert len(wav) == len(text) * 6 * 256


def test_letter_case_and_spaces_do_not_matter_and_speech_repeats(synthesizer):
    first, _ = synthesizer("at noon")
    second, _ = synthesizer("  At   NOON ")
    np.testing.assert_array_equal(first, second)


def test_unknown_character_is_named(synthesizer):
    with pytest.raises(UnknownCharacterError, match=r"'2' \(U\+0032\) at place 4.*it knows: a b d"):
        synthesizer("at 2")


@pytest.mark.parametrize("text", ["", " \n"])
def test_empty_text_is_an_error(synthesizer, text):
    with pytest.raises(ValueError, match="empty"):
        synthesizer(text)


def test_a_folder_without_a_voice_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="config.yaml"):
        Synthesizer.from_exp(tmp_path)
