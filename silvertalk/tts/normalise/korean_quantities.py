"""Korean quantities: numbers with their scale words, counters and units, and ranges of them."""

import re

from silvertalk.tts.normalise import korean_tables as table
from silvertalk.tts.normalise.korean_numbers import Quantity, digits, native_alone, read_counted, read_decimal
from silvertalk.tts.normalise.reader import Reader

_COUNTERS = sorted({*table.NATIVE_COUNTERS, *table.SINO_COUNTERS}, key=len, reverse=True)
_UNITS = "|".join(sorted(map(re.escape, table.UNITS), key=len, reverse=True))
UNIT = re.compile(rf"( ?)({_UNITS})(?:/({_UNITS}))?(?![A-Za-z0-9²³'])")
_SPACED_SINGLE_UNITS = set("mgLlt")  # other single letters after a space are letters: "3 A"


class QuantityReader(Reader):
    """Reads numbers with all that belongs to them; what they mean depends on what stands around."""

    def _digit(self, place: int) -> bool:
        return 0 <= place < len(self.text) and self.text[place].isdigit()

    def _hangul_near(self, i: int, words: tuple | list) -> bool:
        """Whether the next token, a space passed over, is Hangul that begins with one of the words."""
        token = self._token(self._skip_space(i))
        return token.kind == "hangul" and token.text.startswith(tuple(words))

    def _is_ordinal(self, i: int) -> bool:
        return self._token(i - 1).text == "제"

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
        """Emit the number of token i with what belongs to it; the next token's number."""
        number, j = self._quantity(i)
        return self._range(i, number, j) or self._measured(i, number, j)

    def _counted(self, i: int) -> int:
        """Emit the counter at token i, if there is one; the next token's number."""
        counter, k = self._counter(i)
        if not counter:
            return i
        self._split(k, len(counter))
        self.out.append(f" {counter}")
        return k + 1

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
        match = UNIT.match(self.text, place)
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

    def _weekday(self, i: int) -> int:
        """Read "(금)" after a date as 금요일."""
        k = self._skip_space(i)
        day = self._token(k + 1).text
        if self._token(k).text == "(" and self._token(k + 2).text == ")" and len(day) == 1 and day in table.WEEKDAYS:
            self.out.append(f" {day}요일")
            return k + 3
        return i
