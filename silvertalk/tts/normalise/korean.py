"""Korean text as it is spoken: Hangul, spaces and the marks , . ? ! only.

The tables and their sources are in ``korean_tables.py``; numbers and counters are spelt apart (한글 맞춤법 제43항).
"""

import re
import unicodedata

from silvertalk.tts.normalise import korean_tables as table
from silvertalk.tts.normalise.hangul import has_final
from silvertalk.tts.normalise.korean_numbers import (
    Quantity,
    digits,
    month_name,
    native_alone,
    native_korean,
    read_counted,
    read_decimal,
    sino_korean,
)
from silvertalk.tts.normalise.korean_words import read_address, read_word, spell
from silvertalk.tts.normalise.reader import DISPLAY_ONLY, Reader
from silvertalk.tts.normalise.tokens import Normalised, Token, roman_value, words

_COUNTERS = sorted({*table.NATIVE_COUNTERS, *table.SINO_COUNTERS}, key=len, reverse=True)
_UNIT = "|".join(sorted(map(re.escape, table.UNITS), key=len, reverse=True))
_UNIT = re.compile(rf"( ?)({_UNIT})(?:/({_UNIT}))?(?![A-Za-z0-9²³'])")
_SPACED_SINGLE_UNITS = set("mgLlt")  # other single letters after a space are letters: "3 A"
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


class _Reader(Reader):
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

    # -- looking around --

    def _digit(self, place: int) -> bool:
        return 0 <= place < len(self.text) and self.text[place].isdigit()

    def _hangul_near(self, i: int, words: tuple | list) -> bool:
        """Whether the next token, a space passed over, is Hangul that begins with one of the words."""
        token = self._token(self._skip_space(i))
        return token.kind == "hangul" and token.text.startswith(tuple(words))

    def _is_ordinal(self, i: int) -> bool:
        return self._token(i - 1).text == "제"

    # -- numbers --

    def _quantity(self, i: int) -> tuple[Quantity, int]:
        """Read a number with its scale words: 3만 5천, 1억 2,000만; the next token's number."""
        raw = self.tokens[i].text
        spoken, j, scaled = read_decimal(raw), i + 1, False
        while length := self._scale_length(j, self._is_ordinal(i)):
            scale = self.tokens[j].text[:length]
            self._split(j, length)
            number = "" if spoken == "일" and scale[0] in "십백천만" and not self._is_ordinal(i) else spoken
            spoken = number if scaled and number.endswith(tuple("만억조경")) else number
            spoken += scale
            scaled, j = True, j + 1
            following = self._skip_space(j) if scale[-1] in "만억조경" else j
            if self._token(following).kind != "number" or not self._scale_or_counter(following + 1):
                break
            part, j = self._quantity(following)
            joint = " " if scale[-1] in "만억조경" else ""
            return Quantity(spoken + joint + part.spoken, None, raw), j
        whole = raw.replace(",", "")
        return Quantity(spoken, int(whole) if whole.isdigit() and not scaled else None, raw), j

    def _scale_length(self, j: int, ordinal: bool = False) -> int:
        token = self._token(j)
        if ordinal and token.text.startswith("조"):  # 제10조 is an article
            return 0
        if token.kind != "hangul" or token.text.startswith(table.NOT_SCALES):
            return 0
        return len(token.text) - len(token.text.lstrip(table.SCALES))

    def _scale_or_counter(self, j: int) -> bool:
        return bool(self._scale_length(j) or self._counter(j)[0])

    def _counter(self, j: int) -> tuple[str, int]:
        """Find a counter at token j, one space passed over: the counter and its token; "" is none."""
        spaced = self._skip_space(j)
        token = self._token(spaced)
        if token.kind == "hangul":
            for counter in _COUNTERS:
                if token.text.startswith(counter):
                    rest = token.text[len(counter) :]
                    numbered = counter == "번" and rest.startswith(tuple(table.NUMBERED_NOUNS))
                    if not rest or numbered or rest[0] in table.AFTER_COUNTER:
                        return counter, spaced
        return "", j

    def _is_native(self, number: Quantity, counter: str, i: int, j: int) -> bool:
        """Whether the number at token i is native before the counter at token j (which is the counter alone)."""
        limit = table.NATIVE_COUNTERS.get(counter, 0)
        if counter == "분" and any(self._token(k).text.startswith(tuple(table.HONOURED)) for k in (i - 1, i - 2)):
            limit = 99
        if number.value is None or self._is_ordinal(i) or not 0 < number.value < 1000:
            return False
        if number.value > limit and not (limit == 99 and number.value > 99):
            return False
        if counter == "번":
            return self._counts_times(i, j + 1)
        if counter == "대":
            ranked = self._hangul_near(j + 1, (*table.GENERATION_NOUNS, *table.RANKED_NOUNS, "째"))
            return not ranked and number.value % 10 != 0
        return True

    def _counts_times(self, i: int, j: int) -> bool:
        """Whether 번, between the number i and the token j, counts times and is not the number of something (관용)."""
        token = self._token(j)
        rest = token.text if token.kind == "hangul" else ""
        if rest.startswith(("이나", "이상", "이하", "이고", "이면 ")):
            return True
        label = rest.startswith(("을", "으로", "은", "이", "의", "에", "과", "부터", "까지", "홈", "입"))
        named = self._token(i - 2).text.endswith(tuple(table.NUMBERED_NOUNS))  # 버스 3번
        return not (label or named or self._hangul_near(j, table.NUMBERED_NOUNS))

    def _number(self, i: int) -> int:
        compound = self._compound(i)
        if compound:
            return compound
        number, j = self._quantity(i)
        range_end = self._range(i, number, j)
        if range_end:
            return range_end
        return self._measured(i, number, j)

    def _measured(self, i: int, number: Quantity, j: int) -> int:
        """Emit the number of token i with the counter or unit at token j."""
        hangul = self._token(j)
        if hangul.kind == "hangul" and hangul.text.startswith("분의"):  # 3분의 2
            self._emit_number(i, number.spoken)
            return j
        if hangul.kind == "hangul" and hangul.text.startswith("여") and (hangul.text == "여" or self._counts_on(j)):
            self._split(j, 1)
            counter, k = self._counter(j + 1)
            if counter:
                self._split(k, len(counter))
                self._emit_number(i, f"{number.spoken}여 {counter}")
                return k + 1
        counter, k = self._counter(j)
        if counter:
            self._split(k, len(counter))
            self._emit_number(i, read_counted(number, counter, self._is_native(number, counter, i, k)))
            if counter == "일":
                return self._weekday(k + 1)
            if self._token(k + 1).kind == "number" or self._hangul_near(k + 1, table.NUMBERED_NOUNS):
                self.out.append(" ")
            return k + 1
        unit = self._unit(j)
        if unit:
            prefix, name, end = unit
            if prefix and any(self._token(k).text == prefix for k in (i - 1, i - 2)):  # 시속 100km/h
                prefix = ""
            self._emit_number(i, f"{prefix} {number.spoken} {name}".strip())
            return self._after(j, end)
        raw = number.raw
        if raw in table.DIGIT_WORDS:
            self._emit_number(i, table.DIGIT_WORDS[raw])
        elif raw.isdigit() and raw[0] == "0" and len(raw) > 1:  # 007, postal codes
            self._emit_number(i, digits(raw))
        else:
            self._emit_number(i, number.spoken)
        return j

    def _emit_number(self, i: int, spoken: str) -> None:
        """Emit a number; after Latin letters it stands apart, after 제 and Hangul as it was written."""
        self.out.append((" " if self._token(i - 1).kind in ("latin", "initials") else "") + spoken)

    def _counts_on(self, j: int) -> bool:
        rest = self.tokens[j].text[1:]
        return rest.startswith(tuple(_COUNTERS))

    def _unit(self, j: int) -> tuple[str, str, int] | None:
        """Find a unit at token j: what is said before the number, after it, and where the unit ends."""
        place = self._token(j).start
        match = _UNIT.match(self.text, place)
        if not match:
            return None
        space, unit, per = match.groups()
        if space and (len(unit) == 1 and unit not in _SPACED_SINGLE_UNITS or unit in ("in", "no")):
            return None
        if per:
            speed = table.SPEEDS.get(f"{unit}/{per}")
            return (*(speed or (f"{table.UNITS[per]}당", table.UNITS[unit])), match.end())
        return table.PREFIXED_UNITS.get(unit, ""), table.UNITS[unit], match.end()

    def _range(self, i: int, number: Quantity, j: int) -> int:
        """Emit 5~6회 as 오에서 육 회, when such a range begins at token i; else 0.

        국립국어원: 물결표 between numbers is read 에서 or 내지; 에서 is the commoner in speech.
        """
        k = self._skip_space(j)
        second = self._skip_space(k + 1)
        if self._token(k).text not in ("~", "–") or self._token(second).kind != "number":
            return 0
        other, after = self._quantity(second)
        counter, place = self._counter(after)
        if not counter:
            self._emit_number(i, f"{number.spoken}에서 ")
            return second
        self._split(place, len(counter))
        native = self._is_native(number, counter, i, place) and self._is_native(other, counter, second, place)
        if native and (number.value, other.value) in table.APPROXIMATE:
            self._emit_number(i, f"{table.APPROXIMATE[number.value, other.value]} {counter}")
            return place + 1
        first = native_alone(number.value) if native and number.value < 100 else number.spoken
        last = read_counted(other, counter, native)
        self._emit_number(i, f"{first}에서 {last}")
        return place + 1

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

    def _weekday(self, i: int) -> int:
        """Read "(금)" after a date as 금요일."""
        k = self._skip_space(i)
        day = self._token(k + 1).text
        if self._token(k).text == "(" and self._token(k + 2).text == ")" and len(day) == 1 and day in table.WEEKDAYS:
            self.out.append(f" {day}요일")
            return k + 3
        return i

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
        counter, k = self._counter(i + 1)
        if counter:
            self._split(k, len(counter))
            self.out.append(f" {counter}")
            return k + 1
        return i + 1

    def _phone(self, i: int) -> int:
        text = self.tokens[i].text
        groups = re.findall(r"\d+", text)
        if len(groups) == 1:  # 01012345678
            groups = [text[:3], text[3:7], text[7:]]
        spoken = ", ".join(digits(group) for group in groups)
        self.out.append(("플러스 " if text.startswith("+") else "") + spoken)
        return i + 1

    # -- letters --

    _hangul = Reader._copy

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
        counter, k = self._counter(i + 1)
        if counter:
            self._split(k, len(counter))
            self.out.append(f" {counter}")
            return k + 1
        return i + 1

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
        unit = _UNIT.match(self.text, self._token(j).start)
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
