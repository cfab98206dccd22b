"""Whose voice it is: speaker embeddings by resemblyzer.

torch and resemblyzer are imported where they are needed.
"""

import functools
import logging
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from silvertalk.media.mel import SAMPLING_RATE, mel_filters

FULL_SCALE = 32768  # of 16-bit sound
SHORTEST = 1024  # samples, 64 ms
EMBEDDING_SIZE = 256
EMBEDDING_PIECE = 60 * SAMPLING_RATE  # samples
EMBEDDING_RATE = 2  # windows of 1.6 s that begin in a second
EMBEDDING_LEVEL = -30  # dBFS; softer sound is raised to it


def to_pcm(wav: np.ndarray) -> np.ndarray:
    """Turn sound into 16 bits, and refuse what is none.

    Args:
        wav: 16 kHz sound, float (N,) in [-1, 1].

    Returns:
        int16 (N,).

    Raises:
        ValueError: Less than 64 ms of sound, several channels, or samples that are no numbers.
    """
    wav = np.asarray(wav)
    if wav.ndim != 1:
        raise ValueError(f"sound of shape {wav.shape} was given; give one channel, (N,)")
    if len(wav) < SHORTEST:
        raise ValueError(f"{len(wav)} samples of sound are too few; give {SHORTEST} (64 ms) or more")
    if not np.isfinite(wav).all():
        bad = int(np.flatnonzero(~np.isfinite(wav))[0])
        raise ValueError(f"the sound has a sample, at {bad / SAMPLING_RATE:.3f} s, that is no number; make it anew")
    pcm = np.empty(len(wav), np.int16)
    for first, last in blocks(len(wav), EMBEDDING_PIECE):
        pcm[first:last] = np.clip(np.round(wav[first:last] * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    return pcm


def blocks(length: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a length into blocks: first and behind last."""
    for first in range(0, length, size):
        yield first, min(first + size, length)


def speaker_embedding(wav: np.ndarray) -> np.ndarray:
    """Describe the voice by resemblyzer (Wan et al., "Generalized End-to-End Loss for Speaker Verification", 2018).

    What is no voice is cut out first; sound without any voice is described as it is, with a warning. Of longer sound
    the mean over whole minutes of voice is taken.

    Args:
        wav: 16 kHz sound, float (N,) in [-1, 1].

    Returns:
        float32 (256,), of length 1 for up to two minutes of sound.

    Raises:
        ValueError: See ``to_pcm``.
    """
    return embed_voice(to_pcm(wav))


def embed_voice(pcm: np.ndarray) -> np.ndarray:
    """Describe the voice in 16-bit sound, int16 (N,); see ``speaker_embedding``."""
    audio, encoder = _resemblyzer()
    wav = (pcm / FULL_SCALE).astype(np.float32)
    if pcm.any():
        wav = audio.normalize_volume(wav, EMBEDDING_LEVEL, increase_only=True)
    # Minute by minute: it makes a Python number of every sample.
    pieces = [audio.trim_long_silences(wav[slice(*block)]) for block in blocks(len(wav), EMBEDDING_PIECE)]
    voice = np.concatenate(pieces)
    if not len(voice):
        logging.warning("no voice was found in %.1f s of sound; its speaker is guessed", len(wav) / SAMPLING_RATE)
        voice = wav
    starts = range(0, max(1, len(voice) // EMBEDDING_PIECE) * EMBEDDING_PIECE, EMBEDDING_PIECE)
    return np.mean([_embed_piece(encoder, voice[first : first + EMBEDDING_PIECE]) for first in starts], axis=0)


@functools.cache
def _resemblyzer() -> tuple:
    """Load resemblyzer: its functions on sound, and its network on the CPU."""
    with warnings.catch_warnings():  # it names SciPy's and setuptools' parts by old names
        warnings.simplefilter("ignore")
        from resemblyzer import VoiceEncoder, audio

    return audio, VoiceEncoder("cpu", verbose=False).eval()


def _embed_piece(encoder, wav: np.ndarray) -> np.ndarray:
    """Mean direction of the embeddings of windows of 1.6 s: float32 (256,)."""
    import torch

    wav_windows, mel_windows = encoder.compute_partial_slices(len(wav), EMBEDDING_RATE, 0.75)
    mel = _embedding_mel(np.pad(wav, (0, max(wav_windows[-1].stop - len(wav), 0))))
    with torch.inference_mode():
        embeddings = encoder(torch.from_numpy(np.stack([mel[window] for window in mel_windows]))).numpy()
    mean = embeddings.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _embedding_mel(wav: np.ndarray) -> np.ndarray:
    """Mel power spectrogram of resemblyzer, float32 (1 + N // 160, 40); its own needs librosa, which takes seconds."""
    size, hop = SAMPLING_RATE * 25 // 1000, SAMPLING_RATE // 100
    window = np.hanning(size + 1)[:-1]
    frames = sliding_window_view(np.pad(wav, size // 2), size)[::hop]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return (power @ mel_filters(size, 40, 0, SAMPLING_RATE / 2).T).astype(np.float32)
