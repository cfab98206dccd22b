"""Before stage 5: the language of a corpus that nobody named."""

import logging

from silvertalk.data import iter_scp
from silvertalk.tts.normalise import detect_corpus_language
from silvertalk.utils.cli import make_parser, run


def print_language(text: str) -> None:
    """Print the language of a Kaldi text file, by script: ko, en or zh.

    Args:
        text: Kaldi text file: utterance id, space, transcript.
    """
    try:
        language, number, total = detect_corpus_language(spoken for _, spoken in iter_scp(text))
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from error
    other = "; other languages in Latin letters must be named (--language de)" if language == "en" else ""
    logging.info("language %s, by the letters of %d of %d transcripts%s", language, number, total, other)
    print(language)


def get_parser():
    """Return the parser."""
    return make_parser(print_language)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), print_language, cmd)


if __name__ == "__main__":
    main()
