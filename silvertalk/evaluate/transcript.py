"""What a transcript and a recogniser's output have in common: words, without case, marks and figures."""

import unicodedata
from collections.abc import Iterable, Sequence

from silvertalk.tts.normalise import LANGUAGES, normalise

UNSPACED = ("zh", "ja", "th")  # languages whose words are not parted: only their letters are compared
ANY_SPACING = (*UNSPACED, "ko")  # languages whose letters are compared without the spaces, which writers set freely
# One spelling of what recognisers and normalised transcripts write in several ways.
ENGLISH_SPELLINGS = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "etc": "et cetera",
    "etcetera": "et cetera",
    "ok": "okay",
}


def spoken_words(text: str, language: str = "en") -> list[str]:
    """Bring text to the words that are said.

    Numbers, units and symbols are read as words where the language has a reader (``silvertalk.tts.normalise``);
    case, marks and, in English, accents and hyphens are dropped.

    Example:
        ``spoken_words("Mr. Smith's 26 cafés")`` -> ``["mister", "smith's", "twenty", "six", "cafes"]``

    Args:
        text: Any text.
        language: ``en``, ``ko``, ``zh``, or another one, of which figures stay as they are.
    """
    if language in LANGUAGES:
        text = normalise(text, language).text
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    if language == "en":
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    text = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    words = [word for piece in text.split() if (word := piece.strip("'"))]
    return " ".join(ENGLISH_SPELLINGS.get(word, word) for word in words).split() if language == "en" else words


def spoken_letters(words: Iterable[str], language: str = "en") -> str:
    """Join words to the letters that are compared, with spaces between words only where they are reliable."""
    return ("" if language in ANY_SPACING else " ").join(words)


def count_errors(reference: Sequence, heard: Sequence) -> tuple[int, int]:
    """Align two sequences of words or letters with the fewest errors (Levenshtein distance).

    Returns:
        Substitutions, deletions and insertions together; and how many items of the reference were found: of the
        alignments with the fewest errors, the most.
    """
    row = [(j, 0) for j in range(len(heard) + 1)]  # errors, less hits
    for i, item in enumerate(reference, 1):
        diagonal, row[0] = row[0], (i, 0)
        for j, other in enumerate(heard, 1):
            same = item == other
            replaced = diagonal[0] + (not same), diagonal[1] - same
            deleted, inserted = ((errors + 1, hits) for errors, hits in (row[j], row[j - 1]))
            diagonal, row[j] = row[j], min(replaced, deleted, inserted)
    return row[-1][0], -row[-1][1]
