"""The sound that moves a face, and the sound that is heard."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soxr

from silvertalk.media.audio import read_audio, read_sound, sound_info
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.writer import AAC_RATES

DEFAULT_RATE = 48000  # Hz, for sound at a rate AAC does not know


@dataclass
class Heard:
    """What is heard, as a stream."""

    pieces: Callable[[int], Iterable[np.ndarray]]  # at a rate (Hz): float32 (channels, n) each, one or two channels
    sampling_rate: int  # its own, or the one to take instead (Hz)

    @classmethod
    def from_file(cls, path: str | os.PathLike, start: float = 0.0) -> "Heard":
        """Open any file with sound; it is read while it is used."""
        rate, channels = sound_info(path)
        return cls(
            lambda rate: read_sound(path, rate, start, channels=min(channels, 2)),
            aac_rate(rate),
        )

    @classmethod
    def from_array(cls, wav: np.ndarray, sampling_rate: int) -> "Heard":
        """Take sound (T,) in [-1, 1]."""
        return cls(
            lambda rate: [resample(wav, sampling_rate, rate)[None]],
            aac_rate(sampling_rate),
        )


@dataclass
class Sound:
    """A sound that moves a face and is heard, in one rendering."""

    wav: np.ndarray | None  # float32 (T,), SAMPLING_RATE: what the networks listen to
    heard: Heard
    name: str = "sound"
    seconds: float = field(init=False)

    def __post_init__(self):
        self.seconds = len(self.wav) / SAMPLING_RATE

    def take_wav(self) -> np.ndarray:
        """Hand over ``wav``, which is not held any longer: ten minutes of it are 38 MB.

        Raises:
            ValueError: It was handed over before.
        """
        if self.wav is None:
            raise ValueError(f"{self.name}: has been rendered; open the sound again for another rendering")
        wav, self.wav = self.wav, None
        return wav

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> "Sound":
        """Open any file with sound; only what the networks listen to is held in memory."""
        wav, _ = read_audio(path, SAMPLING_RATE)
        return cls(wav, Heard.from_file(path), Path(path).name)

    @classmethod
    def from_array(cls, wav: np.ndarray, sampling_rate: int) -> "Sound":
        """Take sound (T,) in [-1, 1]."""
        driving = resample(wav, sampling_rate, SAMPLING_RATE).astype(np.float32)
        return cls(driving, Heard.from_array(wav, sampling_rate))


def aac_rate(sampling_rate: int) -> int:
    """The rate (Hz) to encode sound of a rate at."""
    return sampling_rate if sampling_rate in AAC_RATES else DEFAULT_RATE


def resample(wav: np.ndarray, sampling_rate: int, wanted: int) -> np.ndarray:
    """Change the rate (Hz) of sound (T,)."""
    return wav if sampling_rate == wanted else soxr.resample(wav, sampling_rate, wanted)


def heard_together(sounds: list[Heard], seconds: float) -> tuple[Iterator[np.ndarray], int]:
    """Mix sounds, each cut or followed by silence to a length.

    Returns:
        Pieces float32 (channels, n), and their rate (Hz), the highest of the sounds'.
    """
    rate = max(sound.sampling_rate for sound in sounds)
    parts = [exactly(sound.pieces(rate), round(seconds * rate), rate) for sound in sounds]
    return (parts[0] if len(parts) == 1 else mixed(parts)), rate


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
