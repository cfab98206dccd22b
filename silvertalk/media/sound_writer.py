"""Write sound piece by piece: files that appear when they are whole, and streams."""

import contextlib
import struct
import sys
from pathlib import Path

import numpy as np
import soundfile

from silvertalk.media.writer import STANDARD_OUTPUT
from silvertalk.utils import atomic_path

UNKNOWN_SIZE = 0xFFFFFFFF  # what players take for "until the end"


class SoundWriter:
    """Write 16-bit sound of one channel while it is made. Nothing is begun before the first piece.

    Args:
        target: A file that appears when it is whole; the suffix chooses the format (.wav, .flac, .ogg, .mp3, ...).
            "-" or an open binary file gets WAV of unknown length, every piece at once.
        sampling_rate: Hz.

    Example:
        ``with SoundWriter("out.wav", 22050) as out:``
        ``    out.write(piece)``

    Raises:
        ValueError: The suffix is that of no sound file.
        RuntimeError: The file cannot be written; nothing of it is left.
    """

    def __init__(self, target, sampling_rate: int):
        self.num_samples = 0
        self._target, self._rate = target, sampling_rate
        self._stack, self._file = contextlib.ExitStack(), None
        if str(target) == STANDARD_OUTPUT:
            self._target = sys.stdout.buffer
        self.is_stream = hasattr(self._target, "write")
        if not self.is_stream:
            check_sound_name(target)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    @property
    def seconds(self) -> float:
        """Length of what was written."""
        return self.num_samples / self._rate

    def write(self, wav: np.ndarray) -> None:
        """Append sound (n,) in [-1, 1]; louder samples are clipped."""
        wav = np.clip(wav, -1, 1)
        if self.is_stream:
            header = b"" if self._file else wav_header(self._rate)
            self._file = self._target
            self._file.write(header + np.rint(wav * 32767).astype("<i2").tobytes())
            getattr(self._file, "flush", lambda: None)()
        else:
            self._write_block(wav)
        self.num_samples += len(wav)

    def _write_block(self, wav: np.ndarray) -> None:
        try:
            if self._file is None:
                temporary = self._stack.enter_context(atomic_path(self._target))
                self._file = self._stack.enter_context(_opened(temporary, self._rate))
            self._file.write(wav)
        except (soundfile.LibsndfileError, OSError) as error:  # libsndfile does not name the file
            reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
            raise RuntimeError(
                f"{self._target}: cannot be written ({reason}); check the rate, the free space and the permissions"
            ) from error


def check_sound_name(path) -> None:
    """Refuse a file name without the suffix of a sound format.

    Raises:
        ValueError: libsndfile knows no such format.
    """
    suffix = Path(path).suffix.lstrip(".").upper()
    if suffix not in soundfile.available_formats() or suffix == "RAW":
        raise ValueError(f"{path}: is no name of a sound file; let it end in .wav, .flac, .ogg or .mp3")


def _opened(path: Path, sampling_rate: int) -> soundfile.SoundFile:
    """A new file of the format that the suffix says; 16-bit where the format has it."""
    kind = path.suffix.lstrip(".").upper()
    subtype = "PCM_16" if "PCM_16" in soundfile.available_subtypes(kind) else None
    return soundfile.SoundFile(path, "w", sampling_rate, 1, subtype)


def wav_header(sampling_rate: int) -> bytes:
    """The beginning of 16-bit WAV of one channel whose length is not known yet."""
    form = struct.pack("<4sI4s", b"RIFF", UNKNOWN_SIZE, b"WAVE")
    sound = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sampling_rate, 2 * sampling_rate, 2, 16)
    return form + sound + struct.pack("<4sI", b"data", UNKNOWN_SIZE)
