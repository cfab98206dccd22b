"""Which text a voice can speak: its token list and the characters outside it.

Pure text work without ESPnet, whose import takes seconds.
"""

import os
from pathlib import Path

import yaml

SPECIAL_TOKENS = ("<blank>", "<unk>", "<sos/eos>")
END_MARKS = set(".!?…,;: 。！？，、；：") | {"<space>"}
SPACE = "<space>"  # ESPnet's name of " " in a character token list


class UnknownCharacterError(ValueError):
    """The text holds a character for which the voice has no token."""


def read_token_list(path: str | os.PathLike) -> list[str]:
    """Read the tokens of a voice.

    Args:
        path: Token list as ``espnet2.bin.tokenize_text`` writes it, one token
            a line, or the ``config.yaml`` of a trained voice, which holds it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds no token besides the special ones.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no {path}; run stage 5")
    content = Path(path).read_text(encoding="utf-8")
    if Path(path).suffix == ".yaml":
        tokens = list(yaml.safe_load(content).get("token_list", []))
    else:
        # A token may be a space-like character, so nothing but the line's end is cut.
        tokens = [line for line in content.split("\n") if line]
    if not set(tokens) - set(SPECIAL_TOKENS):
        raise ValueError(f"{path} holds no token; run stage 5 on a training set with transcripts")
    return tokens


def normalize_text(text: str, tokens: list[str]) -> str:
    """Bring typed text to the form of the transcripts: single spaces, letter case of the tokens.

    Args:
        text: Typed text.
        tokens: The voice's character tokens. Text becomes lower-case when they
            hold no upper-case letter.
    """
    text = " ".join(text.split())
    letters = [token for token in tokens if len(token) == 1 and token.isalpha()]
    if letters and all(letter == letter.lower() for letter in letters):
        text = text.lower()
    return text


def find_unknown(text: str, tokens: list[str]) -> list[tuple[int, str]]:
    """Find the characters that have no token.

    Example:
        ``find_unknown("bin 2", ["<space>", "b", "i", "n"])`` -> ``[(4, "2")]``

    Returns:
        Place (0-based) and character of each, in order.
    """
    known = set(tokens)
    return [(i, c) for i, c in enumerate(text) if (SPACE if c == " " else c) not in known]


def describe_unknown(text: str, unknown: list[tuple[int, str]], tokens: list[str]) -> str:
    """Say in one line which characters are unknown, where, and which ones are known."""
    shown = ", ".join(f"'{c}' (U+{ord(c):04X}) at place {i + 1}" for i, c in unknown[:5])
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    known = sorted("space" if token == SPACE else token for token in tokens if token not in SPECIAL_TOKENS)
    return f"'{text}' has {shown}{more}, for which the voice has no token; it knows: {' '.join(known)}"


def describe_unknown_tokens(text: str, tokens: list[str]) -> str | None:
    """Say which of the tokens of a text, parted by spaces, a voice does not know; None when it knows all."""
    known = set(tokens)
    unknown = sorted({token for token in text.split() if token not in known})
    return f"the voice has no token for: {' '.join(unknown)}" if unknown else None


def without_end_marks(units: list[str], tokens: list[str]) -> list[str]:
    """Leave out marks at the end of a sentence for which a voice has no token: the pause after it says them.

    Args:
        units: Characters or phonemes.
        tokens: What the voice knows.
    """
    known = set(tokens)
    while units and units[-1] not in known and units[-1] in END_MARKS:
        units = units[:-1]
    return units
