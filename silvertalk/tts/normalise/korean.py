"""Korean text as it is spoken: Hangul, spaces and the marks , . ? ! only.

The tables and their sources are in ``korean_tables.py``; numbers and counters are spelt apart (한글 맞춤법 제43항).
"""

import re
import unicodedata

from silvertalk.tts.normalise import korean_tables as table
from silvertalk.tts.normalise.hangul import has_final
from silvertalk.tts.normalise.korean_numbers import (
    digits,
    month_name,
    native_korean,
    read_decimal,
    sino_korean,
)
from silvertalk.tts.normalise.korean_quantities import UNIT, QuantityReader
from silvertalk.tts.normalise.korean_words import read_address, read_word, spell
from silvertalk.tts.normalise.reader import DISPLAY_ONLY
from silvertalk.tts.normalise.tokens import Normalised, Token, roman_value, words

_COMPOUND = re.compile(r"[A-Za-z0-9]+(?:[&/.-]?[A-Za-z0-9]+)*")
_PHRASE = re.compile("|".join(map(re.escape, sorted(table.DIGIT_PHRASES, key=len, reverse=True))))
_DAYS = "|".join(day.replace(".", r"\. ?") for day in sorted(table.MEMORIAL_DAYS, key=len, reverse=True))
_MEMORIAL = re.compile(rf"(?:{_DAYS})(?= ?(?:{'|'.join(table.MEMORIAL_NOUNS)}))")
_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_SCORE_WORDS = tuple(words("스코어 승 패 비율 이겼 이기 졌 꺾 누르 눌렀 무승부 동점 리드 완승"))
_COMPARISONS = {"<": "작다", ">": "크다", "≤": "작거나 같다", "≥": "크거나 같다"}


def normalise_korean(text: str) -> Normalised:
    """Write Korean text as it is spoken; see the package."""
    return _Reader(text).read()


class _Reader(QuantityReader):
    def _phrase(self, i: int) -> int:
        memorial = _MEMORIAL.match(self.text, self.tokens[i].start)
        if memorial and not self._digit(memorial.start() - 1):
            self.out.append(digits(memorial.group(), table.DIGITS))
            return self._after(i, memorial.end())
        phrase = _PHRASE.match(self.text, self.tokens[i].start)
        if not phrase or self._digit(phrase.end()) or self._digit(phrase.start() - 1):
            return 0
        self.out.append(table.DIGIT_PHRASES[phrase.group()])
        return self._after(i, phrase.end())

    def _number(self, i: int) -> int:
        return self._compound(i) or super()._number(i)

    # -- dates, times and other shapes of numbers --

    def _memorial(self, i: int) -> int:
        text = self.tokens[i].text
        if text.replace("·", ".") not in table.MEMORIAL_DAYS and self._counter(i + 1)[0]:  # 5·6학년
            place = self.tokens[i].start
            parts = (("number", text.split("·")[0]), ("other", "·"), ("number", text.split("·")[1]))
            self.tokens[i : i + 1] = [Token(kind, part, place) for kind, part in parts]
            return self._number(i)
        self.out.append(digits(self.tokens[i].text, table.DIGITS))
        return i + 1

    def _date(self, i: int) -> int:
        year, month, day = (int(part) for part in re.findall(r"\d+", self.tokens[i].text))
        self.out.append(f"{sino_korean(year)} 년 {month_name(month)} {sino_korean(day)} 일")
        return self._weekday(i + 1 + (self._token(i + 1).text == "." and self.tokens[i].text.count(".") == 2))

    def _time(self, i: int) -> int:
        parts = [int(part) for part in self.tokens[i].text.split(":")]
        near = self._hangul_near(i + 1, _SCORE_WORDS) or self._token(i - 2).text in ("스코어", "비율", "점수")
        if near:
            return self._ratio(i)
        hour = native_korean(parts[0]) if 1 <= parts[0] <= 12 else sino_korean(parts[0])
        spoken = f"{hour} 시" + "".join(
            f" {sino_korean(part)} {name}" for part, name in zip(parts[1:], ("분", "초"), strict=False) if part
        )
        k = self._skip_space(i + 1)
        half = self._token(k).text.lower()
        if half in ("am", "pm"):
            self.out.append(f"{'오전' if half == 'am' else '오후'} {spoken}")
            return k + 1
        self.out.append(spoken)
        return i + 1

    def _ratio(self, i: int) -> int:
        self.out.append(" 대 ".join(read_decimal(part.strip()) for part in self.tokens[i].text.split(":")))
        return i + 1

    def _version(self, i: int) -> int:
        parts = self.tokens[i].text.split(".")
        is_address = len(parts) == 4 and all(int(part) < 256 for part in parts)
        self.out.append(" 점 ".join(digits(p, table.DIGITS) if is_address else sino_korean(int(p)) for p in parts))
        return i + 1

    def _fraction(self, i: int) -> int:
        above, below = (int(part) for part in self.tokens[i].text.split("/"))
        if self._token(i + 1).text == "(" and self._token(i + 2).text in list(table.WEEKDAYS):
            self.out.append(f"{month_name(above)} {sino_korean(below)} 일")
            return self._weekday(i + 1)
        self.out.append(f"{sino_korean(below)}분의 {sino_korean(above)}")
        return i + 1

    def _hyphenated(self, i: int) -> int:
        """10-20명 is a range, 3-2 승 a score, 123-45 an address or number, longer ones are said digit by digit."""
        parts = self.tokens[i].text.split("-")
        if len(parts) > 2:
            self.out.append(", ".join(digits(part) for part in parts))
            return i + 1
        if self._hangul_near(i + 1, _SCORE_WORDS):
            self.out.append(" 대 ".join(sino_korean(int(part)) for part in parts))
            return i + 1
        first, second = (Token("number", part, self.tokens[i].start) for part in parts)
        if self._counter(i + 1)[0] not in ("", "번지", "번길", "번", "호", "호실") or self._unit(i + 1):
            # Both numbers get tokens of their own, with a "~" between them.
            place = self.tokens[i].start + len(parts[0])
            second = Token("number", parts[1], place + 1)
            self.tokens[i : i + 1] = [first, Token("other", "~", place), second]
            return self._number(i)
        self.out.append(" 다시 ".join(sino_korean(int(part)) for part in parts))
        return self._counted(i + 1)

    def _phone(self, i: int) -> int:
        text = self.tokens[i].text
        groups = re.findall(r"\d+", text)
        if len(groups) == 1:  # 01012345678
            groups = [text[:3], text[3:7], text[7:]]
        spoken = ", ".join(digits(group) for group in groups)
        self.out.append(("플러스 " if text.startswith("+") else "") + spoken)
        return i + 1

    # -- letters --

    _hangul = QuantityReader._copy

    def _compound(self, i: int) -> int:
        """Emit a word of the table that may hold digits and marks (MP3, R&D, 3D); the next token's number or 0."""
        match = _COMPOUND.match(self.text, self.tokens[i].start)
        if not match:
            return 0
        word = match.group()
        if word.isdigit() or word.lower() not in table.WORDS or word.isupper() and word.lower() in table.LETTER_WORDS:
            return 0
        self.out.append(table.WORDS[word.lower()])
        return self._after(i, match.end())

    def _latin(self, i: int) -> int:
        text = self.tokens[i].text
        between_numbers = self._token(i - 1).kind == "number" and self._token(i + 1).kind == "number"
        if text in "xX" and between_numbers:
            self.out.append(" 곱하기 ")
            return i + 1
        if self._is_roman(i):
            return self._numeral(i, text)
        currency = table.CURRENCY_CODES.get(text)
        if text.lower() in ("am", "pm") and self._token(self._skip_space(i + 1)).kind == "time":
            self.out.append("오전" if text.lower() == "am" else "오후")
            return i + 1
        k = self._skip_space(i + 1)
        if currency and self._token(k).kind == "number":
            return self._money(k, currency)
        compound = self._compound(i)
        if compound:
            return compound
        apart = self._token(i - 1).kind == "number"
        for offset, letter in enumerate(text):
            if not unicodedata.normalize("NFD", letter)[0].isascii():  # é is e, but ß or ł is no letter we know
                self._report(self.tokens[i].start + offset, instead="")
        self.out.append((" " if apart else "") + read_word(text))
        return i + 1

    def _is_roman(self, i: int) -> bool:
        text = self.tokens[i].text
        safe = len(text) > 1 or self._is_ordinal(i)
        return safe and bool(_ROMAN.fullmatch(text)) and self._hangul_near(i + 1, table.ROMAN_COUNTERS)

    def _roman(self, i: int) -> int:
        return self._numeral(i, unicodedata.normalize("NFKC", self.tokens[i].text).upper())

    def _numeral(self, i: int, letters: str) -> int:
        """Emit a Roman numeral, Sino-Korean as written before counters (제2차), 관용."""
        value = roman_value(letters)
        self.out.append(sino_korean(value))
        return self._counted(i + 1)

    def _initials(self, i: int) -> int:
        self.out.append(spell(self.tokens[i].text))
        return i + 1

    def _url(self, i: int) -> int:
        self.out.append(read_address(self.tokens[i].text))
        return i + 1

    _email = _url
    _domain = _url

    def _jamo(self, i: int) -> int:
        text = self.tokens[i].text
        if text in table.JAMO_WORDS:
            self.out.append(table.JAMO_WORDS[text])
            return i + 1
        for offset, letter in enumerate(text):
            laughs = letter in table.LAUGHTER and len(text) > 1
            if letter in table.WEEPING:
                self._report(self.tokens[i].start + offset)
            elif laughs:
                self.out.append(table.LAUGHTER[letter])
            elif letter in table.JAMO:
                self.out.append(table.JAMO[letter])
            else:
                self._report(self.tokens[i].start + offset)
        return i + 1

    def _han(self, i: int) -> int:
        """Read the Hanja of headlines (美 미); others are reported, as is a gloss after Hangul: 한자(漢字)."""
        token = self.tokens[i]
        known = all(character in table.HANJA for character in token.text)
        for offset, character in enumerate(token.text):
            if known:
                self.out.append(table.HANJA[character])
            else:
                self._report(token.start + offset)
        return i + 1

    # -- marks --

    def _other(self, i: int) -> int:
        text = self.tokens[i].text
        before, after = self._token(i - 1), self._token(i + 1)
        if text == "(" and before.kind == "hangul" and after.kind == "han" and self._token(i + 2).text == ")":
            for offset in range(len(after.text)):
                self._report(after.start + offset, instead="")
            return i + 3
        if text in "-~*<>≤≥+–":
            done = self._operator(i)
            if done:
                return done
        if text in table.CURRENCIES and after.kind == "number":
            return self._money(i + 1, table.CURRENCIES[text])
        if text == "=":
            self.out.append(f"{self._topic()} ")
        elif text == "-" and before.text == "D" and after.kind == "number":  # D-7
            self.out.append(" 마이너스 ")
        elif text == "#" and after.kind == "hangul":  # a tag on a text: 관용
            self.out.append(" 해시태그 ")
        elif text in table.PAUSES:
            self.out.append(", ")
        elif text == "-":
            self.out.append(", " if before.kind == "space" else " ")
        elif text == "*" and (after.kind == "number" or after.text == "*" or before.text == "*"):
            self.out.append(" 별표 ")
        elif text in table.SILENT:
            self.out.append(" " if text in "()[]<>_" and not self._gloss_ends(i) else "")
        elif text in table.SYMBOLS:
            self.out.append(f" {table.SYMBOLS[text]} " if text not in "%‰°²³" else f" {table.SYMBOLS[text]}")
        elif text.lower() in table.GREEK:
            self.out.append(table.GREEK[text.lower()])
        elif text not in DISPLAY_ONLY:
            self._report(self.tokens[i].start)
        return i + 1

    def _gloss_ends(self, i: int) -> bool:
        """Whether a closing bracket is followed by a particle of the word before it: "국립국어원(국어원)은"."""
        return self.tokens[i].text in ")]>" and self._token(i + 1).kind == "hangul"

    def _operator(self, i: int) -> int:
        """Emit a mark between two numbers, or a sign; the next token's number or 0."""
        text = self.tokens[i].text
        left = i - 1 - (self._token(i - 1).text == " ")
        right = self._skip_space(i + 1)
        number_follows = self._token(right).kind == "number"
        after_number = self._token(left).kind == "number" or self._token(left).text in ("%", ")")
        after_amount = after_number or self._token(left).kind in ("hangul", "latin", "date", "time", "fraction")
        adjoining = right == i + 1
        if text == "-" and number_follows and adjoining and self._token(i - 1).kind in ("edge", "space", "other"):
            return self._negative(i)
        if text in "~–" and after_amount and self._token(right).kind in ("number", "date", "time", "fraction"):
            self.out.append("에서 ")
            return right
        if text == "~" and self._token(i - 1).kind == "hangul" and self._token(i + 1).kind == "hangul":
            self.out.append("에서 ")  # 서울~부산
            return i + 1
        if not (after_number and number_follows):
            return 0
        if text in _COMPARISONS:
            self.out.append(f"{self._topic()} ")
            end = self._number(right)
            self.out.append(f"보다 {_COMPARISONS[text]}")
            return end
        spoken = {"-": "빼기", "+": "더하기", "*": "곱하기"}.get(text)
        if spoken and not (text == "-" and adjoining):
            self.out.append(f" {spoken} ")
        else:
            return 0
        return right

    def _topic(self) -> str:
        """The topic particle after what was emitted; a space before it goes."""
        while self.out and not self.out[-1].strip():
            self.out.pop()
        spoken = "".join(self.out[-1:]).rstrip()
        self.out[-1:] = [spoken]
        return "은" if spoken and has_final(spoken[-1]) else "는"

    def _negative(self, i: int) -> int:
        """Emit -5: 영하 with degrees (관용 in weather), else 마이너스."""
        _, j = self._quantity(i + 1)
        unit = UNIT.match(self.text, self._token(j).start)
        degrees = bool(unit and unit[2] in ("°C", "°")) or self._hangul_near(j, ("도",))
        self.out.append("영하 " if degrees else " 마이너스 ")
        return self._number(i + 1)

    def _money(self, i: int, currency: str) -> int:
        """Emit the amount at token i with the currency that stood before it."""
        number, j = self._quantity(i)
        self.out.append(f" {number.spoken} {currency}")
        counter, k = self._counter(j)
        if counter == currency:  # $5달러
            self._split(k, len(counter))
            return k + 1
        return j
