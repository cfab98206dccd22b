"""Written text cut into typed tokens: numbers, dates, Latin words, Hangul, symbols, ..."""

import re
import unicodedata
from dataclasses import dataclass, field

# Compatibility characters are folded (full width, ㎏, ㏊, ℃, ½), but not these, which NFKC would make ambiguous:
# Roman numerals ("Ⅳ" would be the letters IV), superscripts of units, the ellipsis, lone jamo and the trade mark sign.
KEEP = set("²³…™℠") | {chr(c) for c in (*range(0x2160, 0x2180), *range(0x3131, 0x318F))}
SUPERSCRIPT_UNITS = {
    "㎡": "m²",
    "㎠": "cm²",
    "㎢": "km²",
    "㎟": "mm²",
    "㎥": "m³",
    "㎤": "cm³",
    "㎦": "km³",
    "㎣": "mm³",
}
SAME = {  # variants that NFKC leaves apart
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **dict.fromkeys("“”„‟″", '"'),
    **dict.fromkeys("‐‑‒−﹣", "-"),
    **dict.fromkeys("–—―─", "–"),
    **dict.fromkeys("∼〜～˜", "~"),
    **dict.fromkeys("・ㆍ•‧∙⋅", "·"),
    "㏄": "cc",
    "µ": "μ",
    "￦": "₩",
    "￥": "¥",
    "。": ".",
    "、": ",",
}
# Carry neither sound nor meaning: byte order mark, zero-width spaces, joiners, variation selectors, soft hyphen.
INVISIBLE = set("\ufeff\u200b\u200c\u200e\u200f\u2060\u00ad")

# What a token may look like, in order of preference; the first that matches at a place wins.
PATTERNS = {
    "url": r"(?:https?://|www\.)[A-Za-z0-9][A-Za-z0-9._~/?#=&%+:-]*[A-Za-z0-9/]",
    "email": r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    "domain": r"[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*\.(?:com|net|org|kr|io|ai|gov|edu|cn)(?![A-Za-z0-9])",
    "phone": r"(?<![\d.,-])(?:\+\d{1,3}[ -]\d{1,3}-\d{3,4}-\d{4}|\(?0\d{1,2}\)?[- ]?\d{3,4}-\d{4}|01\d{9}"
    r"|1(?:522|533|544|566|577|588|599|600|644|661|666|668|670|688|800|811|833|855|877|899)-\d{4})(?![\d-])",
    "date": r"(?<![\d.])(?:1\d|20|21)\d\d(?P<separator>[-./]) ?(?:0?[1-9]|1[0-2])(?P=separator) ?"
    r"(?:[12]\d|3[01]|0?[1-9])(?!\d|-\d)",
    "time": r"(?<![\d:.])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?![\d:])",
    "ratio": r"(?<![\d:.])\d+(?:\.\d+)?(?: ?: ?\d+(?:\.\d+)?)+(?![\d:])",
    "version": r"\d+(?:\.\d+){2,}",
    "memorial": r"\d{1,2}·\d{1,2}",
    "fraction": r"(?<![\d/.])\d+/\d+(?![\d/])",
    "hyphenated": r"\d+(?:-\d+)+",
    "number": r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\d])|\.\d+",
    "hangul": r"[가-힣]+",
    "han": r"[\u3400-\u9fff\uf900-\ufaff]+",
    "jamo": r"[\u3131-\u3163]+",
    "roman": r"[\u2160-\u217f]+",
    "initials": r"(?:[A-Za-z]\.){2,}",
    "latin": r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]+(?:'[a-z]+)?",
    "space": r"\s+",
    "ellipsis": r"…+|\.{2,}|·{2,}",
    "end": r"[.!?]+",
    "other": r".",
}
_LEXER = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in PATTERNS.items()), re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A piece of the prepared text."""

    kind: str  # a name of PATTERNS
    text: str
    start: int  # place in the prepared text


@dataclass(frozen=True)
class Unknown:
    """A character that has no reading and was left out of the spoken text."""

    index: int  # place in the text as it was given, from 0
    character: str
    name: str  # Unicode's


@dataclass(frozen=True)
class Normalised:
    """Text as it is spoken, and what could not be."""

    text: str
    unknown: list[Unknown] = field(default_factory=list)


@dataclass(frozen=True)
class Prepared:
    """Text with one form for every character, and where each came from."""

    text: str
    index: list[int]  # of every character, the place in the text as it was given


def prepare(text: str) -> Prepared:
    """Fold full-width and compatibility characters, join decomposed Hangul, unify quotes, dashes and spaces."""
    pieces, index = [], []
    place = 0
    while place < len(text):
        end = place + 1
        while end < len(text) and _continues(text[end]):
            end += 1
        folded = "".join(_fold(character) for character in unicodedata.normalize("NFC", text[place:end]))
        pieces.append(folded)
        index.extend([place] * len(folded))
        place = end
    return Prepared("".join(pieces), index)


def _continues(character: str) -> bool:
    """Whether a character belongs to the one before it: a vowel or final of decomposed Hangul, an accent."""
    return "\u1160" <= character <= "\u11ff" or "\u0300" <= character <= "\u036f"


def _fold(character: str) -> str:
    if character in INVISIBLE:
        return ""
    if character in KEEP:
        return character
    if character in SUPERSCRIPT_UNITS:
        return SUPERSCRIPT_UNITS[character]
    if character in SAME:
        return SAME[character]
    folded = unicodedata.normalize("NFKC", character).replace("\u2044", "/")  # the slash of "½"
    return SAME.get(folded, folded)


def tokenise(text: str) -> list[Token]:
    """Cut prepared text into tokens; joined again they are the text."""
    return [Token(match.lastgroup, match.group(), match.start()) for match in _LEXER.finditer(text)]


def words(table: str) -> list[str]:
    """A table of words, parted by spaces."""
    return table.split()


def pairs(table: str) -> dict[str, str]:
    """A table of "written spoken" pairs, parted by commas."""
    entries = (entry.strip().partition(" ") for entry in table.replace("\n", " ").split(", ") if entry.strip())
    return {written: spoken for written, _, spoken in entries}


def roman_value(letters: str) -> int:
    """The value of a Roman numeral: IX -> 9."""
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter] for letter in letters]
    return sum(-v if v < following else v for v, following in zip(values, [*values[1:], 0], strict=True))
