"""Before stage 5: the language of a corpus and its grapheme-to-phoneme converter, or what they lack."""

import logging

from silvertalk.data import iter_scp
from silvertalk.tts.cleaner import check_cleaner
from silvertalk.tts.g2p import choose_g2p
from silvertalk.tts.normalise import detect_corpus_language
from silvertalk.utils.cli import worker


def print_choice(language: str = "auto", g2p: str = "auto", cleaner: str = "none", text: str | None = None) -> None:
    """Print the language and the name of the converter; the reasons go to the log. A text cleaner is only checked.

    Args:
        language: ko, en, zh or another language of eSpeak NG; auto with a text, or where g2p is not auto.
        g2p: auto, none, espeak, or a name of ESPnet's.
        cleaner: ESPnet's text cleaner.
        text: Kaldi text file that tells the language by its script: ko, en or zh.
    """
    if text is not None:
        language = _detect(text)
    check_cleaner(cleaner, language)
    choice = choose_g2p(language, g2p)
    logging.info("g2p %s: %s", choice.name, choice.reason)
    print(language, choice.name)


def _detect(text: str) -> str:
    try:
        language, number, total = detect_corpus_language(spoken for _, spoken in iter_scp(text))
    except ValueError as error:
        raise ValueError(f"{text}: {error}; name the language of the transcripts (--language)") from error
    other = "; other languages in Latin letters must be named (--language de)" if language == "en" else ""
    logging.info("language %s, by the letters of %d of %d transcripts%s", language, number, total, other)
    return language


get_parser, main = worker(print_choice)


if __name__ == "__main__":
    main()
