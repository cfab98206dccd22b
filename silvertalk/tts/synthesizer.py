"""Text to sound with a trained voice."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import yaml

from silvertalk.media.loudness import Leveller
from silvertalk.tts.captions import TimedSentence, TimedToken
from silvertalk.tts.espnet import quiet
from silvertalk.tts.experiment import find_checkpoint, resolve_config
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.normalise import describe, detect_language
from silvertalk.tts.options import SpeakOptions
from silvertalk.tts.sentences import Sentence, split_text
from silvertalk.tts.speakers import Speakers, load_speakers
from silvertalk.tts.store import load_stored
from silvertalk.tts.text import (
    UnknownCharacterError,
    describe_unknown,
    describe_unknown_tokens,
    find_unknown,
    normalize_text,
    without_end_marks,
)
from silvertalk.tts.voices import Utterance, make_voice

FADE = 0.005  # seconds, at pauses: voices do not end in perfect silence


@dataclass
class SpokenSentence:
    """A sentence, as soon as it can be heard."""

    timing: TimedSentence
    pieces: Iterator[np.ndarray]  # float32 (n,) each in -1..1: the silence before the sentence, and its sound; to be
    # used before the next sentence is asked for


@dataclass(frozen=True)
class Speech:
    """A text that was spoken."""

    wav: np.ndarray  # (T,) float32 in -1..1
    sampling_rate: int  # Hz
    sentences: tuple[TimedSentence, ...]


class Synthesizer:
    """A trained ESPnet voice; a thin layer over ``espnet2.bin.tts_inference.Text2Speech``.

    Example:
        >>> synthesizer = Synthesizer.from_exp("exp/tts_train_jets_raw_phn_none_espeak")
        >>> wav, sampling_rate = synthesizer("bin blue at f two now")
        >>> for sentence in synthesizer.stream("One. Two. Three.", SpeakOptions(speed=0.8)):
        ...     play(sentence.pieces)
    """

    def __init__(
        self,
        text2speech,
        tokens: list[str] | None = None,
        front_end: TextFrontEnd | None = None,
        speakers: Speakers | None = None,
        engine: str = "torch",
        precision: str = "fp32",
        num_threads: int = 0,
    ):
        """Wrap a loaded model.

        Args:
            text2speech: A ``Text2Speech``.
            tokens: The voice's character tokens; None when its tokens are not
                characters (then ESPnet's own tokenizer decides alone). With a front end that writes
                phonemes: these.
            front_end: How text becomes what ESPnet reads; by default it is read as it is.
            speakers: Who can speak with it; by default it is the voice of one.
            engine: What runs JETS's vocoder: auto, torch, openvino or onnxruntime. With torch fp32 the sound is
                ESPnet's.
            precision: auto, fp32, bf16 or fp16.
            num_threads: Threads on the processor; 0: one per core.
        """
        self.text2speech = text2speech
        self.tokens = tokens
        self.front_end = front_end or TextFrontEnd()
        self.speakers = speakers or Speakers()
        self.voice = make_voice(text2speech, engine, precision, num_threads)

    @classmethod
    def from_exp(
        cls,
        exp_dir: str | os.PathLike,
        device: str = "cpu",
        checkpoint: str | os.PathLike | None = None,
        **options,
    ) -> "Synthesizer":
        """Load the voice of an experiment folder.

        Args:
            exp_dir: Folder with ``config.yaml`` and weights.
            device: ``cpu`` or ``cuda``.
            checkpoint: Weights; by default ``train.total_count.ave_5best.pth``,
                else another average, else ``latest.pth``.
            **options: engine, precision and num_threads.

        Raises:
            FileNotFoundError: The folder holds no trained voice.
        """
        checkpoint = Path(checkpoint) if checkpoint else find_checkpoint(exp_dir)
        if not checkpoint.exists():
            raise FileNotFoundError(f"no {checkpoint}; run stage 7")
        text2speech = _load(resolve_config(exp_dir), checkpoint, device)
        arguments = text2speech.train_args
        front_end = TextFrontEnd.load(exp_dir)
        checked = arguments.token_type == "char" and arguments.cleaner is None or front_end.writes_phonemes
        tokens = list(arguments.token_list) if checked else None
        return cls(text2speech, tokens, front_end, load_speakers(exp_dir), **options)

    @property
    def sampling_rate(self) -> int:
        """Hz of the sound."""
        return int(self.text2speech.fs)

    def __call__(self, text: str, options: SpeakOptions | None = None) -> tuple[np.ndarray, int]:
        """Speak a text; see ``stream``.

        Returns:
            Sound (T,) float32 in -1..1, and its sampling rate in Hz.
        """
        speech = self.speak(text, options)
        return speech.wav, speech.sampling_rate

    def speak(self, text: str, options: SpeakOptions | None = None) -> Speech:
        """Speak a text, and tell when what was said; see ``stream``."""
        pieces, sentences = [], []
        for sentence in self.stream(text, options):
            pieces.extend(sentence.pieces)
            sentences.append(sentence.timing)
        return Speech(np.concatenate(pieces), self.sampling_rate, tuple(sentences))

    def stream(
        self, text: str, options: SpeakOptions | None = None, in_pieces: bool = False
    ) -> Iterator[SpokenSentence]:
        """Speak a text sentence by sentence, each when it is asked for.

        A sentence that cannot be spoken is left out with a warning, and its ``timing.problem`` says why. Marks at the
        end of a sentence for which the voice has no token become nothing but the pause that follows.

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
        self.voice.check(options)
        sentences = split_text(text, options.longest)
        if not sentences:
            raise ValueError("the text is empty; type a sentence")
        front_end = self._front_end(text, options)
        conditions = self.speakers.conditions(options.speaker, options.language, text)
        return self._speak_all(sentences, front_end, options, conditions, in_pieces)

    def count_sentences(self, text: str, options: SpeakOptions | None = None) -> int:
        """Number of sentences that ``stream`` makes of a text."""
        return len(split_text(text, (options or SpeakOptions()).longest))

    def count_tokens(self, text: str) -> int:
        """Number of tokens that a part of a text becomes."""
        with contextlib.suppress(ValueError):
            return len(self.voice.token_ids(self._spoken(self._front_end(text, SpeakOptions())(text).text, text)))
        return 0

    def _front_end(self, text: str, options: SpeakOptions) -> TextFrontEnd:
        """The front end in one language for all sentences: an English sentence in Korean text is read as Korean."""
        own = self.front_end.language
        plain = self.front_end.normalise == "none" and not self.front_end.writes_phonemes
        if options.language not in ("", own) and (plain or own != "auto") and not self.speakers.lids:
            knows = "one language" if own == "auto" else own
            raise ValueError(f"this voice speaks {knows}: leave out --language {options.language}")
        if plain or own != "auto":
            return self.front_end
        return replace(self.front_end, language=options.language or detect_language(text))

    def _speak_all(
        self, sentences: list[Sentence], front_end: TextFrontEnd, options: SpeakOptions, conditions, in_pieces: bool
    ) -> Iterator[SpokenSentence]:
        level = iter if options.loudness is None else Leveller(options.loudness, self.sampling_rate)
        end, pause = 0, 0.0  # samples until now, and seconds of silence that are due
        problems = []
        for sentence in sentences:
            where = f"sentence {sentence.number} of {len(sentences)}: " if len(sentences) > 1 else ""
            try:
                text = self._read(sentence.text, front_end, where)
                utterance = self.voice.speak(text, options, conditions, in_pieces)
            except ValueError as error:
                if len(sentences) == 1:
                    raise
                problems.append(f"{where}{error}")
                logging.warning("left out %s", problems[-1])
                spoken = _left_out(sentence, end / self.sampling_rate, str(error))
            else:
                silence = np.zeros(round(pause * self.sampling_rate), np.float32)
                timing = self._timing(sentence, text, utterance, end + len(silence))
                # A text of one sentence stays as the voice makes it.
                edges = (len(silence) > 0, sentence.number < len(sentences))
                sound = level(_faded(utterance, round(FADE * self.sampling_rate), *edges))
                spoken = SpokenSentence(timing, chain([silence] if len(silence) else [], sound))
                end, pause = end + len(silence) + utterance.num_samples, 0.0
            yield spoken
            for _ in spoken.pieces:  # what nobody wanted to hear: the next sentence is levelled by it
                pass
            pause = max(pause, options.pause_after(sentence.ending)) if end else 0.0
        if len(problems) == len(sentences):
            raise ValueError(f"none of the {len(sentences)} sentences can be spoken; {problems[0]}")
        if problems:
            logging.warning("%d of %d sentences were left out", len(problems), len(sentences))

    def _timing(self, sentence: Sentence, spoken: str, utterance: Utterance, begin: int) -> TimedSentence:
        """Lay a sentence's tokens over its samples."""
        times = np.concatenate([[0.0], np.cumsum(utterance.durations)])
        # Of an utterance whose tokens all have no length nothing is known.
        scale = utterance.num_samples / times[-1] if times[-1] else 0.0
        times = ((begin + times * scale) / self.sampling_rate).tolist()
        tokens = [TimedToken(*token) for token in zip(utterance.tokens, times[:-1], times[1:], strict=True)]
        start, end = (sample / self.sampling_rate for sample in (begin, begin + utterance.num_samples))
        return TimedSentence(sentence.number, sentence.text, spoken, start, end, tuple(tokens))

    def _read(self, text: str, front_end: TextFrontEnd, where: str) -> str:
        """Bring a sentence to what the voice was trained on, and say what is not spoken."""
        read = front_end(text)
        if read.unknown:
            logging.warning("%snot spoken: %s", where, describe(read.unknown))
        return self._spoken(read.text, text)

    def _spoken(self, read: str, text: str) -> str:
        """Check that the voice has tokens for what was read of a text."""
        tokens = self.tokens or []
        if self.front_end.writes_phonemes:
            units = without_end_marks(read.split(), tokens)
            reason, read = describe_unknown_tokens(" ".join(units), tokens), " ".join(units)
            if reason:
                raise UnknownCharacterError(reason)
        else:
            read = normalize_text(read, tokens)
            if self.tokens is not None:
                read = "".join(without_end_marks(list(read), tokens))
            unknown = find_unknown(read, tokens) if self.tokens is not None else []
            if unknown:
                raise UnknownCharacterError(describe_unknown(read, unknown, tokens))
        if not read.strip():
            raise ValueError(f"nothing in '{text}' can be spoken; type a sentence")
        return read


def _faded(utterance: Utterance, ramp: int, fade_in: bool, fade_out: bool) -> Iterator[np.ndarray]:
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


def _left_out(sentence: Sentence, time: float, problem: str) -> SpokenSentence:
    """A sentence that cannot be spoken, at a time in seconds."""
    return SpokenSentence(TimedSentence(sentence.number, sentence.text, "", time, time, (), problem), iter(()))


def _load(config: dict, checkpoint: Path, device: str):
    """Load a voice into ESPnet's ``Text2Speech``."""
    stored = checkpoint.suffix == ".safetensors"  # which ESPnet does not read
    with quiet(), tempfile.TemporaryDirectory() as folder:
        from espnet2.bin.tts_inference import Text2Speech

        (Path(folder) / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        model_file = None if stored else str(checkpoint)
        made = Text2Speech(f"{folder}/config.yaml", model_file, device=device, always_fix_seed=True)
    if stored:
        load_stored(made.model, checkpoint)
    return made
