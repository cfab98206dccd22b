import numpy as np
import pytest

from silvertalk.media import read_audio, wav2lip_mel
from silvertalk.media.mel import COLUMNS_AT_ONCE
from silvertalk.media.speech import HIGHEST_PEAK, _level_gain, drive_sound, level_speech, speech_level, speech_mask

RATE = 16000
SPOKEN = [(1.0, 2.2), (3.0, 4.0), (4.6, 6.0)]  # seconds
SECONDS = 7.0


def decibels(wav):
    return 10 * np.log10(np.mean(np.square(wav, dtype=np.float64)))


def syllables(level, spoken=SPOKEN, seconds=SECONDS, rate=RATE):
    """Vowels of a gliding voice, five a second, with pauses between the spoken spans; their level in dBFS."""
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * t)) / rate
    voice = np.zeros(len(t))
    for k in range(1, 26):
        formants = sum(np.exp(-(((120 * k - f) / 150) ** 2)) for f in (500, 1500, 2500))
        voice += (formants + 0.05) * np.sin(k * phase)
    inside = np.any([(t >= a) & (t < b) for a, b in spoken], axis=0)
    voice *= inside * (0.55 - 0.45 * np.cos(2 * np.pi * 5 * t))
    return (voice * 10 ** ((level - decibels(voice[inside])) / 20)).astype(np.float32), inside


def noise(level, seconds=SECONDS, seed=0):
    return (10 ** (level / 20) * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def marked(mask, first, last):
    return mask[round(first * 80) : round(last * 80)].mean()


def check(mask):
    """The spoken spans are found whole, the pauses (0.6 s and longer) but for the hangover."""
    for first, last in SPOKEN:
        assert marked(mask, first, last) >= 0.97
    for first, last in [(0, 0.8), (2.5, 2.8), (4.25, 4.4), (6.3, 7)]:
        assert marked(mask, first, last) == 0


@pytest.mark.parametrize("level", [-70, -50, -30, -10, 10])
@pytest.mark.parametrize("snr", [None, 20, 10])
def test_speech_is_found_at_any_level(level, snr):
    wav, _ = syllables(level)
    check(speech_mask(wav if snr is None else wav + noise(level - snr)))


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_at_other_rates(rate):
    mask = speech_mask(syllables(-25, rate=rate)[0], rate)
    assert len(mask) == 561
    check(mask)


def hum(level):
    t = np.arange(round(SECONDS * RATE)) / RATE
    wav = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in range(1, 30))
    return (wav * 10 ** ((level - decibels(wav)) / 20)).astype(np.float32)


def clicks(period, length):
    """Bursts that fade, ``length`` seconds long."""
    wav, size = np.zeros(round(SECONDS * RATE), np.float32), round(length * RATE)
    for first in range(4000, len(wav) - size, round(period * RATE)):
        wav[first : first + size] = np.random.default_rng(first).uniform(-0.9, 0.9, size) * np.linspace(1, 0, size)
    return wav


def swelling():
    t = np.arange(round(SECONDS * RATE)) / RATE
    return noise(-30) * (1 + 0.15 * np.sin(2 * np.pi * 0.3 * t)).astype(np.float32)


def interrupted():
    """Noise that digital silence (a gap of the recording) replaces for a while."""
    wav = noise(-30)
    wav[: 2 * RATE] = 0
    return wav


SILENCE = {
    "digital": np.zeros(round(SECONDS * RATE)),
    "quiet noise": noise(-80),
    "noise": noise(-40),
    "loud noise": noise(-10),
    "swelling noise": swelling(),
    "interrupted noise": interrupted(),
    "hum": hum(-20),
    "hum and noise": hum(-30) + noise(-40),
    "one sample": clicks(0.5, 1 / RATE),
    "clicks": clicks(0.4, 0.02),
    "clicks in noise": clicks(0.4, 0.02) + noise(-50),
    "least bit": np.rint(noise(-96) * 32768) / 32768,
}


@pytest.mark.parametrize("name", SILENCE)
def test_what_is_no_speech_is_silence(name):
    assert not speech_mask(SILENCE[name]).any()
    assert not drive_sound(SILENCE[name]).any()


def test_hum_under_speech():
    check(speech_mask(syllables(-30)[0] + hum(-35)))


@pytest.mark.parametrize("pause, is_silence", [(0.1, False), (0.2, False), (0.5, True), (1.0, True)])
def test_only_long_pauses_are_silence(pause, is_silence):
    wav, _ = syllables(-25, [(1, 2), (2 + pause, 3 + pause)], 5)
    mask = speech_mask(wav + noise(-65, 5))
    assert (marked(mask, 2, 2 + pause) < 1) == is_silence


@pytest.mark.parametrize("num_samples", [0, 1, 300, 799, 800, 801, 15999, 16000, 200 * COLUMNS_AT_ONCE + 7])
def test_lengths(num_samples):
    wav = noise(-20, num_samples / RATE)
    assert len(wav) == num_samples
    assert speech_mask(wav).shape == wav2lip_mel(wav).shape[1:]
    for gate, level in [(True, True), (True, False), (False, True), (False, False)]:
        driving = drive_sound(wav, gate, level)
        assert driving.shape == wav.shape and driving.dtype == np.float32


def test_long_sound_is_treated_as_short():
    """Blocks leave no trace: the same speech again and again is marked alike everywhere."""
    wav = syllables(-25)[0] + noise(-50)
    mask = speech_mask(np.tile(wav, 20))
    for k in range(20):
        check(mask[560 * k : 560 * (k + 1)])


def test_a_background_that_changes_is_followed():
    wav = np.concatenate([noise(-60, 40), noise(-30, 40, seed=1)])
    spoken = syllables(-20)[0]
    for first in (0, 33, 70):
        wav[first * RATE :][: len(spoken)] += spoken[: len(wav) - first * RATE]
    mask = speech_mask(wav)
    assert marked(mask, 1, 2.2) > 0.95 and marked(mask, 71, 72.2) > 0.95
    assert marked(mask, 10, 30) == 0 and marked(mask, 50, 69) == 0


@pytest.mark.parametrize("level, expected", [(-60, -32), (-40, -32), (-31, -31), (-25, -25), (-19, -19), (-6, -18)])
def test_level_of_the_speech_is_moved_into_the_known_range(level, expected):
    wav, inside = syllables(level)
    driving = drive_sound(wav, gate=False)
    # The mask holds the hangover too, so its level is a little below the speech's.
    assert abs(decibels(driving[inside]) - expected) < 1.5
    assert abs(np.corrcoef(wav, driving)[0, 1] - 1) < 1e-5
    np.testing.assert_array_equal(drive_sound(wav, gate=False, level=False), wav)


def test_lips_close_in_pauses_and_speech_is_untouched():
    wav, inside = syllables(-25)
    wav = wav + noise(-50)
    driving = drive_sound(wav, level=False)
    np.testing.assert_array_equal(driving[inside], wav[inside])
    mel = wav2lip_mel(driving)
    for first, last in [(0, 0.68), (2.55, 2.65), (6.35, 7)]:
        assert mel[:, round(first * 80) : round(last * 80)].max() == -4
    assert wav2lip_mel(wav)[:, 10:60].max() > -3  # the noise that would have moved them
    gain = np.abs(driving[np.abs(wav) > 1e-3] / wav[np.abs(wav) > 1e-3])
    assert gain.max() <= 1 and 0.05 < np.mean((gain > 0) & (gain < 1)) * SECONDS < 8 * 0.02


def test_input_is_not_changed():
    wav = syllables(-45)[0] + noise(-70)
    before = wav.copy()
    drive_sound(wav)
    np.testing.assert_array_equal(wav, before)


def grid(media, number=40):
    """(wav, words) of GRID sentences; words are (first second, last second, word)."""
    for path in sorted((media / "grid/s1").glob("*.mpg"))[:number]:
        lines = (media / "grid/alignments/s1" / f"{path.stem}.align").read_text().splitlines()
        words = [(int(a) / 25000, int(b) / 25000, word) for a, b, word in map(str.split, lines)]
        yield read_audio(path, RATE)[0], words


@pytest.mark.parametrize("level, snr", [(0, None), (-30, None), (0, 20), (0, 10)])
def test_words_of_real_speech(media, level, snr):
    random = np.random.default_rng(0)
    words, silence = [], []
    for wav, spans in grid(media):
        wav = wav * np.float32(10 ** (level / 20))
        if snr is not None:
            wav = wav + np.std(wav) * 10 ** (-snr / 20) * random.standard_normal(len(wav)).astype(np.float32)
        mask = speech_mask(wav)
        for first, last, word in spans:
            if word not in ("sil", "sp"):
                words.append(marked(mask, first, last))
            elif last - first >= 0.5:
                silence.append(1 - marked(mask, first, last))
    assert np.mean(words) >= 0.95 and np.mean(silence) >= 0.7


def test_read_speech_is_speech_and_its_level_is_left(media):
    for folder in ("en_ljspeech", "en_kathleen", "zh_baker", "ko_lmy"):
        for path in sorted((media / "speech" / folder).rglob("*.flac"))[::40]:
            wav, _ = read_audio(path, RATE)
            mask = speech_mask(wav)
            assert mask.mean() > 0.6
            assert 0.75 < _level_gain(wav, mask) < 1.34


@pytest.mark.parametrize("level", [-60, -50, -35])
def test_noise_that_begins_later_is_no_speech(level):
    wav = syllables(-25)[0]
    begun = np.concatenate([wav, noise(level)[: 3 * RATE], wav])
    mask = speech_mask(begun)
    assert mask[: len(wav) // 200].mean() > 0.3
    inside = slice((len(wav) + RATE // 2) // 200, (len(wav) + 5 * RATE // 2) // 200)
    assert mask[inside].mean() < 0.15


@pytest.mark.parametrize("rate", [16000, 22050])
def test_speech_is_brought_to_a_level(rate):
    """The same at every level and rate; pauses do not count, and nothing is cut off."""
    for level in (-50, -20):
        wav, inside = syllables(level, rate=rate)
        assert decibels(level_speech(wav, rate, -26)[inside]) == pytest.approx(-26, abs=1)
    loud = level_speech(wav, rate, -3)
    assert np.abs(loud).max() == pytest.approx(HIGHEST_PEAK, abs=1e-4)
    assert np.corrcoef(loud, wav)[0, 1] == pytest.approx(1, abs=1e-6)


def test_silence_has_no_level():
    silence = np.zeros(RATE, np.float32)
    assert speech_level(silence, speech_mask(silence)) is None
    assert not level_speech(silence, RATE, -23).any()
