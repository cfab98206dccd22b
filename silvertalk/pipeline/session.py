"""A voice and a face that stay warm between texts.

A text is spoken, drawn and encoded sentence by sentence: while one sentence
is drawn, the voice speaks the next, and what waits between them is bounded.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from silvertalk.media.sound import Sound, aac_rate, resample
from silvertalk.talker.base import MIN_SOUND, Result, Take, Talker
from silvertalk.talker.options import VideoOptions
from silvertalk.tts.captions import TimedSentence
from silvertalk.tts.options import SpeakOptions
from silvertalk.utils import progress
from silvertalk.utils.background import Worker, in_background

SENTENCES_AHEAD = 1  # spoken while another is drawn
FRAGMENTS_AHEAD = 4
IDLES_KEPT = 8
LOOK_EVERY = 0.05  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Fragment:
    """A piece of fragmented mp4, which can be played as soon as all before it is there."""

    data: bytes
    sentence: TimedSentence  # of its last frame


@dataclass
class _Saying:
    """A text that is being said."""

    text: str
    stopped: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)  # the first second is drawn
    sentences: list[TimedSentence] = field(default_factory=list)  # that were spoken

    def check(self) -> None:
        """End the film of a text that was stopped, so that no part of it is taken for the whole."""
        if self.stopped.is_set():
            raise RuntimeError("the text was stopped before its end; nothing was written")


class Session:
    """A voice and a face that stay warm between texts; one text is said at a time.

    Args:
        voice: The voice.
        talker: The face's talker.
        face: Video, photo, folder of pictures, avatar or puppet.
        options: How to render, of the talker's ``options``.
        speaking: How to speak.
        seconds: How much of a film is used; None: all of it.

    Attributes:
        phase: Number of the next frame in the film's endless back and forth: speech goes on where idling was, and
            idling where speech was.
        fps: Frames per second.
        rate: Of the sound (Hz).

    Example:
        >>> session = Session(load_voice("exp"), LipSync("exp/wav2lip_x"), "avatar")
        >>> for fragment in session.say("Good morning. How are you?"):
        ...     player.append(fragment.data)
        >>> player.append(session.idle(4.0))

    Raises:
        NoFaceError: No face.
        ValueError: Options that do not go with a text.
    """

    def __init__(
        self,
        voice,
        talker: Talker,
        face: str | os.PathLike,
        options: VideoOptions | None = None,
        speaking: SpeakOptions | None = None,
        seconds: float | None = None,
    ):
        self.voice, self.talker, self.speaking = voice, talker, speaking
        self.options = options or talker.options()
        for name, own in (("length", "sound"), ("soundtrack", "driving")):
            if getattr(self.options, name, own) != own:
                raise ValueError(f"--{name} goes with a recording, not with a text; speak it first (silvertalk tts)")
        self.face = talker.prepare(face, self.options, seconds=seconds)
        self.fps, self.rate = talker.frame_rate(self.face, self.options), aac_rate(voice.sampling_rate)
        self.phase = 0
        self._least_frames = math.ceil(MIN_SOUND * self.fps)
        self._idles: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._saying = _Saying("")
        self._worker: Worker | None = None

    def say(self, text: str) -> Generator[Fragment]:
        """Say a text; what is made waits for the reader, a few fragments ahead.

        Args:
            text: Of any length; every line is a paragraph. A text that is still being said ends.

        Yields:
            Fragments, which together are one file; the first begins with its header.

        Raises:
            ValueError: Nothing in the text can be spoken.
        """
        saying = self._begin(text)
        worker = self._worker = Worker(self._fragments(saying), FRAGMENTS_AHEAD)
        return worker.results()

    def stop(self) -> None:
        """End the text that is being said, from any thread: voice, drawing, encoding; its reader sees an end."""
        if self._worker is not None:  # first: its reader is to see an end, not the error of the film
            self._worker.stop()
        self._saying.stopped.set()

    def write(self, text: str, out) -> tuple[Result, list[TimedSentence]]:
        """Say a text into a file or a stream.

        Args:
            text: See ``say``.
            out: See ``VideoWriter``.

        Returns:
            What was rendered, and when what was said.

        Raises:
            RuntimeError: ``stop`` was called.
        """
        name = getattr(out, "name", "stream") if hasattr(out, "write") else str(out)
        result, saying = Result(name, 0, self.fps), self._begin(text)
        with closing(self._film(saying, out, result)) as film:
            for _ in progress(film, desc=name):
                pass
        return result, saying.sentences

    def idle(self, seconds: float) -> bytes:
        """The face at rest, its lips closed, from the present phase on: rendered once and kept.

        Args:
            seconds: How long; whole frames are taken.

        Returns:
            A fragmented mp4 with silence.
        """
        num_frames = max(round(seconds * self.fps), self._least_frames)
        with closing(self._open(np.zeros(self._samples(num_frames), np.float32))) as take:
            key = self.phase % take.period, num_frames
            if key not in self._idles:
                self._idles[key] = self._render(take)
        self._idles.move_to_end(key)
        while len(self._idles) > IDLES_KEPT:
            self._idles.popitem(last=False)
        self.phase += num_frames
        return self._idles[key]

    def _render(self, take: Take) -> bytes:
        """A whole take as fragmented mp4."""
        sink = _Sink()
        with self.talker.writer(sink, take, self.options, *take.heard()) as writer:
            for picture in self.talker.shown(take, self.options):
                writer.write(picture)
        return sink.take()

    def _begin(self, text: str) -> _Saying:
        """End what is being said, and begin with a text."""
        self.stop()
        self._saying, self._worker = _Saying(text), None
        return self._saying

    def _samples(self, num_frames: int) -> int:
        """Samples of sound under some frames."""
        return round(num_frames * self.rate / self.fps)

    def _open(self, wav: np.ndarray) -> Take:
        """Get ready to draw a sound, (T,) at ``rate``, from the present phase on."""
        return self.talker.open(self.face, Sound.from_array(wav, self.rate), self.options, self.phase)

    def _fragments(self, saying: _Saying) -> Generator[Fragment]:
        """Say a text; yields what was encoded whenever some is whole."""
        sink = _Sink()
        with closing(self._film(saying, sink)) as film:
            for sentence in film:
                if data := sink.take():
                    yield Fragment(data, sentence)
        if (data := sink.take()) and saying.sentences:
            yield Fragment(data, saying.sentences[-1])

    def _film(self, saying: _Saying, out, result: Result | None = None) -> Generator[TimedSentence]:
        """Draw and encode; yields the sentence of each frame, once the frame is encoded."""
        result, feed, writer = result or Result("", 0, self.fps), _Feed(), None
        with contextlib.ExitStack() as stack:
            takes = stack.enter_context(closing(self._takes(saying)))
            for sentence, wav in takes:
                with closing(self._open(wav)) as take, closing(self.talker.shown(take, self.options)) as pictures:
                    if writer is None:
                        writer = stack.enter_context(self.talker.writer(out, take, self.options, feed, self.rate))
                    feed.append(wav)
                    begin = result.num_frames / self.fps
                    for picture in pictures:
                        saying.check()
                        writer.write(picture)
                        self.phase, result.num_frames = self.phase + 1, result.num_frames + 1
                        if result.num_frames >= self.fps:
                            saying.begun.set()
                        yield sentence
                    saying.begun.set()
                    result.spans_without_face += [(begin + a, begin + b) for a, b in take.spans_without_face()]
            saying.check()

    def _takes(self, saying: _Saying) -> Generator[tuple[TimedSentence, np.ndarray]]:
        """Cut what is spoken at whole frames: yields (sentence, float32 (T,)); what is less waits for the next."""
        rest, frames, samples = np.zeros(0, np.float32), 0, 0  # what waits; frames and samples handed out
        total = self.voice.count_sentences(saying.text, self.speaking)
        with closing(in_background(self._spoken(saying), SENTENCES_AHEAD)) as spoken:
            for sentence, wav in spoken:
                rest = np.concatenate([rest, wav])
                whole = (samples + len(rest)) * self.fps / self.rate
                if sentence.number == total and len(rest):  # silence fills its last frame
                    whole = max(math.ceil(whole), frames + self._least_frames)
                if int(whole) - frames < self._least_frames:
                    saying.begun.set()  # there is nothing to draw yet
                    continue
                count = self._samples(int(whole)) - samples
                yield sentence, np.pad(rest[:count], (0, max(0, count - len(rest))))
                rest, frames, samples = rest[count:], int(whole), samples + count

    def _spoken(self, saying: _Saying) -> Generator[tuple[TimedSentence, np.ndarray]]:
        """Speak a text; after the first sentence the voice waits until a second of it is drawn.

        What is heard first has the whole machine until it can be played.
        """
        with closing(self.voice.stream(saying.text, self.speaking, in_pieces=True)) as sentences:
            for sentence in sentences:
                pieces = [np.zeros(0, np.float32)]
                for piece in sentence.pieces:
                    if saying.stopped.is_set():
                        return
                    pieces.append(piece)
                saying.sentences.append(sentence.timing)
                yield sentence.timing, resample(np.concatenate(pieces), self.voice.sampling_rate, self.rate)
                while not saying.begun.wait(LOOK_EVERY):
                    if saying.stopped.is_set():
                        return


class _Sink:
    """Bytes as they are written, until they are taken."""

    name = "stream"

    def __init__(self):
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data, self._data = bytes(self._data), bytearray()
        return data


class _Feed(deque):
    """Sound for ``VideoWriter`` that grows while it is encoded: it ends where there is none yet, and goes on later."""

    def __iter__(self):
        return self

    def __next__(self) -> np.ndarray:
        if not self:
            raise StopIteration
        return self.popleft()
