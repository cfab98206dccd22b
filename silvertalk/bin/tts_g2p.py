"""Before stage 5: which grapheme-to-phoneme converter is used, or what it lacks."""

import logging
from pathlib import Path

from silvertalk.tts.cleaner import check_cleaner
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.g2p import choose_g2p
from silvertalk.utils.cli import make_parser, run


def print_choice(
    language: str = "auto",
    g2p: str = "auto",
    normalise: str = "none",
    cleaner: str = "none",
    save_to: str | None = None,
) -> None:
    """Print the name of the converter; the reason goes to the log. A text cleaner is only checked.

    Args:
        language: ko, en, zh or another language of eSpeak NG; auto only where g2p is not auto.
        g2p: auto, none, espeak, or a name of ESPnet's.
        normalise: auto or none; only for save_to.
        cleaner: ESPnet's text cleaner.
        save_to: Folder of a voice that gets a text.yaml with the choice.
    """
    check_cleaner(cleaner, language)
    choice = choose_g2p(language, g2p)
    logging.info("g2p %s: %s", choice.name, choice.reason)
    if save_to:
        Path(save_to).mkdir(parents=True, exist_ok=True)
        TextFrontEnd(language, normalise, choice.name).save(save_to)
    print(choice.name)


def get_parser():
    """Return the parser."""
    return make_parser(print_choice)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), print_choice, cmd)


if __name__ == "__main__":
    main()
