"""The contract of every voice: a text becomes sentences of sound, with the language and the times of what is said."""

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from silvertalk.media.loudness import Leveller
from silvertalk.tts.captions import TimedSentence, TimedToken
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.normalise import READERS, describe, detect_language
from silvertalk.tts.options import SpeakOptions
from silvertalk.tts.sentences import Sentence, split_text
from silvertalk.tts.text import (
    UnknownCharacterError,
    describe_unknown,
    describe_unknown_tokens,
    find_unknown,
    normalize_text,
    without_end_marks,
)

ANY = "any"  # among a voice's languages: it takes every code
CONTROLS = {"speed": 1.0, "pitch": 0.0, "energy": 0.0}  # and how a voice itself speaks
FADE = 0.005  # seconds, at pauses: voices do not end in perfect silence


class Utterance(NamedTuple):
    """A sentence that is about to sound."""

    tokens: Sequence[str]  # N, phonemes or characters
    durations: np.ndarray  # (N,) of each token, in any unit; no entry if the model does not say
    num_samples: int
    pieces: Iterable[np.ndarray]  # float32 (n,) each, together num_samples

    @classmethod
    def whole(cls, wav: np.ndarray, tokens: Sequence[str] = (), durations: Sequence[float] = ()) -> "Utterance":
        """An utterance whose sound (T,) is there already."""
        return cls(tokens, np.asarray(durations, np.float64), len(wav), [wav])


@dataclass
class SpokenSentence:
    """A sentence, as soon as it can be heard."""

    timing: TimedSentence
    pieces: Generator[np.ndarray]  # float32 (n,) each in -1..1: the silence before the sentence, and its sound; to be
    # used before the next sentence is asked for


@dataclass(frozen=True)
class Speech:
    """A text that was spoken."""

    wav: np.ndarray  # (T,) float32 in -1..1
    sampling_rate: int  # Hz
    sentences: tuple[TimedSentence, ...]


class Voice(ABC):
    """What speaks. Every voice has this class's methods; what it must write itself is ``utter``.

    The rest comes with it: sentences, text normalisation, pauses, fades, loudness, streaming, captions and timings.

    Example:
        >>> voice = load_voice("exp")
        >>> wav, sampling_rate = voice("bin blue at f two now")
        >>> for sentence in voice.stream("One. Two. Three.", SpeakOptions(speed=0.8)):
        ...     play(sentence.pieces)
    """

    name: str  # for people and for the record of a video: which voice, and how it is computed
    sampling_rate: int  # Hz of the sound
    front_end: TextFrontEnd = TextFrontEnd()  # how text becomes what ``utter`` reads; by default it is read as it is
    tokens: Sequence[str] | None = None  # characters, or phonemes of the front end, that it knows; None: it takes all
    controls: Sequence[str] = ()  # of ``CONTROLS``: those that ``utter`` heeds; others are refused
    speaker_names: Sequence[str] = ()  # whom ``SpeakOptions.speaker`` can name; none for the voice of one person

    @abstractmethod
    def utter(self, text: str, options: SpeakOptions, in_pieces: bool = False) -> Utterance:
        """Speak one sentence.

        Args:
            text: What the front end made of it: words or phonemes. Only tokens that the voice knows.
            options: How to speak; ``language`` is set, pauses and loudness are seen to elsewhere.
            in_pieces: Somebody listens already: compute the sound piece by piece, while the pieces are iterated over.
                A voice that cannot hands out one piece.

        Raises:
            ValueError: It cannot be spoken; of several sentences this one is left out.
        """

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO codes of the languages that it speaks; ``any`` for every one, none for one that nobody wrote down."""
        if self.front_end.language != "auto":
            return (self.front_end.language,)
        if self.front_end.normalise != "none":
            return tuple(READERS)
        return (ANY,) if self.front_end.writes_phonemes else ()

    def check(self, options: SpeakOptions) -> None:
        """Refuse what this voice does not have.

        Raises:
            ValueError: It was asked for.
        """
        for name, own in CONTROLS.items():
            if getattr(options, name) != own and name not in self.controls:
                raise ValueError(
                    f"--{name} {getattr(options, name):g}: the voice {self.name} cannot change it; a JETS that was"
                    " trained on normalised pitch and energy can"
                )
        if options.speaker and not self.speaker_names:
            raise ValueError(f"this voice is that of one speaker: leave out --speaker {options.speaker}")

    def encode(self, text: str) -> Sequence:
        """Tokens of text that the front end made."""
        return text.split() if self.front_end.writes_phonemes else text

    def choose_language(self, text: str, wanted: str = "") -> str:
        """Tell the language in which a text is said.

        Args:
            text: All of the text: an English sentence in Korean text is read as Korean.
            wanted: The language that was asked for; "" is told by the script, where the voice knows several.

        Raises:
            ValueError: The voice does not speak it.
        """
        known = self.languages
        only = known[0] if len(known) == 1 and ANY not in known else ""
        language = wanted or only or detect_language(text)
        if language in known or ANY in known or not (known or wanted):
            return language
        advice = f"leave out --language {wanted}" if wanted else f"the text looks like {language}; name --language"
        raise ValueError(f"this voice speaks {' '.join(known) or 'one language'}: {advice}")

    def __call__(self, text: str, options: SpeakOptions | None = None) -> tuple[np.ndarray, int]:
        """Speak a text; see ``stream``.

        Returns:
            Sound (T,) float32 in -1..1, and its sampling rate in Hz.
        """
        speech = self.speak(text, options)
        return speech.wav, speech.sampling_rate

    def speak(self, text: str, options: SpeakOptions | None = None) -> Speech:
        """Speak a text, and tell when what was said; see ``stream``."""
        pieces: list[np.ndarray] = []
        sentences: list[TimedSentence] = []
        for sentence in self.stream(text, options):
            pieces.extend(sentence.pieces)
            sentences.append(sentence.timing)
        return Speech(np.concatenate(pieces), self.sampling_rate, tuple(sentences))

    def stream(
        self, text: str, options: SpeakOptions | None = None, in_pieces: bool = False
    ) -> Generator[SpokenSentence]:
        """Speak a text sentence by sentence, each when it is asked for.

        A sentence that cannot be spoken is left out with a warning, and its ``timing.problem`` says why. Marks at the
        end of a sentence for which the voice has no token become nothing but the pause that follows.

        ``close()`` ends the work: no further piece is computed, and ``pieces`` of the current sentence is at its end.

        Args:
            text: Text of any length, any letter case; every line is a paragraph. Characters that the voice's text
                normalisation cannot read are left out with a warning.
            options: How to speak.
            in_pieces: Hand out long sentences in several pieces, so that the first sound comes at once.

        Returns:
            The sentences, those that were left out included.

        Raises:
            ValueError: The text is empty, an option is none of this voice's, or (while it is spoken) nothing in the
                text can be spoken.
            UnknownCharacterError: (while it is spoken) The voice has no token for a character of the only sentence;
                the message says which, where, and what the voice knows.
        """
        options = options or SpeakOptions()
        sentences = split_text(text, options.longest)
        if not sentences:
            raise ValueError("the text is empty; type a sentence")
        options = replace(options, language=self.choose_language(text, options.language))
        self.check(options)
        return self._speak_all(sentences, options, in_pieces)

    def count_sentences(self, text: str, options: SpeakOptions | None = None) -> int:
        """Number of sentences that ``stream`` makes of a text."""
        return len(split_text(text, (options or SpeakOptions()).longest))

    def count_tokens(self, text: str) -> int:
        """Number of tokens that a part of a text becomes."""
        with contextlib.suppress(ValueError):
            front_end = self._front_end(self.choose_language(text))
            return len(self.encode(self._spoken(front_end(text).text, text)))
        return 0

    def _front_end(self, language: str) -> TextFrontEnd:
        """The front end in one language for all sentences."""
        return replace(self.front_end, language=language) if self.front_end.language == "auto" else self.front_end

    def _speak_all(
        self, sentences: list[Sentence], options: SpeakOptions, in_pieces: bool
    ) -> Generator[SpokenSentence]:
        front_end = self._front_end(options.language)
        level = iter if options.loudness is None else Leveller(options.loudness, self.sampling_rate)
        end, pause = 0, 0.0  # samples until now, and seconds of silence that are due
        problems = []
        for sentence in sentences:
            where = f"sentence {sentence.number} of {len(sentences)}: " if len(sentences) > 1 else ""
            text, utterance, problem = self._try(sentence.text, front_end, options, in_pieces, where)
            silence = np.zeros(0 if problem else round(pause * self.sampling_rate), np.float32)
            timing = self._timing(sentence, text, utterance, end + len(silence), options.language, problem)
            # A text of one sentence stays as the voice makes it.
            edges = (len(silence) > 0, sentence.number < len(sentences))
            sound = level(_faded(utterance, round(FADE * self.sampling_rate), *edges))
            if problem:
                problems.append(f"{where}{problem}")
            else:
                end, pause = end + len(silence) + utterance.num_samples, 0.0
            with contextlib.closing(_chained([silence] * edges[0], sound)) as pieces:
                yield SpokenSentence(timing, pieces)
                for _ in pieces:  # what nobody wanted to hear: the next sentence is levelled by it
                    pass
            pause = max(pause, options.pause_after(sentence.ending)) if end else 0.0
        if len(problems) == len(sentences):
            raise ValueError(f"none of the {len(sentences)} sentences can be spoken; {problems[0]}")
        if problems:
            logging.warning("%d of %d sentences were left out", len(problems), len(sentences))

    def _try(
        self, text: str, front_end: TextFrontEnd, options: SpeakOptions, in_pieces: bool, where: str
    ) -> tuple[str, Utterance, str]:
        """What was read of a sentence, its sound, and why it is left out, unless it is the only one."""
        try:
            read = front_end(text)
            if read.unknown:
                logging.warning("%snot spoken: %s", where, describe(read.unknown))
            spoken = self._spoken(read.text, text)
            return spoken, self.utter(spoken, options, in_pieces), ""
        except ValueError as error:
            if not where:
                raise
            logging.warning("left out %s%s", where, error)
            return "", Utterance((), np.zeros(0), 0, ()), str(error)

    def _timing(
        self, sentence: Sentence, spoken: str, utterance: Utterance, begin: int, language: str, problem: str
    ) -> TimedSentence:
        """Lay a sentence's tokens over its samples."""
        times = np.concatenate([[0.0], np.cumsum(utterance.durations)])
        # Of an utterance whose tokens all have no length nothing is known.
        scale = utterance.num_samples / times[-1] if times[-1] else 0.0
        times = ((begin + times * scale) / self.sampling_rate).tolist()
        tokens = tuple(TimedToken(*token) for token in zip(utterance.tokens, times[:-1], times[1:], strict=True))
        start, end = (sample / self.sampling_rate for sample in (begin, begin + utterance.num_samples))
        return TimedSentence(sentence.number, sentence.text, spoken, start, end, tokens, problem, language)

    def _spoken(self, read: str, text: str) -> str:
        """Check that the voice has tokens for what was read of a text."""
        known, is_phonemes = list(self.tokens or ()), self.front_end.writes_phonemes
        units = read.split() if is_phonemes else list(normalize_text(read, known))
        read = (" " if is_phonemes else "").join(without_end_marks(units, known) if known else units)
        problem = None
        if known and is_phonemes:
            problem = describe_unknown_tokens(read, known)
        elif known and (unknown := find_unknown(read, known)):
            problem = describe_unknown(read, unknown, known)
        if problem:
            raise UnknownCharacterError(problem)
        if not read.strip():
            raise ValueError(f"nothing in '{text}' can be spoken; type a sentence")
        return read


def _chained(*sounds: Iterable[np.ndarray]) -> Generator[np.ndarray]:
    """One after the other, and closed together, as ``itertools.chain`` cannot be."""
    for sound in sounds:
        yield from sound


def _faded(utterance: Utterance, ramp: int, fade_in: bool, fade_out: bool) -> Generator[np.ndarray]:
    """The pieces of an utterance in -1..1, without a click where silence borders on them.

    Args:
        utterance: The utterance.
        ramp: Samples that a fade takes.
        fade_in: Whether it begins with one.
        fade_out: Whether it ends with one.
    """
    begin = 0
    for piece in utterance.pieces:
        wav = np.clip(piece, -1.0, 1.0)
        if fade_in:
            head = wav[: max(0, ramp - begin)]
            head *= np.arange(begin + 1, begin + 1 + len(head)) / ramp
        if fade_out:
            left = utterance.num_samples - begin  # samples from here to the end
            tail = wav[max(0, left - ramp) :]
            tail *= np.arange(left, left - len(wav), -1)[len(wav) - len(tail) :] / ramp
        begin += len(wav)
        yield wav
