"""The mel spectrogram of Wav2Lip and its SyncNet expert.

Constants of the published system (Prajwal et al., "A Lip Sync Expert Is All
You Need", ACM MM 2020): 16 kHz, 80 mel columns a second, pre-emphasis, Hann
window of 50 ms, Slaney mel filters, decibels mapped to [-4, 4].
"""

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SAMPLING_RATE = 16000  # Hz
N_FFT = WIN_LENGTH = 800  # samples, 50 ms
HOP_LENGTH = 200  # samples, 12.5 ms: 80 columns a second
N_MELS = 80
FMIN, FMAX = 55, 7600  # Hz
PREEMPHASIS = 0.97
MIN_LEVEL_DB, REF_LEVEL_DB = -100, 20
MAX_ABS_VALUE = 4.0
MELS_PER_SECOND = SAMPLING_RATE // HOP_LENGTH
COLUMNS_AT_ONCE = 4096  # 51 s: some 40 MB of temporaries


# Slaney's mel scale ("Auditory Toolbox", 1998): even steps up to 1 kHz, then even steps of the logarithm.
BREAK_HZ, HZ_PER_MEL, MELS_PER_FACTOR = 1000.0, 200 / 3, 27 / np.log(6.4)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    break_mel = BREAK_HZ / HZ_PER_MEL
    above = BREAK_HZ * np.exp((mel - break_mel) / MELS_PER_FACTOR)
    return np.where(mel < break_mel, HZ_PER_MEL * mel, above)


def _hz_to_mel(hz: float) -> float:
    return hz / HZ_PER_MEL if hz < BREAK_HZ else BREAK_HZ / HZ_PER_MEL + MELS_PER_FACTOR * np.log(hz / BREAK_HZ)


@functools.cache
def mel_filters(n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Slaney mel filters for sound at 16 kHz, float32 (n_mels, n_fft // 2 + 1): triangles of equal area.

    librosa's are the same; importing it costs every process two seconds and 200 MB.

    Args:
        n_fft: Samples of a window.
        n_mels: Bands.
        fmin: Where the lowest begins (Hz).
        fmax: Where the highest ends (Hz).
    """
    edges = _mel_to_hz(np.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax), n_mels + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = np.fft.rfftfreq(n_fft, 1 / SAMPLING_RATE)
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


def _mel_basis() -> np.ndarray:
    """Wav2Lip's filters, float32 (80, 401)."""
    return mel_filters(N_FFT, N_MELS, FMIN, FMAX)


@functools.cache
def _window() -> np.ndarray:
    """Periodic Hann window, float32 (800,)."""
    return np.hanning(WIN_LENGTH + 1)[:-1].astype(np.float32)


def wav2lip_mel(wav: np.ndarray) -> np.ndarray:
    """Compute the normalised log-mel spectrogram the published networks expect.

    Blocks of columns are computed one after another, so that nothing but the
    sound and the result grows with the length.

    Args:
        wav: 16 kHz sound, float (T,) in [-1, 1], T > 400 (shorter sound is
            padded with silence).

    Returns:
        float32 (80, 1 + T // 200) in [-4, 4].
    """
    wav = np.asarray(wav, np.float32)
    if len(wav) < N_FFT:
        wav = np.pad(wav, (0, N_FFT - len(wav)))
    mel = np.empty((N_MELS, 1 + len(wav) // HOP_LENGTH), np.float32)
    for first in range(0, mel.shape[1], COLUMNS_AT_ONCE):
        last = min(first + COLUMNS_AT_ONCE, mel.shape[1])
        mel[:, first:last] = _columns(wav, first, last)
    return mel


def _columns(wav: np.ndarray, first: int, last: int) -> np.ndarray:
    """Mel columns [first, last) of a sound (T,), T >= 800: float (80, last - first)."""
    half = N_FFT // 2
    part = _emphasised(wav, first * HOP_LENGTH - half, (last - 1) * HOP_LENGTH + half)
    spectrum = np.fft.rfft(sliding_window_view(part, N_FFT)[::HOP_LENGTH] * _window())
    amplitude = np.maximum(10 ** (MIN_LEVEL_DB / 20), _mel_basis() @ np.abs(spectrum).T)
    decibel = 20 * np.log10(amplitude) - REF_LEVEL_DB
    scaled = 2 * MAX_ABS_VALUE * (decibel - MIN_LEVEL_DB) / -MIN_LEVEL_DB - MAX_ABS_VALUE
    return np.clip(scaled, -MAX_ABS_VALUE, MAX_ABS_VALUE)


def _emphasised(wav: np.ndarray, first: int, last: int) -> np.ndarray:
    """Samples [first, last) of a pre-emphasised sound (T,), reflected at its two ends: float32 (last - first,)."""
    # Reflection, as in librosa 0.7, with which the published weights were trained; later versions pad zeros.
    places = reflected(first, last, len(wav))
    before = np.where(places > 0, wav[places - 1], np.float32(0))
    return wav[places] - np.float32(PREEMPHASIS) * before


def reflected(first: int, last: int, length: int) -> np.ndarray:
    """Places of samples [first, last) of a sound (T,) that is reflected at its two ends, by less than T each."""
    places = np.abs(np.arange(first, last))
    return np.where(places < length, places, 2 * (length - 1) - places)
