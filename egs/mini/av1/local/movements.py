"""Turn phonemes into movements: mouth, eyelids and head of every video frame."""

import re
import zlib

import numpy as np
from espeak_voice import Phoneme
from talking_photo import Pose

STEPS_PER_SECOND = 1000  # the curves are made at 1 ms, then sampled at the frame times
COARTICULATION = 0.045  # seconds, standard deviation of the smoothing between neighbouring sounds
CLOSURE = 0.030  # seconds, the same for the firm closing of /p b m/

# Longest mnemonic first: (opening 0..1, width -1..1); two pairs make a glide.
VISEMES = {
    "aI": ((0.95, 0.2), (0.35, 0.8)), "aU": ((0.95, 0.0), (0.35, -0.9)), "OI": ((0.75, -0.7), (0.3, 0.7)),
    "eI": ((0.6, 0.6), (0.3, 0.9)), "oU": ((0.6, -0.7), (0.25, -1.0)),
    "A": ((1.0, 0.0),), "a": ((0.9, 0.3),), "V": ((0.7, 0.0),), "E": ((0.65, 0.5),), "O": ((0.8, -0.7),),
    "0": ((0.85, -0.4),), "I": ((0.35, 0.6),), "i": ((0.3, 1.0),), "U": ((0.35, -0.8),), "u": ((0.25, -1.0),),
    "3": ((0.4, -0.3),), "@": ((0.42, 0.0),), "e": ((0.55, 0.6),), "o": ((0.6, -0.8),),
    "tS": ((0.2, -0.6),), "dZ": ((0.2, -0.6),), "S": ((0.2, -0.6),), "Z": ((0.2, -0.6),),
    "w": ((0.12, -1.0),), "r": ((0.25, -0.5),), "l": ((0.35, 0.1),), "j": ((0.22, 0.6),), "h": ((0.4, 0.0),),
    "p": ((0.0, 0.0),), "b": ((0.0, 0.0),), "m": ((0.0, 0.0),), "f": ((0.05, 0.1),), "v": ((0.05, 0.1),),
    "T": ((0.2, 0.2),), "D": ((0.2, 0.2),), "t": ((0.16, 0.3),), "d": ((0.16, 0.3),), "n": ((0.18, 0.2),),
    "s": ((0.14, 0.5),), "z": ((0.14, 0.5),), "k": ((0.28, 0.1),), "g": ((0.28, 0.1),), "N": ((0.28, 0.1),),
}  # fmt: skip
SILENCE = ((0.0, 0.0),)
BILABIALS = "pbm"


def _viseme(symbol: str) -> tuple[tuple[float, float], ...]:
    """Mouth targets of a phoneme mnemonic (stress marks and variants ignored)."""
    name = re.sub(r"[^A-Za-z@03]", "", symbol)
    if not name:
        return SILENCE
    for length in (2, 1):
        if name[:length] in VISEMES:
            return VISEMES[name[:length]]
    return VISEMES["@"]  # a sound of another language: a neutral mouth


def _smooth(curve: np.ndarray, seconds: float) -> np.ndarray:
    """Smooth by a Gaussian of this standard deviation; the ends are continued."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(curve, seconds * STEPS_PER_SECOND, mode="nearest")


def mouth_curves(phonemes: list[Phoneme], times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opening and width of the mouth at the given times.

    Args:
        phonemes: What is said, in order.
        times: Seconds (T,); before the first and after the last sound the
            mouth is closed.

    Returns:
        Opening (T,) in [0, 1] and width (T,) in [-1, 1].
    """
    targets = np.zeros((int(np.ceil(phonemes[-1].end * STEPS_PER_SECOND)) + 1, 2))
    closed = np.zeros(len(targets))
    for phoneme in phonemes:
        glide = _viseme(phoneme.symbol)
        bounds = np.linspace(phoneme.start, phoneme.end, len(glide) + 1) * STEPS_PER_SECOND
        for target, first, last in zip(glide, bounds[:-1], bounds[1:], strict=True):
            targets[round(first) : round(last)] = target
        if phoneme.symbol.strip("',%")[:1] in tuple(BILABIALS):
            closed[round(bounds[0]) : round(bounds[-1])] = 1
    opening, width = _smooth(targets[:, 0], COARTICULATION), _smooth(targets[:, 1], COARTICULATION)
    # Neighbouring vowels would keep the lips of a short /p/ apart: close them firmly.
    opening *= 1 - np.clip(1.6 * _smooth(closed, CLOSURE), 0, 1)
    at = times * STEPS_PER_SECOND
    grid = np.arange(len(targets))
    return np.interp(at, grid, opening, 0, 0), np.interp(at, grid, width, 0, 0)


def _blinks(times: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Eyelids (T,) in [0, 1]: a blink of about 0.2 s every few seconds."""
    lids = np.zeros(len(times))
    when = random.uniform(0.2, 2.5)
    while when < times[-1]:
        lids = np.maximum(lids, np.exp(-(((times - when) / 0.07) ** 4)))
        when += random.uniform(2.0, 4.5)
    return lids


def _drift(times: np.ndarray, size: float, random: np.random.Generator) -> np.ndarray:
    """A slow, never repeating motion (T,) of about +-size."""
    rates, phases = random.uniform([0.1, 0.25], [0.25, 0.55]), random.uniform(0, 2 * np.pi, 2)
    waves = np.sin(2 * np.pi * np.outer(times, rates) + phases)  # (T, 2)
    return size * (waves @ [0.65, 0.35])


def poses(utt_id: str, phonemes: list[Phoneme], times: np.ndarray) -> list[Pose]:
    """Movements of an utterance, the same at every call.

    Args:
        utt_id: Seeds blinks and head.
        phonemes: What is said.
        times: Seconds of sound that each frame shows (T,).
    """
    random = np.random.default_rng(zlib.crc32(utt_id.encode()))
    opening, width = mouth_curves(phonemes, times)
    lids = _blinks(times, random)
    right, down, tilt = (_drift(times, size, random) for size in (2.5, 1.2, 1.6))
    return [
        Pose(float(o), float(w), float(b), (float(r), float(d)), float(t))
        for o, w, b, r, d, t in zip(opening, width, lids, right, down, tilt, strict=True)
    ]
