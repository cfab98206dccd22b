"""Which words a recogniser hears, for corpora whose sentences follow a grammar.

PocketSphinx carries its English model, so nothing is downloaded. It is a weak
recogniser: its figure on the real recordings is the one to compare with.
"""

import os
import re
from pathlib import Path

import librosa
import numpy as np

SAMPLING_RATE = 16000  # Hz, of the carried model
PEAK, ROOM_TONE = 0.5, 0.002  # loudest sample; background, root mean square: 48 dB below


class WordRecognizer:
    """PocketSphinx under a JSGF grammar.

    Args:
        grammar: JSGF file. A file of the same name with the suffix ``.dict``
            adds pronunciations, a line each: a word and its ARPAbet phones
            (CMU dictionary format).

    Raises:
        FileNotFoundError: No such grammar.
        ValueError: A word of the grammar has no pronunciation.
    """

    def __init__(self, grammar: str | os.PathLike):
        from pocketsphinx import Decoder, get_model_path

        grammar = Path(grammar)
        if not grammar.is_file():
            raise FileNotFoundError(f"no grammar {grammar}; give a JSGF file, or none to leave out the word accuracy")
        text = grammar.read_text(encoding="utf-8")
        self._decoder = Decoder(
            hmm=get_model_path("en-us/en-us"),
            dict=get_model_path("en-us/cmudict-en-us.dict"),
            lm=None,
            loglevel="FATAL",
            cmn="batch",  # each utterance alone: the result must not depend on the ones before
            lw=1.0,  # the grammar's words are equally likely
        )
        self._add_pronunciations(grammar.with_suffix(".dict"))
        missing = sorted(word for word in grammar_words(text) if self._decoder.lookup_word(word) is None)
        if missing:
            raise ValueError(
                f"{grammar}: no pronunciation for {', '.join(missing)}; add lines like 'zed Z EH D' "
                f"to {grammar.with_suffix('.dict')}"
            )
        self._decoder.add_jsgf_string("grammar", text)
        self._decoder.activate_search("grammar")

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
        if len(wav) < 0.1 * SAMPLING_RATE or not np.any(wav):
            return []
        samples = (add_room_tone(wav) * 32767).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr.split() if hypothesis else []


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


def count_word_errors(reference: list[str], heard: list[str]) -> int:
    """Count substitutions, deletions and insertions (Levenshtein distance over words)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(reference, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1]
