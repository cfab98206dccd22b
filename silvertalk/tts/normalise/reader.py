"""What the readers of all languages share: walking over tokens, reporting characters, tidying the result."""

import re
import unicodedata

from silvertalk.tts.normalise.tokens import Normalised, Token, Unknown, prepare, tokenise


class Reader:
    """Reads one text token by token.

    A subclass has a method ``_<kind>`` for every kind of token that its language reads: it appends to ``out``
    what is spoken and returns the number of the next token. Kinds without a method are reported.
    """

    def __init__(self, source: str):
        self.source = source
        self.prepared = prepare(source)
        self.text = self.prepared.text
        self.tokens = tokenise(self.text)
        self.out: list[str] = []
        self.unknown: list[Unknown] = []

    def read(self) -> Normalised:
        """Read the whole text."""
        i = 0
        while i < len(self.tokens):
            method = getattr(self, f"_{self.tokens[i].kind}", self._unread)
            i = self._phrase(i) or method(i)
        return Normalised(tidy("".join(self.out)), self.unknown)

    def _phrase(self, i: int) -> int:
        """Emit an expression that goes before all kinds of tokens; the next token's number or 0."""
        return 0

    def _token(self, i: int) -> Token:
        return self.tokens[i] if 0 <= i < len(self.tokens) else Token("edge", "", len(self.text))

    def _skip_space(self, i: int) -> int:
        return i + (self._token(i).text == " ")

    def _split(self, i: int, length: int) -> None:
        """Cut the token i in two."""
        token = self.tokens[i]
        if length < len(token.text):
            rest = Token(token.kind, token.text[length:], token.start + length)
            self.tokens[i : i + 1] = [Token(token.kind, token.text[:length], token.start), rest]

    def _after(self, i: int, end: int) -> int:
        """The first token at or behind a place of the text; a token that the place falls into is cut there."""
        while i < len(self.tokens) and self.tokens[i].start < end:
            if self.tokens[i].start + len(self.tokens[i].text) > end:
                self._split(i, end - self.tokens[i].start)
            i += 1
        return i

    def _copy(self, i: int) -> int:
        self.out.append(self.tokens[i].text)
        return i + 1

    def _space(self, i: int) -> int:
        self.out.append(" ")
        return i + 1

    def _ellipsis(self, i: int) -> int:
        self.out.append(", ")
        return i + 1

    def _end(self, i: int) -> int:
        text = self.tokens[i].text
        self.out.append(("?" if "?" in text else "!" if "!" in text else ".") + " ")
        return i + 1

    def _unread(self, i: int) -> int:
        for offset, character in enumerate(self.tokens[i].text):
            if character not in DISPLAY_ONLY:
                self._report(self.tokens[i].start + offset)
        return i + 1

    def _report(self, place: int, instead: str = " ") -> None:
        """Report the character at a place of the prepared text as one that is not spoken."""
        index = self.prepared.index[place]
        character = self.source[index]
        found = Unknown(index, character, unicodedata.name(character, f"U+{ord(character):04X}"))
        if found not in self.unknown:  # a character that was folded into several comes once
            self.unknown.append(found)
        self.out.append(instead)


DISPLAY_ONLY = "\u200d\ufe0e\ufe0f"  # joiners and variation selectors of emoji


def tidy(spoken: str) -> str:
    """One mark at a place, a space after it and none before; no mark at the beginning."""
    spoken = re.sub(r"\s+", " ", spoken)
    spoken = re.sub(r"[,.!?](?:[\s,.!?]*[,.!?])?", lambda match: _strongest(match.group()) + " ", spoken)
    spoken = re.sub(r"\s+", " ", re.sub(r"\s+(?=[,.!?])", "", spoken))
    return re.sub(r",$", ".", re.sub(r"^[\s,.!?]+", "", spoken).strip())


def _strongest(marks: str) -> str:
    return next(mark for mark in "?!.," if mark in marks)
