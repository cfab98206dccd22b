"""Find where somebody speaks, and prepare the sound that drives the lips.

Speech is what stands out of the steady background, band by band, for at least
a syllable; so its level does not matter, and noise, hum and clicks are
silence. Music and other voices are not told apart from the speaker.

The constants were chosen on GRID's word times, and on read speech with noise
added at 10 and 20 dB.
"""

import numpy as np

from silvertalk.media.mel import HOP_LENGTH, MELS_PER_SECOND, SAMPLING_RATE
from silvertalk.media.sound import resample

BANDS, FMIN, FMAX = 16, 150.0, 6000.0  # Hz; rumble and mains hum lie below, the ends of /s/ above
WINDOW = 0.032  # seconds
LEAST_POWER = 1e-10  # of a band: -100 dBFS; what is quieter is digital silence
NOISE_PERCENTILE, NOISE_SECONDS = 10, 20.0  # the background is what is quietest within this time
SMOOTHING = 5  # columns; over which the background's power is averaged before its minimum is looked for
BIAS = 0.6  # of that percentile to the mean, with room for a background that swells by a few dB
MOST_PER_BAND = 8.0  # nats
STANDS_OUT = 0.6  # mean log-likelihood ratio of a band, nats
BELOW_PEAK = 42.0  # dB under the loud parts: what is quieter is an echo or a breath
STEADY, UNREST, MOST_RESTLESS = 0.8, 2.7, 4  # seconds, dB, bands; what is steadier is noise, at any level
SHORTEST_SPEECH = 0.06  # seconds; shorter sounds are clicks
SHORTEST_SILENCE = 0.35  # seconds; shorter pauses belong to the words
BEFORE, AFTER = 0.1, 0.15  # seconds of hangover: soft beginnings and ends
COLUMNS_AT_ONCE, SAMPLES_AT_ONCE = 1024, 1 << 18

RAMP = 0.02  # seconds
# Seconds by which the gate is wider than the speech: a mouth opens before it is heard. With it the lip opening of
# generated GRID clips correlates 0.84 with the real one, as without any gate; without it 0.81.
OPENS_EARLIER, CLOSES_LATER = 0.15, 0.05
SHORTEST_CLOSED = 0.1  # seconds; lips do not close for less
QUIETEST, LOUDEST = -32.0, -18.0  # dBFS; active speech levels that the networks know
HIGHEST_PEAK = 0.89  # -1 dBFS; leaves room for what lies between the samples


def speech_mask(wav: np.ndarray, sampling_rate: int = 16000) -> np.ndarray:
    """Mark the mel columns in which somebody speaks.

    Each of 16 bands is compared with its own background, the 10th percentile
    of the 20 s around; a column is speech where the mean of the bands'
    log-likelihood ratios is high (Sohn et al., "A Statistical Model-Based
    Voice Activity Detection", IEEE SPL 1999, with the maximum-likelihood
    estimate; bands instead of single frequencies, each limited, and no hidden
    Markov model) and the level is not far below the loud parts. Sounds shorter
    than 0.06 s are dropped, pauses shorter than 0.35 s filled, and 0.1 s
    before and 0.15 s after are added.

    What keeps its level in every band for 0.8 s is no speech either: noise that
    begins in the middle of a recording. Noise that swells and falls is taken for
    speech until it is the quietest of its 20 s; so is music.

    Args:
        wav: float (T,); any level.
        sampling_rate: Hz.

    Returns:
        bool (N,), N the columns of ``wav2lip_mel``: 80 a second, the k-th is
        around second k / 80.
    """
    wav = np.asarray(wav, np.float32)
    power = _band_powers(wav, sampling_rate)
    if not (power > LEAST_POWER).any():
        return np.zeros(len(power), bool)
    stands_out = (_likelihood(power) > STANDS_OUT) & (_unrest(power) > UNREST)
    level = 10 * np.log10(power.sum(axis=1))
    if stands_out.any():
        stands_out &= level > np.percentile(level[stands_out], 95) - BELOW_PEAK
    return _tidy(stands_out)


def _band_powers(wav: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Power of every band around every column, at least ``LEAST_POWER``: float32 (N, 16)."""
    size = 2 * round(WINDOW * sampling_rate / 2)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    window *= np.sqrt(2 / (size * np.sum(window**2)))  # so that the bands add up to the mean square (Parseval)
    top = min(FMAX, sampling_rate / 2)
    edges = np.geomspace(FMIN, top, BANDS + 1) * size / sampling_rate
    edges = np.maximum(np.rint(edges).astype(int), np.arange(BANDS + 1) + round(edges[0]))
    num_columns = 1 + max(len(wav), sampling_rate // 20) * MELS_PER_SECOND // sampling_rate
    power = np.empty((num_columns, BANDS), np.float32)
    for first in range(0, num_columns, COLUMNS_AT_ONCE):
        columns = np.arange(first, min(first + COLUMNS_AT_ONCE, num_columns))
        frames = _frames(wav, np.rint(columns * sampling_rate / MELS_PER_SECOND).astype(int) - size // 2, size)
        spectrum = np.abs(np.fft.rfft(frames * window)) ** 2
        power[columns] = np.add.reduceat(spectrum, edges, axis=1)[:, :BANDS]
    return np.maximum(power, LEAST_POWER)


def _frames(wav: np.ndarray, starts: np.ndarray, size: int) -> np.ndarray:
    """Frames of a sound (T,), silent beyond its ends: (len(starts), size)."""
    first, last = starts[0], starts[-1] + size
    part = wav[max(first, 0) : max(last, 0)]
    part = np.pad(part, (max(-first, 0), max(last - len(wav), 0)))[: last - first]
    return np.lib.stride_tricks.sliding_window_view(part, size)[starts - first]


def _likelihood(power: np.ndarray) -> np.ndarray:
    """Mean log-likelihood ratio of speech against background: (N,)."""
    ratio = np.maximum(power / _background(power), 1)
    return np.minimum(ratio - 1 - np.log(ratio), MOST_PER_BAND).mean(axis=1)


def _unrest(power: np.ndarray) -> np.ndarray:
    """How much the level changes within the quietest 0.8 s that a column belongs to: dB (N,).

    The standard deviation over time, mean of the four bands in which it is
    largest: 1.8 to 2.2 in steady noise, 3.6 and more in 95 % of clean speech.
    """
    level = _smooth(10 * np.log10(power))
    length, count = round(STEADY * MELS_PER_SECOND), len(power)
    # Beyond its ends a sound is silent, so that a short one is not steady.
    level = np.pad(level, ((length + 1, length), (0, 0)), constant_values=10 * np.log10(LEAST_POWER))
    # Sums instead of windows: memory must not grow with their length. Begins, middles and ends of windows count.
    sums = [np.cumsum(x, axis=0) for x in (level, level**2)]
    spread = []
    for first in (0, length // 2, length):
        mean, square = ((s[first + length : first + length + count] - s[first : first + count]) / length for s in sums)
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        spread.append(np.sort(deviation, axis=1)[:, -MOST_RESTLESS:].mean(axis=1))
    return np.min(spread, axis=0)


def _smooth(bands: np.ndarray) -> np.ndarray:
    """Means over ``SMOOTHING`` columns: (N, 16)."""
    padded = np.pad(bands, ((SMOOTHING // 2, SMOOTHING // 2), (0, 0)), "edge")
    return np.lib.stride_tricks.sliding_window_view(padded, SMOOTHING, axis=0).mean(axis=-1)


def _background(power: np.ndarray) -> np.ndarray:
    """Power of the steady background in every band and column: (N, 16)."""
    smooth = _smooth(power)
    # Digital silence (inserted, or made by a noise gate) says nothing about the noise elsewhere.
    sounding = np.flatnonzero((power > LEAST_POWER).any(axis=1))
    smooth = smooth[sounding]
    columns, half = len(power), round(NOISE_SECONDS / 2 * MELS_PER_SECOND)
    centres = np.arange(0, columns + half // 4, half // 4)
    levels = []
    for centre in centres:
        middle = np.clip(np.searchsorted(sounding, centre), half, max(half, len(sounding) - half))
        levels.append(np.percentile(smooth[middle - half : middle + half], NOISE_PERCENTILE, axis=0) / BIAS)
    levels = np.maximum(levels, LEAST_POWER)
    every = np.arange(columns)
    return np.stack([np.interp(every, centres, band) for band in levels.T], axis=1)


def _tidy(speech: np.ndarray) -> np.ndarray:
    """Drop clicks, fill short pauses, add the hangover: bool (N,) of bool (N,)."""
    speech = speech.copy()
    for first, last in runs_of(speech):
        if last - first < SHORTEST_SPEECH * MELS_PER_SECOND:
            speech[first:last] = False
    return _widened(_filled(speech, SHORTEST_SILENCE), BEFORE, AFTER)


def _filled(speech: np.ndarray, shortest: float) -> np.ndarray:
    """Mark pauses shorter than some seconds: bool (N,) of bool (N,)."""
    filled, runs = speech.copy(), runs_of(speech)
    for (_, last), (first, _) in zip(runs, runs[1:], strict=False):
        if first - last < shortest * MELS_PER_SECOND:
            filled[last:first] = True
    return filled


def _widened(speech: np.ndarray, before: float, after: float) -> np.ndarray:
    """Mark some seconds before and after every run, too: bool (N,) of bool (N,)."""
    wide = speech.copy()
    for first, last in runs_of(speech):
        wide[max(first - round(before * MELS_PER_SECOND), 0) : last + round(after * MELS_PER_SECOND)] = True
    return wide


def runs_of(marked: np.ndarray) -> list[tuple[int, int]]:
    """First index and the one behind the last of every run of True."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def drive_sound(wav: np.ndarray, gate: bool = True, level: bool = True, out: np.ndarray | None = None) -> np.ndarray:
    """Prepare a sound to drive the lips; the one that is heard stays as it is.

    The mel's decibels are absolute, so the networks see a quiet recording as a
    nearly closed mouth: an active speech level outside -32 to -18 dBFS, where
    nearly all of the published networks' training material lies, is moved to
    the nearer end. Noise between the words moves the lips too: there, from 0.2 s
    after a word to 0.25 s before the next, the sound is digital silence, which
    is the floor (-4) of the mel.

    Args:
        wav: 16 kHz sound, float (T,).
        gate: Silence what is not speech.
        level: Move the level of the speech.
        out: Where the gated sound is written, float32 (T,); ``wav`` itself saves a copy, 230 MB an hour.

    Returns:
        float32 (T,); peaks may exceed 1 after a whisper was raised.
    """
    wav = np.asarray(wav, np.float32)
    if not (gate or level):
        return wav
    mask = speech_mask(wav)
    gain = np.float32(_level_gain(wav, mask) if level else 1)
    if not gate:
        return wav * gain
    driving = np.empty_like(wav) if out is None else out
    places, gains = _gate(_filled(_widened(mask, OPENS_EARLIER, CLOSES_LATER), SHORTEST_CLOSED))
    if not len(places):
        driving[:] = 0
        return driving
    for first in range(0, len(wav), SAMPLES_AT_ONCE):
        block = slice(first, min(first + SAMPLES_AT_ONCE, len(wav)))
        driving[block] = wav[block] * (gain * np.interp(np.arange(block.start, block.stop), places, gains))
    return driving


def _gate(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (sample, gain in [0, 1]) of a gate that is open in marked columns and fades outside of them."""
    # A column stands for the samples around it; the pauses that are left are longer than two ramps.
    runs = np.array(runs_of(mask)).reshape(-1, 2) * HOP_LENGTH - HOP_LENGTH // 2
    ramp = round(RAMP * SAMPLING_RATE)
    places = np.stack([runs[:, 0] - ramp, runs[:, 0], runs[:, 1], runs[:, 1] + ramp], axis=1)
    return places.ravel(), np.tile([0.0, 1.0, 1.0, 0.0], len(runs))


def _level_gain(wav: np.ndarray, mask: np.ndarray) -> float:
    """Factor that moves the level of the speech into the range that the networks know."""
    decibel = speech_level(wav, mask)
    return 1.0 if decibel is None else _factor(np.clip(decibel, QUIETEST, LOUDEST) - decibel)


def _factor(decibel: float) -> float:
    return float(10 ** (decibel / 20))


def speech_level(wav: np.ndarray, mask: np.ndarray) -> float | None:
    """Measure the level of speech without its pauses.

    Args:
        wav: 16 kHz sound, float (T,).
        mask: bool (N,) of ``speech_mask``.

    Returns:
        Root mean square, dB; 0 dB is the largest that there is. None without any speech.
    """
    energy, number = 0.0, 0
    for first, last in runs_of(mask):
        part = wav[max(first * HOP_LENGTH - HOP_LENGTH // 2, 0) : last * HOP_LENGTH - HOP_LENGTH // 2]
        energy, number = energy + float(np.dot(part, part)), number + len(part)
    return 10 * np.log10(energy / number) if energy else None


def level_speech(wav: np.ndarray, sampling_rate: int, level: float) -> np.ndarray:
    """Bring speech to a level, as far as it is not cut off by that.

    Args:
        wav: float (T,) in [-1, 1].
        sampling_rate: Hz.
        level: Wanted root mean square of the speech without its pauses, dB.

    Returns:
        (T,), with no sample beyond ``HIGHEST_PEAK``; as it was where nobody speaks.
    """
    heard = resample(np.asarray(wav, np.float32), sampling_rate, SAMPLING_RATE)
    measured = speech_level(heard, speech_mask(heard))
    if measured is None:
        return wav
    return wav * np.float32(min(_factor(level - measured), HIGHEST_PEAK / np.abs(wav).max()))
