"""The transcripts of a set as they are spoken, or their phonemes."""

import logging
import os
from pathlib import Path

from silvertalk.data.kaldi import iter_sorted
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.utils import atomic_path


def write_spoken_text(
    text: str | os.PathLike, out: str | os.PathLike, unknown: str | os.PathLike, front_end: TextFrontEnd
) -> None:
    """Write a Kaldi text file as it is spoken.

    Args:
        text: Kaldi text file: utterance id, space, transcript.
        out: The same with what is spoken.
        unknown: File for what cannot be: utterance id, place (from 1), character, its name; tabs between.
        front_end: What is done to each transcript.
    """
    if not Path(text).is_file():
        raise FileNotFoundError(f"no {text}; run stage 4")
    done = changed = unspoken = 0
    with (
        atomic_path(out) as new_out,
        atomic_path(unknown) as new_unknown,
        open(new_out, "w", encoding="utf-8") as spoken_file,
        open(new_unknown, "w", encoding="utf-8") as unknown_file,
    ):
        for utt_id, written in iter_sorted(text):
            spoken = front_end(written)
            spoken_file.write(f"{utt_id} {spoken.text}\n")
            for found in spoken.unknown:
                unknown_file.write(f"{utt_id}\t{found.index + 1}\t{found.character}\t{found.name}\n")
            done += 1
            changed += spoken.text != written
            unspoken += bool(spoken.unknown)
    logging.info("%s: %d transcripts, %d changed; %d hold characters that are not spoken", out, done, changed, unspoken)
