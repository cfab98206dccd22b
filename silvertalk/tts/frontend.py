"""From a transcript or typed text to what ESPnet reads: spoken words, or their phonemes."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from silvertalk.tts.g2p import ESPEAK, phonemise
from silvertalk.tts.normalise import LANGUAGES, Normalised, detect_language, normalise
from silvertalk.utils import write_text

FILE = "text.yaml"  # in the folder of a voice


@dataclass(frozen=True)
class TextFrontEnd:
    """What is done to text before ESPnet reads it; a voice keeps it in ``text.yaml``.

    Args:
        language: ko, en, zh, another of eSpeak NG's (for phonemes), or auto: by the script of each text.
        normalise: auto: numbers, dates, symbols and letters become words; none: text stays as it is.
        g2p: espeak: the text becomes eSpeak NG's phonemes; with other names ESPnet converts, or nobody.
    """

    language: str = "auto"
    normalise: str = "none"
    g2p: str = "none"

    def __post_init__(self):
        if self.normalise not in ("none", "auto"):
            raise ValueError(f"--normalise takes none or auto, not '{self.normalise}'")
        if self.normalise == "auto" and self.language not in LANGUAGES:
            raise ValueError(
                f"no text normalisation for language '{self.language}'; there is {', '.join(LANGUAGES)}; "
                "use --normalise none"
            )

    @property
    def writes_phonemes(self) -> bool:
        """Whether the text becomes phonemes here and not in ESPnet."""
        return self.g2p == ESPEAK

    def __call__(self, text: str) -> Normalised:
        """Return the text that ESPnet reads, and the characters that are not spoken."""
        result = normalise(text, self.language) if self.normalise == "auto" else Normalised(text)
        if self.g2p.startswith("pypinyin"):  # takes a mark and the space behind it for one sound
            return Normalised(result.text.replace(" ", ""), result.unknown)
        if not self.writes_phonemes:
            return result
        language = detect_language(result.text) if self.language == "auto" else self.language
        return Normalised(" ".join(phonemise(result.text, language)), result.unknown)

    def save(self, folder: str | os.PathLike) -> None:
        """Write ``text.yaml`` into the folder of a voice."""
        write_text(Path(folder) / FILE, yaml.safe_dump(asdict(self), sort_keys=False))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "TextFrontEnd":
        """Read the front end of a voice; one without ``text.yaml`` takes text as it is.

        Raises:
            ValueError: The file has an unknown entry.
        """
        path = Path(folder) / FILE
        if not path.is_file():
            return cls()
        options = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        unknown = set(options) - set(asdict(cls()))
        if unknown:
            raise ValueError(f"{path}: unknown entry {', '.join(sorted(unknown))}")
        return cls(**options)
