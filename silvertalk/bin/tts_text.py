"""Before stages 5 and 8: the transcripts of a set as they are spoken, or their phonemes."""

import logging
from pathlib import Path

from silvertalk.data.kaldi import iter_sorted
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.utils import atomic_path
from silvertalk.utils.cli import make_parser, run


def write_spoken_text(
    text: str,
    out: str,
    unknown: str,
    language: str = "auto",
    normalise: str = "auto",
    g2p: str = "none",
    exp_dir: str | None = None,
) -> None:
    """Write a Kaldi text file as it is spoken.

    Args:
        text: Kaldi text file: utterance id, space, transcript.
        out: The same with what is spoken.
        unknown: File for what cannot be: utterance id, place (from 1), character, its name; tabs between.
        language: ko, en, zh, another of eSpeak NG's (for phonemes), or auto: by the script of each text.
        normalise: auto or none.
        g2p: espeak writes eSpeak NG's phonemes, parted by spaces; other names leave words.
        exp_dir: A voice whose text.yaml says all three instead.
    """
    if not Path(text).is_file():
        raise FileNotFoundError(f"no {text}; run stage 4")
    front_end = TextFrontEnd.load(exp_dir) if exp_dir else TextFrontEnd(language, normalise, g2p)
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


def get_parser():
    """Return the parser."""
    return make_parser(write_spoken_text)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), write_spoken_text, cmd)


if __name__ == "__main__":
    main()
