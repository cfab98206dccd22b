"""What is said, by Whisper (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022).

faster-whisper is no part of the tested environment, and is imported where it is needed. Weights come from a folder;
nothing is downloaded.
"""

import os
from pathlib import Path

import numpy as np

from silvertalk.media.mel import SAMPLING_RATE

FILES = ("model.bin", "config.json", "tokenizer.json")  # faster-whisper would download the last one
SHORTEST = 0.1  # seconds; nothing is said in less
WEIGHTS = {"cpu": "int8", "cuda": "float16"}  # device -> how faster-whisper keeps them


class Whisper:
    """Writes down what is said.

    Args:
        folder: The weights in faster-whisper's layout: model.bin, config.json, tokenizer.json.
        language: Of the speech, e.g. ``ko``; empty lets it guess, each time anew.
        device: ``cpu`` (8-bit weights), ``cuda`` (16-bit), or ``auto``.
        threads: How many will ask at a time.

    Raises:
        FileNotFoundError: The folder lacks a file.
        RuntimeError: faster-whisper is not installed.
    """

    def __init__(self, folder: str | os.PathLike, language: str = "", device: str = "cpu", threads: int = 1):
        folder = Path(folder)
        missing = next((folder / name for name in FILES if not (folder / name).is_file()), None)
        if missing:
            raise FileNotFoundError(
                f"no {missing}; give --whisper_model a folder in faster-whisper's layout: {', '.join(FILES)}"
            )
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise RuntimeError(
                "faster-whisper is not installed; install the package faster-whisper, or leave --whisper_model out"
            ) from error
        kind = WEIGHTS.get(device, "default")
        self._model = WhisperModel(
            str(folder), device=device, compute_type=kind, num_workers=threads, local_files_only=True
        )
        self._language = language or None
        self.description = f"Whisper ({folder.name}, {kind})"

    def __call__(self, wav: np.ndarray) -> str:
        """Transcribe float (T,) at 16 kHz in [-1, 1]; nothing for silence."""
        if len(wav) < SHORTEST * SAMPLING_RATE or not np.any(wav):
            return ""
        # Temperature 0, so that the same sound always has the same words; no memory, in which an error would live on.
        segments, _ = self._model.transcribe(
            np.asarray(wav, np.float32),
            language=self._language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
        )
        return " ".join(segment.text.strip() for segment in segments)
