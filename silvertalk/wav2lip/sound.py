"""The sound that moves the lips, and the sound that is heard."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from silvertalk.media import read_audio
from silvertalk.media.audio import read_sound, sound_info
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.video import AAC_RATES

DEFAULT_RATE = 48000  # Hz, for sound at a rate AAC does not know


@dataclass
class Sound:
    """A sound that moves lips and is heard."""

    wav: np.ndarray  # float32 (T,), SAMPLING_RATE: what the networks listen to
    pieces: Callable[[], Iterable[np.ndarray]]  # what is heard, float32 (channels, n) each
    sampling_rate: int  # of the pieces, Hz
    name: str = "sound"

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.wav) / SAMPLING_RATE

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> "Sound":
        """Open any file with sound; only what the networks listen to is held in memory."""
        wav, _ = read_audio(path, SAMPLING_RATE)
        return cls(wav, *heard_file(path), Path(path).name)

    @classmethod
    def from_array(cls, wav: np.ndarray, sampling_rate: int) -> "Sound":
        """Take sound (T,) in [-1, 1]."""
        rate = sampling_rate if sampling_rate in AAC_RATES else DEFAULT_RATE
        heard = wav if rate == sampling_rate else soxr.resample(wav, sampling_rate, rate)
        driving = wav if sampling_rate == SAMPLING_RATE else soxr.resample(wav, sampling_rate, SAMPLING_RATE)
        return cls(driving.astype(np.float32), lambda: [heard[None]], rate)


def heard_file(path: str | os.PathLike, start: float = 0.0) -> tuple[Callable[[], Iterator[np.ndarray]], int]:
    """What is heard of a file, at most two channels, as a function that reads it, and its rate."""
    source_rate, channels = sound_info(path)
    rate = source_rate if source_rate in AAC_RATES else DEFAULT_RATE
    return lambda: read_sound(path, rate, start, channels=min(channels, 2)), rate


def exactly(pieces: Iterable[np.ndarray], samples: int, rate: int) -> Iterator[np.ndarray]:
    """Cut sound in pieces (channels, n), or follow it with silence, to a number of samples."""
    channels = 1
    for piece in pieces:
        if not samples:
            return
        channels = len(piece)
        yield piece[:, :samples]
        samples -= min(samples, piece.shape[1])
    while samples:
        count = min(samples, rate)
        yield np.zeros((channels, count), np.float32)
        samples -= count


def mixed(parts: list[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """Add up sounds of one length, each in pieces of its own size, as one channel."""
    rests = [np.zeros(0, np.float32) for _ in parts]
    while True:
        for k, part in enumerate(parts):
            if not len(rests[k]):
                piece = next(part, None)
                if piece is None:
                    return
                rests[k] = piece.mean(axis=0)
        count = min(len(rest) for rest in rests)
        yield np.sum([rest[:count] for rest in rests], axis=0)[None]
        rests = [rest[count:] for rest in rests]
