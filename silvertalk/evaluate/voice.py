"""How far a synthetic voice is from a recording of the same sentence.

Convention: both at 16 kHz, silence at the ends removed, WORLD analysis every
5 ms (Morise et al., 2016), mel-cepstrum of order 24 with all-pass constant
0.41, frames paired by dynamic time warping on c1..c24. Other conventions give
other figures: compare only what this module computed.
"""

from dataclasses import dataclass

import librosa
import numpy as np

from silvertalk.media.trim import speech_bounds

SAMPLING_RATE = 16000  # Hz
FRAME_PERIOD = 5.0  # ms
ORDER = 24
F0_RANGE = (60.0, 500.0)  # Hz: a deep man to a child
MIN_SECONDS = 0.1
# Longer pairs (20 s) are thinned, because the warping's memory grows with the square.
MAX_FRAMES = 4000
MCD_FACTOR = 10 / np.log(10) * np.sqrt(2)  # dB


@dataclass
class VoiceFeatures:
    """WORLD analysis of one utterance without its silent ends."""

    mcep: np.ndarray  # (T, 25), c0 is the level
    f0: np.ndarray  # (T,), Hz, 0 where unvoiced
    seconds: float


def analyse(wav: np.ndarray) -> VoiceFeatures:
    """Compute mel-cepstrum and pitch.

    Args:
        wav: float (T,) at 16 kHz in [-1, 1].

    Raises:
        ValueError: Silence, or less than 0.1 s of sound.
    """
    import pysptk
    import pyworld

    wav = np.asarray(wav, np.float32)
    wav = wav[slice(*speech_bounds(wav, SAMPLING_RATE, keep=0.05))]
    if len(wav) < MIN_SECONDS * SAMPLING_RATE or not np.abs(wav).max() > 1e-4:
        raise ValueError(f"holds {len(wav) / SAMPLING_RATE:.2f} s of sound, at least {MIN_SECONDS} s are needed")
    x = wav.astype(np.float64)
    f0, times = pyworld.harvest(x, SAMPLING_RATE, f0_floor=F0_RANGE[0], f0_ceil=F0_RANGE[1], frame_period=FRAME_PERIOD)
    envelope = pyworld.cheaptrick(x, f0, times, SAMPLING_RATE, f0_floor=F0_RANGE[0])
    mcep = pysptk.sp2mc(envelope, ORDER, pysptk.util.mcepalpha(SAMPLING_RATE))
    return VoiceFeatures(mcep, f0, len(wav) / SAMPLING_RATE)


def align(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pair the frames of two utterances by dynamic time warping.

    Args:
        first: (T1, D).
        second: (T2, D).

    Returns:
        int (N, 2), rising in both columns.
    """
    _, path = librosa.sequence.dtw(first.T, second.T, metric="euclidean")
    return path[::-1]


def compare_voices(generated: VoiceFeatures, real: VoiceFeatures) -> dict[str, float]:
    """Compare two readings of one sentence.

    Returns:
        ``mcd``: mel-cepstral distortion, dB, without c0 (Kubichek, 1993).
        ``log_f0_rmse``: of the natural logarithm, over paired frames voiced in both; nan when there are none.
        ``vuv_error``: percent of paired frames of which only one is voiced.
        ``duration_ratio``: generated over real.
        ``duration_error``: difference of the two lengths, percent of the real one.
    """
    step = -(-max(len(generated.f0), len(real.f0)) // MAX_FRAMES)
    c_gen, c_real = generated.mcep[::step, 1:], real.mcep[::step, 1:]
    i, j = align(c_gen, c_real).T
    f_gen, f_real = generated.f0[::step][i], real.f0[::step][j]
    voiced = (f_gen > 0) & (f_real > 0)
    difference = np.log(f_gen[voiced]) - np.log(f_real[voiced])
    return {
        "mcd": float(MCD_FACTOR * np.linalg.norm(c_gen[i] - c_real[j], axis=1).mean()),
        "log_f0_rmse": float(np.sqrt(np.mean(difference**2))) if voiced.any() else float("nan"),
        "vuv_error": float(100 * np.mean((f_gen > 0) != (f_real > 0))),
        "duration_ratio": generated.seconds / real.seconds,
        "duration_error": 100 * abs(generated.seconds / real.seconds - 1),
    }
