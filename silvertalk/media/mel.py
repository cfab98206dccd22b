"""The mel spectrogram of Wav2Lip and its SyncNet expert.

Constants of the published system (Prajwal et al., "A Lip Sync Expert Is All
You Need", ACM MM 2020): 16 kHz, 80 mel columns a second, pre-emphasis, Hann
window of 50 ms, Slaney mel filters, decibels mapped to [-4, 4].
"""

import functools

import librosa
import numpy as np

SAMPLING_RATE = 16000  # Hz
N_FFT = WIN_LENGTH = 800  # samples, 50 ms
HOP_LENGTH = 200  # samples, 12.5 ms: 80 columns a second
N_MELS = 80
FMIN, FMAX = 55, 7600  # Hz
PREEMPHASIS = 0.97
MIN_LEVEL_DB, REF_LEVEL_DB = -100, 20
MAX_ABS_VALUE = 4.0
MELS_PER_SECOND = SAMPLING_RATE // HOP_LENGTH


@functools.cache
def _mel_basis() -> np.ndarray:
    """Slaney mel filters (80, 401)."""
    return librosa.filters.mel(sr=SAMPLING_RATE, n_fft=N_FFT, n_mels=N_MELS, fmin=FMIN, fmax=FMAX)


def wav2lip_mel(wav: np.ndarray) -> np.ndarray:
    """Compute the normalised log-mel spectrogram the published networks expect.

    Args:
        wav: 16 kHz sound, float (T,) in [-1, 1], T > 400 (shorter sound is
            padded with silence).

    Returns:
        float32 (80, 1 + T // 200) in [-4, 4].
    """
    wav = np.asarray(wav, np.float32)
    wav = np.pad(wav, (0, max(0, N_FFT - len(wav))))
    emphasised = np.append(wav[:1], wav[1:] - PREEMPHASIS * wav[:-1])
    # Reflection, as in librosa 0.7, with which the published weights were trained; later versions pad zeros.
    spectrum = librosa.stft(emphasised, n_fft=N_FFT, hop_length=HOP_LENGTH, win_length=WIN_LENGTH, pad_mode="reflect")
    amplitude = np.maximum(10 ** (MIN_LEVEL_DB / 20), _mel_basis() @ np.abs(spectrum))
    decibel = 20 * np.log10(amplitude) - REF_LEVEL_DB
    scaled = 2 * MAX_ABS_VALUE * (decibel - MIN_LEVEL_DB) / -MIN_LEVEL_DB - MAX_ABS_VALUE
    return np.clip(scaled, -MAX_ABS_VALUE, MAX_ABS_VALUE).astype(np.float32)
