"""Before stage 5: the transcripts of a set as they are spoken, or their phonemes."""

from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.training.texts import write_spoken_text
from silvertalk.utils.cli import worker


def rewrite(
    text: str, out: str, unknown: str, language: str = "auto", normalise: str = "auto", g2p: str = "none"
) -> None:
    """Write a Kaldi text file as it is spoken.

    Args:
        text: Kaldi text file: utterance id, space, transcript.
        out: The same with what is spoken.
        unknown: File for what cannot be: utterance id, place (from 1), character, its name; tabs between.
        language: ko, en, zh, another of eSpeak NG's (for phonemes), or auto: by the script of each text.
        normalise: auto or none.
        g2p: espeak writes eSpeak NG's phonemes, parted by spaces; other names leave words.
    """
    write_spoken_text(text, out, unknown, TextFrontEnd(language, normalise, g2p))


get_parser, main = worker(rewrite)


if __name__ == "__main__":
    main()
