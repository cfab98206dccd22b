"""Long text cut into sentences, and sentences into pieces of a length that a voice can speak and a screen can show.

The text is cut as it is written, before it is normalised, so that captions show what was typed; but the cuts fall
between the tokens of ``silvertalk.tts.normalise``, which knows decimals, dates, times, addresses and abbreviations.
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from silvertalk.tts.normalise.english import ABBREVIATIONS, ENDS_SENTENCE, LOWER_CASE
from silvertalk.tts.normalise.tokens import Token, prepare, tokenise

LONGEST = 200  # columns: a quarter of a minute of speech, as long as the longest sentences that voices are trained on
PARAGRAPH, ELLIPSIS, COMMA, NOTHING = "\n", "…", ",", ""  # how a piece can end, besides . ? !
OPENING, CLOSING = "([{「『《〈【", ")]}」』》〉】"
QUOTES = "\"'”’»"
FULL_WIDTH = "。｡！？"  # marks that nothing but a sentence ends in
COMMAS = set(",;:–—、")
QUOTATIVE = ("라고", "라는", "라며", "라면서", "하고", "하며", "이라고", "이라는")  # "…," he said, in Korean


@dataclass(frozen=True)
class Sentence:
    """A piece of text that is spoken at once."""

    number: int  # from 1
    text: str  # as it is written
    ending: str  # how it ends: . ? ! or one of PARAGRAPH, ELLIPSIS, COMMA, NOTHING (cut between words)


def split_text(text: str, longest: int = LONGEST) -> list[Sentence]:
    """Cut text into sentences, and too long ones at commas, else between words, else anywhere.

    Every line is a paragraph.

    Example:
        ``[s.text for s in split_text("Dr. Kim paid $3.50. Why?")]`` -> ``["Dr. Kim paid $3.50.", "Why?"]``

    Args:
        text: Any text.
        longest: Columns of the longest piece; see ``width``.

    Returns:
        The sentences; none of an empty text.

    Raises:
        ValueError: ``longest`` is too small for a word.
    """
    if longest < 20:
        raise ValueError(f"sentences of at most {longest} columns were asked for; give 20 or more")
    pieces = []
    for line in text.splitlines():
        sentences = [
            piece for sentence in _sentences(line) for piece in divide(*sentence, lambda t: width(t) <= longest)
        ]
        pieces += sentences[:-1] + [(last, PARAGRAPH) for last, _ in sentences[-1:]]
    return [Sentence(number, *piece) for number, piece in enumerate(pieces, 1)]


def width(text: str) -> int:
    """Columns that text takes: two for Hangul and Chinese characters, one for others."""
    return sum(map(_columns, unicodedata.normalize("NFC", text)))


def _columns(character: str) -> int:
    return 0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")


def divide(text: str, ending: str, fits: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Cut text near its middle, and what comes of it again, until everything fits.

    Args:
        text: A sentence.
        ending: How it ends.
        fits: Says whether a piece need not be cut.

    Returns:
        Pieces, and how each ends.
    """
    text = text.strip()
    if len(text) < 2 or fits(text):
        return [(text, ending)] if text else []
    place, cut = next(_middles(text))
    return divide(text[:place], cut, fits) + divide(text[place:], ending, fits)


def break_line(text: str, longest: int) -> list[str] | None:
    """Set text in one line or two of at most so many columns, as even as possible; None if it does not fit."""
    if width(text) <= longest:
        return [text]
    spaces = [place for place in _places(text)[1] if place < len(text)]
    pairs = [[text[:place].strip(), text[place:].strip()] for place in spaces or range(1, len(text))]
    pair = min(pairs, key=lambda pair: max(map(width, pair)), default=[text])
    return pair if max(map(width, pair)) <= longest else None


def _middles(text: str) -> Iterator[tuple[int, str]]:
    """Where to cut a text, best first: after a comma, between words, between tokens, anywhere.

    Cuts of one kind count only in the middle half, so that no crumbs come off.
    """
    columns = [0, *accumulate(map(_columns, text))]
    half = columns[-1] / 2
    for kind, places in zip((COMMA, NOTHING, NOTHING, NOTHING), _places(text), strict=True):
        central = [place for place in places if abs(columns[place] - half) <= half / 2]
        if central:
            yield min(central, key=lambda place: abs(columns[place] - half)), kind
    yield len(text) // 2, NOTHING


def _places(text: str) -> tuple[list[int], list[int], list[int], list[int]]:
    """Where text can be cut: after commas, after spaces, after tokens and Chinese characters, after characters."""
    prepared = prepare(text)
    origin = [*prepared.index, len(text)]
    commas, spaces, tokens = [], [], []
    for token in tokenise(prepared.text):
        end = origin[token.start + len(token.text)]
        tokens.append(end)
        if token.kind == "space":
            spaces.append(end)
        if token.kind == "ellipsis" or token.kind == "other" and token.text in COMMAS:
            commas.append(end)
        if token.kind == "han":
            tokens += [origin[token.start + k] for k in range(1, len(token.text))]
    return commas, spaces, tokens, sorted(set(origin) - {0})


def _sentences(line: str) -> list[tuple[str, str]]:
    """The sentences of a line, and how each ends."""
    prepared = prepare(line)
    origin = [*prepared.index, len(line)]
    found, start = [], 0
    for place, ending in _Line(prepared.text, [line[place] for place in prepared.index]).ends():
        found.append((line[start : origin[place]].strip(), ending))
        start = origin[place]
    found.append((line[start:].strip(), PARAGRAPH))
    return [(text, ending) for text, ending in found if text]


class _Line:
    """Decides where the sentences of a line end.

    Args:
        text: Prepared text, see ``prepare``.
        written: The character that each of its characters was before.
    """

    def __init__(self, text: str, written: list[str]):
        self.text, self.written = text, written
        self.tokens = tokenise(text)
        self.has_capitals = any(character.isupper() for character in text)
        self.bracket = _brackets(self.tokens)

    def ends(self) -> Iterator[tuple[int, str]]:
        """Yield the place behind each sentence but the last, and how it ends."""
        first = i = 0
        while i < len(self.tokens):
            begin, i = i, i + 1
            if self.tokens[begin].kind not in ("end", "ellipsis"):
                continue
            while self._token(i).kind == "end" or self._closes(i):
                i += 1
            ending = _ending("".join(token.text for token in self.tokens[begin:i]))
            if i < len(self.tokens) and self._is_end(begin, i, first, ending):
                yield self._token(i).start, ending
                first = i + (self._token(i).kind == "space")

    def _closes(self, i: int) -> bool:
        """Whether token i is a bracket or quotation mark that ends something."""
        start, text = self._token(i).start, self._token(i).text
        if text == '"' and self.written[start] == '"':  # the same mark opens and closes
            return self.text.count('"', 0, start) % 2 == 1
        return text in (*CLOSING, *QUOTES) and self.written[start] in (*CLOSING, *QUOTES, "）", "］", "｝")

    def _token(self, i: int) -> Token:
        return self.tokens[i] if 0 <= i < len(self.tokens) else Token("edge", "", len(self.text))

    def _is_end(self, i: int, behind: int, first: int, ending: str) -> bool:
        """Whether the mark of token i, with quotes and brackets until token ``behind``, closes a sentence.

        ``first`` is the sentence's first token.
        """
        before, spaced = self._token(i - 1), self._token(behind).kind == "space"
        following = self._token(behind + spaced)
        if self.bracket[i] > first:  # in brackets within a sentence
            return False
        if self.written[self.tokens[i].start] in FULL_WIDTH:
            return not (behind > i + 1 and following.text.startswith(QUOTATIVE))
        joined = following.kind in ("hangul", "han") and (ending != "." or before.kind not in ("number", "latin"))
        if not spaced and not joined:
            return False
        if before.kind == "latin" and self.has_capitals and following.text[:1].islower():
            return False
        if behind > i + 1 and following.text.startswith(QUOTATIVE):
            return False
        if ending == ELLIPSIS:
            return following.text[:1].isupper() and following.text.partition("'")[0] != "I"
        return ending != "." or not self._is_abbreviation(i, before, following)

    def _is_abbreviation(self, i: int, before: Token, following: Token) -> bool:
        """Whether the full stop i belongs to the token before it."""
        if before.kind == "date":
            return before.text.count(".") == 2
        if before.kind == "number":
            listed = i == 1 or i == 2 and self._token(0).kind == "space"
            dated = self._token(i - 2).kind == "space" and self._token(i - 3).text == "."
            return listed or following.kind == "number" or dated and self._token(i - 4).kind == "number"
        if before.kind != "latin":
            return False
        word = before.text.lower()
        if word in ("no", "nos"):
            return following.kind == "number"
        if len(word) == 1:
            return before.text.isupper() and before.text != "I"
        known = word in ABBREVIATIONS and (before.text[0].isupper() or before.text in LOWER_CASE)
        return known and not (word in ENDS_SENTENCE and following.text.istitle())


def _brackets(tokens: list[Token]) -> list[int]:
    """For every token the number of the outermost bracket around it that is closed again, or -1."""
    around, stack = [-1] * len(tokens), []
    for i, token in enumerate(tokens):
        if token.text in (*OPENING,):
            stack.append(i)
        elif token.text in (*CLOSING,) and stack:
            begin = stack.pop()
            around[begin : i + 1] = [begin] * (i + 1 - begin)
    return around


def _ending(marks: str) -> str:
    """The weightiest of several marks: ?! counts as a question."""
    hesitates = ELLIPSIS in marks or ".." in marks or "··" in marks
    return next((mark for mark in "?!" if mark in marks), ELLIPSIS if hesitates else ".")
