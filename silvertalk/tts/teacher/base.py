"""What a teacher is."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

SILENCE = "<sil>"  # the token before and after what is said


@dataclass(frozen=True)
class Spoken:
    """What a teacher said."""

    wav: np.ndarray  # float32 (T,) in [-1, 1], at the teacher's sampling rate
    tokens: list[str]  # N phonemes, marks and spaces, in the teacher's own spelling, between two SILENCE
    durations: np.ndarray  # int64 (N,), samples of each token; their sum is T


class Teacher(Protocol):
    """A voice that others learn from: Kokoro here, and in the same way any other that says how long its sounds are."""

    name: str
    sampling_rate: int  # Hz
    languages: tuple[str, ...]  # as ko, en

    def phonemise(self, text: str, language: str) -> list[str]:
        """Turn spoken words (numbers written out) into the teacher's tokens.

        Raises:
            ValueError: The teacher does not speak this language, or has no token for a character.
        """

    def speak(self, tokens: list[str], voice: str, speed: float = 1.0) -> Spoken:
        """Speak tokens.

        Args:
            tokens: See ``phonemise``.
            voice: Name of a voice, or the teacher's own way to write a mixture.
            speed: Factor of the tempo.

        Raises:
            ValueError: There is no such voice, or the text is too long for one go.
        """


def load_teacher(name: str, folder: str | None = None, num_threads: int = 1) -> Teacher:
    """Load a teacher by name.

    Args:
        name: ``kokoro``.
        folder: Where its files are, if they are not in installed packages; see the teacher.
        num_threads: Processor threads.

    Raises:
        ValueError: There is no such teacher.
        RuntimeError: Something of it is not installed; the message says what.
    """
    if name != "kokoro":
        raise ValueError(f"no teacher '{name}'; there is kokoro")
    from silvertalk.tts.teacher.kokoro import Kokoro

    return Kokoro(folder, num_threads)
