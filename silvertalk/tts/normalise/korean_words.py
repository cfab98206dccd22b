"""Latin letters, words and addresses in Hangul."""

import re
import unicodedata

from silvertalk.tts.normalise import korean_tables as table
from silvertalk.tts.normalise.hangul import word_in_hangul
from silvertalk.tts.normalise.korean_numbers import digits


def spell(text: str) -> str:
    return "".join(table.LETTERS[letter] for letter in text.lower() if letter in table.LETTERS)


def read_word(word: str) -> str:
    """A Latin word: from the table, spelt out (capitals, no vowel), or by its English sounds."""
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if c.isascii() and (c.isalpha() or c == "'"))
    known = table.WORDS.get(plain.lower())
    if known and not (plain.isupper() and plain.lower() in table.LETTER_WORDS):
        return known
    if plain.isupper() or len(plain) == 1 or not re.search("[aeiouy]", plain.lower()):
        return spell(plain)
    return word_in_hangul(plain)


def read_address(text: str) -> str:
    """An e-mail or web address: words, letters, digits and the names of the marks (관용)."""
    pieces = []
    for piece in re.findall(r"\.(?:com|net)\b|[A-Za-z]+|\d+|.", text):
        if piece in table.ADDRESS_WORDS:
            pieces.append(table.ADDRESS_WORDS[piece])
        elif piece.isdigit():
            pieces.append(digits(piece))
        elif not piece.isalpha():
            pieces.append(table.ADDRESS_SYMBOLS.get(piece, ""))
        elif piece.lower() in table.WORDS:
            pieces.append(table.WORDS[piece.lower()])
        else:
            pieces.append(spell(piece) if len(piece) <= 3 else read_word(piece.lower()))
    return " ".join(pieces)
