"""ESPnet's text cleaners: which there are, and whether one runs here.

They are applied by ESPnet itself, in training and in speaking; ``--normalise`` does more, for Korean, English and
Chinese (see docs/TEXT.md).
"""

import importlib.util
import logging
from dataclasses import dataclass


@dataclass(frozen=True)
class Cleaner:
    """A cleaner of ESPnet 202511 (espnet2/text/cleaner.py), of those that its TTS tasks take."""

    language: str  # what it is made for
    module: str = ""  # what must be importable
    package: str = ""  # how that is installed


CLEANERS = {
    "none": Cleaner(""),
    "tacotron": Cleaner("en", "tacotron_cleaner", "espnet_tts_frontend"),
    "jaconv": Cleaner("ja", "jaconv", "jaconv"),
    "vietnamese": Cleaner("vi", "underthesea", "underthesea"),
    "korean_cleaner": Cleaner("ko"),
}


def check_cleaner(name: str, language: str = "auto") -> None:
    """Check that a cleaner can be used, before hours are spent.

    Args:
        name: As ``--cleaner`` takes it.
        language: Of the transcripts; another than the cleaner's is warned of.

    Raises:
        ValueError: There is no such cleaner.
        RuntimeError: It cannot run here; the message says what to install.
    """
    if name not in CLEANERS:
        raise ValueError(f"no cleaner '{name}'; there is {', '.join(CLEANERS)}")
    cleaner = CLEANERS[name]
    if cleaner.module and importlib.util.find_spec(cleaner.module) is None:
        raise RuntimeError(f"cleaner {name} cannot run here: install {cleaner.package}")
    if cleaner.language and language not in ("auto", cleaner.language):
        logging.warning(
            "cleaner %s is made for the language '%s', not '%s': look at dump/token_list",
            name,
            cleaner.language,
            language,
        )
