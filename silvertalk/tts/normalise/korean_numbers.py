"""Korean numbers as they are said; spelt apart from their counters (한글 맞춤법 제43항)."""

from dataclasses import dataclass

from silvertalk.tts.normalise import korean_tables as table


def sino_korean(number: int) -> str:
    """Read a whole number in Sino-Korean: 12345 -> 만 이천삼백사십오.

    한글 맞춤법 제44항 parts the groups of 만; 일 is not said before 십, 백, 천 and a leading 만 (관용).
    """
    if number == 0:
        return "영"
    if number >= 10 ** (4 * len(table.GROUPS)):
        return digits(str(number), table.DIGITS)
    groups = []
    for name in table.GROUPS:
        number, part = divmod(number, 10000)
        if part:
            spoken = "" if part == 1 and name == "만" and not number else _below_10000(part)
            groups.append(spoken + name)
    return " ".join(reversed(groups))


def _below_10000(number: int) -> str:
    spoken = ""
    for power, scale in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
        digit = number // power % 10
        if digit:
            spoken += ("" if digit == 1 and scale else table.DIGITS[digit]) + scale
    return spoken


def native_korean(number: int, counter: str = "") -> str:
    """Read 1 to 999 with native numbers as they stand before a counter: 21 -> 스물한.

    From 100 on only 1 to 19 are said natively, after Sino-Korean hundreds: 101 -> 백한, 120 -> 백이십 (관용).
    """
    hundreds, rest = number // 100 * 100, number % 100
    if hundreds and (rest == 0 or rest > 19):
        return sino_korean(number)
    short = table.SHORT_FORMS.get(counter, {}).get(rest)
    tens, ones = table.NATIVE_TENS[rest // 10], table.NATIVE_ONES[rest % 10]
    if ones:
        ones = table.NATIVE_BEFORE_COUNTER.get(ones, ones)
    else:
        tens = table.NATIVE_BEFORE_COUNTER.get(tens, tens)
    return (sino_korean(hundreds) if hundreds else "") + (short or tens + ones)


def digits(text: str, names: str = table.PHONE_DIGITS) -> str:
    """Read digits one by one."""
    return "".join(names[int(character)] for character in text if character.isdigit())


@dataclass(frozen=True)
class Quantity:
    """A number as it stands in the text."""

    spoken: str  # in Sino-Korean
    value: int | None  # None when it has decimals or a scale word (3만)
    raw: str  # as written


def read_decimal(raw: str) -> str:
    """Read a number in Sino-Korean, decimals digit by digit: 0.15 -> 영 점 일오."""
    whole, point, decimals = raw.replace(",", "").partition(".")
    spoken = sino_korean(int(whole or "0"))
    return f"{spoken} 점 {digits(decimals, table.DIGITS)}" if point else spoken


def read_counted(number: Quantity, counter: str, native: bool) -> str:
    """Read a number in the system of its counter, with the counter."""
    if counter == "월" and number.value in table.MONTHS:
        return table.MONTHS[number.value]
    if counter == "월" and number.value is not None and 1 <= number.value <= 12:
        return f"{number.spoken}월"  # the months' names are single words
    if counter == "번째" and number.value == 1:
        return "첫 번째"
    spoken = native_korean(number.value, counter) if native else number.spoken
    return f"{spoken} {counter}"


def native_alone(number: int) -> str:
    """A native number from 1 to 99 on its own: 스물하나."""
    return table.NATIVE_TENS[number // 10] + table.NATIVE_ONES[number % 10]


def month_name(month: int) -> str:
    return table.MONTHS.get(month, f"{sino_korean(month)}월")
