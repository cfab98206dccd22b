"""What a recogniser hears.

PocketSphinx carries its English model, so nothing is downloaded: under a JSGF grammar for corpora whose sentences
follow one, else with its general language model. It is a weak recogniser: its figure on the real recordings is the
one to compare with. Whisper, where faster-whisper and a folder of weights are there, hears other languages, too.
"""

import importlib.util
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import librosa
import numpy as np

from silvertalk.evaluate.transcript import ENGLISH_SPELLINGS, spoken_words
from silvertalk.media.whisper import Whisper
from silvertalk.tts.normalise import detect_language

SAMPLING_RATE = 16000  # Hz, of all recognisers
PEAK, ROOM_TONE = 0.5, 0.002  # loudest sample; background, root mean square: 48 dB below
LOG_ZERO = -(2**28)  # PocketSphinx's logarithm of a probability; that of 0 is about -2**29
SHORTEST = 0.1  # seconds; nothing is said in less
ESPEAK_NAMES = {"cmn": "zh"}  # eSpeak NG's names of languages -> ours and Whisper's
SPELLINGS = {said: [w for w, s in ENGLISH_SPELLINGS.items() if s == said] for said in ENGLISH_SPELLINGS.values()}


class Recognizer(Protocol):
    """Hears words in a sound."""

    description: str  # for the report

    def __call__(self, wav: np.ndarray) -> list[str]:
        """Recognise float (T,) at 16 kHz in [-1, 1]; returns words, none for silence."""

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Pick the words (see ``transcript.spoken_words``) that can never be heard."""


class WordRecognizer:
    """PocketSphinx under a JSGF grammar, or with its general English language model.

    Args:
        grammar: JSGF file. A file of the same name with the suffix ``.dict``
            adds pronunciations, a line each: a word and its ARPAbet phones
            (CMU dictionary format). None: any English, by the language model.

    Raises:
        FileNotFoundError: No such grammar.
        ValueError: A word of the grammar has no pronunciation.
    """

    def __init__(self, grammar: str | os.PathLike | None = None):
        from pocketsphinx import Decoder, get_model_path

        options = {
            "hmm": get_model_path("en-us/en-us"),
            "dict": get_model_path("en-us/cmudict-en-us.dict"),
            "loglevel": "FATAL",
            "cmn": "batch",  # each utterance alone: the result must not depend on the ones before
        }
        if grammar is None:
            self._decoder = Decoder(lm=get_model_path("en-us/en-us.lm.bin"), **options)
            self._grammar_words: set[str] | None = None
            self._lm = self._decoder.get_lm("_default")
            self.description = "PocketSphinx with its general English language model"
            return
        grammar = Path(grammar)
        if not grammar.is_file():
            raise FileNotFoundError(f"no grammar {grammar}; give a JSGF file, or none to leave out the word accuracy")
        text = grammar.read_text(encoding="utf-8")
        self._decoder = Decoder(lm=None, lw=1.0, **options)  # the grammar's words are equally likely
        words = grammar_words(text)
        self._add_pronunciations(grammar.with_suffix(".dict"))
        missing = sorted(word for word in words if self._decoder.lookup_word(word) is None)
        if missing:
            raise ValueError(
                f"{grammar}: no pronunciation for {', '.join(missing)}; add lines like 'zed Z EH D' "
                f"to {grammar.with_suffix('.dict')}"
            )
        self._decoder.add_jsgf_string("grammar", text)
        self._decoder.activate_search("grammar")
        self._grammar_words = set(spoken_words(" ".join(sorted(words))))
        self.description = f"PocketSphinx under the grammar {grammar.name}"

    def _add_pronunciations(self, path: Path) -> None:
        """Add those of a dictionary file, beside the carried ones."""
        if not path.is_file():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            word, _, phones = line.strip().partition(" ")
            if not word:
                continue
            variant, name = 1, word
            while self._decoder.lookup_word(name) is not None:
                variant += 1
                name = f"{word}({variant})"
            self._decoder.add_word(name, phones.strip(), True)

    def __call__(self, wav: np.ndarray) -> list[str]:
        """Recognise float (T,) at 16 kHz in [-1, 1]; returns lower-case words, none for silence."""
        if len(wav) < SHORTEST * SAMPLING_RATE or not np.any(wav):
            return []
        samples = (add_room_tone(wav) * 32767).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr.split() if hypothesis else []

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Pick the words (see ``spoken_words``) that can never be heard: outside the grammar or the dictionary."""
        if self._grammar_words is not None:
            return [word for word in words if word not in self._grammar_words]
        return [word for word in words if not any(map(self._in_lm, (word, *SPELLINGS.get(word, ()))))]

    def _in_lm(self, word: str) -> bool:
        """Whether a word has a pronunciation and a place in the language model."""
        return self._decoder.lookup_word(word) is not None and self._lm.prob([word]) > LOG_ZERO


class WhisperRecognizer:
    """Whisper, which spells what it hears; see ``silvertalk.media.whisper.Whisper``."""

    def __init__(self, folder: str | os.PathLike, language: str, device: str = "cpu"):
        self._whisper = Whisper(folder, language, device)
        self.description = self._whisper.description

    def __call__(self, wav: np.ndarray) -> list[str]:
        """Recognise float (T,) at 16 kHz in [-1, 1]; returns words as Whisper writes them, none for silence."""
        return self._whisper(wav).split()

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Pick the words that can never be heard: none."""
        return []


@dataclass
class Recognition:
    """How words are recognised.

    Args:
        recogniser: ``grammar``, ``lm`` (PocketSphinx's English language model), ``whisper``, ``none``; or ``auto``:
            Whisper where its folder is given, else the grammar where one is given, else the language model for English.
        grammar: JSGF file that the sentences follow.
        whisper_model: Folder of Whisper's weights in faster-whisper's layout.
        language: Of the transcripts, or auto: by their script.
        device: Of Whisper.
    """

    recogniser: str = "auto"
    grammar: str | os.PathLike | None = None
    whisper_model: str | os.PathLike | None = None
    language: str = "auto"
    device: str = "cpu"

    def language_of(self, texts: Sequence[str]) -> str:
        """Name the language: what was given, else that of most texts."""
        if self.language != "auto":
            name = self.language.split("-")[0]
            return ESPEAK_NAMES.get(name, name)
        found = Counter(map(detect_language, texts)).most_common(1)
        return found[0][0] if found else "en"

    def choose(self, language: str) -> tuple[Recognizer | None, str]:
        """Take the recogniser that is asked for, or the best that is there for a language.

        Returns:
            The recogniser, and what it is; or None, and why there is none.

        Raises:
            ValueError: Unknown name, or what it needs was not given.
            FileNotFoundError: See ``WordRecognizer`` and ``Whisper``.
            RuntimeError: See ``Whisper``.
        """
        name, reason = self._best(language) if self.recogniser == "auto" else (self.recogniser, "it was asked for none")
        needs = {
            "grammar": (self.grammar, "needs --grammar, a JSGF file that the sentences follow"),
            "lm": (language == "en", f"knows English only, not '{language}'; give --whisper_model"),
            "whisper": (self.whisper_model, "needs --whisper_model, the folder of its weights"),
            "none": (True, ""),
        }
        if name not in needs:
            raise ValueError(f"recogniser '{name}' is none of auto, {', '.join(needs)}")
        given, lacking = needs[name]
        if not given:
            raise ValueError(f"--recogniser {name} {lacking}")
        if name == "none":
            return None, reason
        if name == "whisper":
            made = WhisperRecognizer(self.whisper_model, language, self.device)
        else:
            made = WordRecognizer(self.grammar if name == "grammar" else None)
        return made, made.description

    def _best(self, language: str) -> tuple[str, str]:
        """Name of the best recogniser; "none" and the reason where there is none."""
        lacking = "there is no Whisper (--whisper_model)"
        if self.whisper_model:
            if importlib.util.find_spec("faster_whisper"):
                return "whisper", ""
            lacking = "faster-whisper is not installed"
            logging.warning("--whisper_model %s is not used: %s", self.whisper_model, lacking)
        if self.grammar or language == "en":
            return "grammar" if self.grammar else "lm", ""
        return "none", f"{lacking}, and PocketSphinx knows English only, not '{language}'"


def add_room_tone(wav: np.ndarray) -> np.ndarray:
    """Bring speech to one level, and its background up to that of a quiet room.

    The recogniser was trained on recordings: in front of digital silence it
    loses whole sentences of a clear synthetic voice (63 % of the words of an
    eSpeak voice are heard right without, 99 % with it). Where a room can be
    heard already, nothing is added.

    Args:
        wav: float (T,) at 16 kHz.

    Returns:
        float (T,) in [-1, 1]; the same for the same input.
    """
    wav = PEAK * np.asarray(wav, np.float64) / np.abs(wav).max()
    level = librosa.feature.rms(y=wav, frame_length=800, hop_length=400)[0]  # every 25 ms
    lacking = np.sqrt(max(0.0, ROOM_TONE**2 - np.percentile(level, 5) ** 2))
    return wav + lacking * np.random.default_rng(0).standard_normal(len(wav))


def grammar_words(text: str) -> set[str]:
    """List the words (terminals) of a JSGF grammar."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    rules = re.findall(r"<[^<>]+>\s*=\s*([^;]*);", text)
    words: set[str] = set()
    for rule in rules:
        rule = re.sub(r"<[^<>]*>|\{[^{}]*\}|/[\d.eE+-]+/", " ", rule)  # rule names, tags, weights
        words.update(re.sub(r'[|()\[\]*+"]', " ", rule).split())
    return words
