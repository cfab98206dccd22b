"""A text spoken into a file or a stream, with its captions and timings."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from silvertalk.media.sound_writer import SoundWriter
from silvertalk.tts.captions import TimedSentence, check_names, make_cues, write_captions, write_timings
from silvertalk.tts.options import SpeakOptions
from silvertalk.tts.voice import Voice
from silvertalk.utils import progress

STANDARD_INPUT = "-"


def read_text_file(path: str | os.PathLike) -> str:
    """Read what is to be said; every line is a paragraph.

    Args:
        path: UTF-8 text; "-" for standard input.

    Raises:
        ValueError: It is no UTF-8 text.
    """
    data = sys.stdin.buffer.read() if str(path) == STANDARD_INPUT else Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no UTF-8 text (byte {error.start + 1}); convert it, e.g. with iconv") from error


def speak_to(
    voice: Voice,
    text: str,
    out,
    options: SpeakOptions | None = None,
    captions: Sequence[str | os.PathLike] = (),
    timings: str | os.PathLike | None = None,
) -> list[TimedSentence]:
    """Speak a text of any length; only one sentence of sound is held in memory.

    Args:
        voice: Who speaks.
        text: What to say.
        out: Where to; see ``SoundWriter``. Streams get the sound as it is made.
        options: How to speak.
        captions: Files of captions, .srt or .vtt.
        timings: File of the tokens' times, .tsv or .json.

    Returns:
        When what was said.
    """
    check_names(captions, timings)
    sentences = []
    with SoundWriter(out, voice.sampling_rate) as writer:
        stream = voice.stream(text, options, in_pieces=writer.is_stream)
        for sentence in progress(stream, desc="sentences", total=voice.count_sentences(text, options)):
            for piece in sentence.pieces:
                writer.write(piece)
            sentences.append(sentence.timing)
    write_texts(sentences, voice, captions, timings)
    return sentences


def write_texts(
    sentences: Sequence[TimedSentence],
    voice: Voice,
    captions: Sequence[str | os.PathLike] = (),
    timings: str | os.PathLike | None = None,
) -> None:
    """Write captions and timings of what a voice said."""
    if captions:
        cues = [cue for sentence in sentences for cue in make_cues(sentence, voice.count_tokens)]
        for path in captions:
            write_captions(path, cues)
    if timings:
        write_timings(timings, sentences)
