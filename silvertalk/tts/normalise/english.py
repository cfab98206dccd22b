"""English text as it is spoken; whole numbers, ordinals and years by num2words.

Readings are those of general American usage ("twenty twenty-six", no "and" inside numbers). Acronyms stay as they are
written: a grapheme-to-phoneme converter spells them.
"""

import re
import unicodedata

from num2words import num2words

from silvertalk.tts.normalise.reader import Reader
from silvertalk.tts.normalise.tokens import Normalised, pairs, roman_value, words

MONTHS = words(
    """
    January February March April May June July August September October November December
    """
)
ABBREVIATIONS = pairs(
    """
    mr mister, mrs missus, ms miz, dr doctor, st saint, prof professor, jr junior, sr senior, gen general,
    col colonel, capt captain, lt lieutenant, sgt sergeant, rev reverend, hon honorable, gov governor,
    sen senator, rep representative, co company, corp corporation, inc incorporated, ltd limited,
    dept department, vs versus, etc et cetera, vol volume, approx approximately, ave avenue, blvd boulevard,
    jan January, feb February, aug August, sept September, oct October, nov November, dec December, ft fort,
    mt mount, messrs messieurs
    """
)
LOWER_CASE = {"etc", "vs", "approx", "vol", "dept"}  # the others are abbreviations with a capital only
ENDS_SENTENCE = {"etc", "inc", "ltd", "co", "corp", "jr", "sr"}  # their full stop may be that of the sentence
INITIALS = pairs(
    """
    e.g. for example, i.e. that is, a.m. a m, p.m. p m, u.s. U S
    """
)
UNITS = pairs(
    """
    km kilometer, m meter, cm centimeter, mm millimeter, kg kilogram, g gram, mg milligram, L liter, l liter,
    ml milliliter, mL milliliter, ft foot/feet, in inch/inches, yd yard, mi mile, lb pound, lbs pound,
    oz ounce, mph mile per hour/miles per hour, km/h kilometer per hour/kilometers per hour,
    m/s meter per second/meters per second, kWh kilowatt hour, W watt, kW kilowatt, MW megawatt, V volt,
    Hz hertz/hertz, kHz kilohertz/kilohertz, MHz megahertz/megahertz, GHz gigahertz/gigahertz, KB kilobyte,
    MB megabyte, GB gigabyte, TB terabyte, % percent/percent, °C degree Celsius/degrees Celsius,
    ppm part per million/parts per million, °F degree Fahrenheit/degrees Fahrenheit, ° degree, m² square meter,
    km² square kilometer, m³ cubic meter, dB decibel, kcal kilocalorie, ms millisecond, hr hour, hrs hour,
    min minute
    """
)
CURRENCIES = {  # unit, hundredth
    **{
        "$": ("dollar", "cent"),
        "€": ("euro", "cent"),
        "£": ("pound/pounds", "penny/pence"),
        "¥": ("yen/yen", "sen/sen"),
    },
    **{"₩": ("won/won", "jeon/jeon"), "₹": ("rupee", "paisa/paise")},
}
MAGNITUDES = ("hundred", "thousand", "million", "billion", "trillion")
FRACTIONS = {2: "half/halves", 4: "quarter"}
SYMBOLS = pairs(
    """
    & and, @ at, # number, % percent, + plus, = equals, × times, ÷ divided by, ± plus or minus, ° degrees,
    < less than, > greater than, ≤ at most, ≥ at least, $ dollars, € euros, £ pounds, ¥ yen, ₩ won, ² squared,
    ³ cubed, ∞ infinity, © copyright, ® registered, ™ trademark, § section, √ square root of, ≠ is not
    """
)
ADDRESS = pairs(
    """
    @ at, . dot, - dash, _ underscore, / slash, : colon, ? question mark, = equals, & and, + plus, % percent,
    ~ tilde, # hash
    """
)
ADDRESS |= {"=": "equals", "&": "and", "+": "plus", "%": "percent", "~": "tilde", "#": "hash"}
PAUSES = set(",;:–·•●■▪→|")
SILENT = set('"()[]{}<>«»‹›_*^~`')

_UNIT = re.compile("( ?)(" + "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True)) + r")(?![A-Za-z0-9²³'])")
_AMBIGUOUS_AFTER_SPACE = {"in", "m", "g", "l", "L", "W", "V"}  # "5 in a row"
_ROMAN = re.compile(r"(X{0,3})(IX|IV|V?I{0,3})")
_ROMAN_WORDS = {"chapter", "part", "volume", "book", "act", "scene", "section", "war", "phase", "type", "level"}


def cardinal(number: int) -> str:
    """Read a whole number: 1234 -> one thousand two hundred thirty-four."""
    return re.sub(r",| and(?= )", "", num2words(number))


def number_words(raw: str) -> str:
    """Read a number as written: 1,234.05 -> ... point zero five; 007 -> digit by digit."""
    whole, point, decimals = raw.replace(",", "").partition(".")
    if len(whole) > 1 and whole[0] == "0":
        return spell_digits(whole)
    spoken = cardinal(int(whole or "0"))
    return f"{spoken} point {spell_digits(decimals)}" if point else spoken


def spell_digits(text: str) -> str:
    """Read digits one by one."""
    return " ".join(cardinal(int(character)) for character in text if character.isdigit())


def year_words(year: int) -> str:
    """Read a year: 1999 -> nineteen ninety-nine, 2005 -> two thousand five, 2026 -> twenty twenty-six."""
    return re.sub(r" and(?= )", "", num2words(year, to="year")).replace("oh-", "oh ")


def _plural(name: str, count: str) -> str:
    one, _, many = name.partition("/")
    return one if count == "1" else many or one + "s"


def normalise_english(text: str) -> Normalised:
    """Write English text as it is spoken; see the package."""
    return _Reader(text).read()


class _Reader(Reader):
    def _say(self, words: str) -> None:
        """Emit words of ours, apart from letters around them."""
        self.out.append(f" {words} ")

    # -- numbers --

    def _number(self, i: int) -> int:
        raw = self.tokens[i].text
        following = self._token(i + 1)
        suffix = following.text.lower() if following.kind == "latin" else ""
        if suffix in ("st", "nd", "rd", "th") and raw.replace(",", "").isdigit():
            self._say(num2words(int(raw.replace(",", "")), to="ordinal").replace(" and ", " ").replace(",", ""))
            return i + 2
        if raw.isdigit() and (suffix == "s" or self._token(i + 1).text == "'" and self._token(i + 2).text == "s"):
            self._say(_decade(raw))
            return i + 2 if suffix else i + 3
        unit = _UNIT.match(self.text, following.start)
        if unit and not (unit[1] and unit[2] in _AMBIGUOUS_AFTER_SPACE):
            self._say(f"{number_words(raw)} {_plural(UNITS[unit[2]], raw)}")
            return self._after(i, unit.end())
        self._say(year_words(int(raw)) if self._is_year(i) else number_words(raw))
        return i + 1

    def _is_year(self, i: int) -> bool:
        raw = self.tokens[i].text
        return raw.isdigit() and len(raw) == 4 and 1100 <= int(raw) < 2100

    def _date(self, i: int) -> int:
        year, month, day = (int(part) for part in re.findall(r"\d+", self.tokens[i].text))
        self._say(f"{MONTHS[month - 1]} {num2words(day, to='ordinal')} {year_words(year)}")
        return i + 1

    def _time(self, i: int) -> int:
        hour, minute, *second = (int(part) for part in self.tokens[i].text.split(":"))
        spoken = cardinal(hour) + (f" {'oh ' * (minute < 10)}{cardinal(minute)}" if minute else "")
        half = self._token(self._skip_space(i + 1)).text.lower()
        if not minute and not second and half.rstrip(".") not in ("am", "pm", "a.m", "p.m"):
            spoken += " o'clock" if hour <= 12 else " hundred"
        self._say(spoken + "".join(f" and {cardinal(part)} {_plural('second', str(part))}" for part in second))
        return i + 1

    def _ratio(self, i: int) -> int:
        self._say(" to ".join(number_words(part.strip()) for part in self.tokens[i].text.split(":")))
        return i + 1

    def _version(self, i: int) -> int:
        self._say(" point ".join(cardinal(int(part)) for part in self.tokens[i].text.split(".")))
        return i + 1

    def _memorial(self, i: int) -> int:
        self._say(" ".join(cardinal(int(part)) for part in self.tokens[i].text.split("·")))
        return i + 1

    def _fraction(self, i: int) -> int:
        above, below = (int(part) for part in self.tokens[i].text.split("/"))
        name = FRACTIONS.get(below) or num2words(below, to="ordinal") if below > 1 else "over one/over one"
        self._say(f"{cardinal(above)} {_plural(name, str(above))}")
        return i + 1

    def _hyphenated(self, i: int) -> int:
        parts = self.tokens[i].text.split("-")
        years = len(parts) == 2 and all(len(part) == 4 and part[0] in "12" for part in parts)
        if len(parts) > 2:
            self._say(", ".join(spell_digits(part) for part in parts))
        else:
            self._say(" to ".join(year_words(int(part)) if years else number_words(part) for part in parts))
        return i + 1

    def _phone(self, i: int) -> int:
        self._say(", ".join(spell_digits(group) for group in re.findall(r"\d+", self.tokens[i].text)))
        return i + 1

    def _roman(self, i: int) -> int:
        self._say(cardinal(roman_value(unicodedata.normalize("NFKC", self.tokens[i].text).upper())))
        return i + 1

    # -- words --

    def _latin(self, i: int) -> int:
        text = self.tokens[i].text
        before = self._token(i - 2)
        if len(text) > 1 and _ROMAN.fullmatch(text) and len(before.text) > 1 and before.text.istitle():
            value = roman_value(text)
            is_count = before.text.lower() in _ROMAN_WORDS
            self._say(cardinal(value) if is_count else f"the {num2words(value, to='ordinal')}")
            return i + 1
        known = text.lower() in ABBREVIATIONS and (text[0].isupper() or text in LOWER_CASE)
        if known and self._token(i + 1).text == ".":
            self._say(ABBREVIATIONS[text.lower()])
            return i + 1 if text.lower() in ENDS_SENTENCE and self._sentence_ends(i + 1) else i + 2
        if text.lower() in ("no", "nos") and self._token(i + 1).text == ".":
            number = self._token(self._skip_space(i + 2)).kind == "number"
            self._say("number" if number else text)
            return i + 2 if number else i + 1
        self.out.append(text)
        return i + 1

    def _sentence_ends(self, i: int) -> bool:
        return self._token(self._skip_space(i + 1)).kind == "edge"

    def _initials(self, i: int) -> int:
        text = self.tokens[i].text
        self._say(INITIALS.get(text.lower(), " ".join(text.replace(".", " ").split())))
        if self._sentence_ends(i):
            self.out.append(".")
        return i + 1

    def _url(self, i: int) -> int:
        pieces = re.findall(r"[A-Za-z]+|\d+|.", self.tokens[i].text)
        spoken = (spell_digits(p) if p.isdigit() else ADDRESS.get(p, "w w w" if p == "www" else p) for p in pieces)
        self._say(" ".join(spoken))
        return i + 1

    _email = _url
    _domain = _url

    # -- marks --

    def _other(self, i: int) -> int:
        text = self.tokens[i].text
        before, after = self._token(i - 1), self._token(i + 1)
        numbers = self._token(i - 1 - (before.text == " ")).kind == "number"
        numbers = numbers and self._token(self._skip_space(i + 1)).kind == "number"
        if text in CURRENCIES and after.kind == "number":
            return self._money(i)
        if text in "~–" and numbers:
            self._say("to")
        elif text == "-" and after.kind == "number" and before.kind in ("edge", "space"):
            self._say("minus")
        elif text == "-":
            self.out.append("-" if before.kind == after.kind == "latin" else ", " if before.kind == "space" else " ")
        elif text == "*" and numbers:
            self._say("times")
        elif text == "'":
            self.out.append("'" if before.kind == "latin" and after.kind == "latin" else "")
        elif text == "/":
            either = before.kind == after.kind == "latin" and {before.text, after.text}.isdisjoint({"and", "or"})
            self.out.append(" or " if either else " " if after.kind == "latin" else ", ")
        elif text in "<>" and not numbers or text in SILENT - set("<>"):
            self.out.append(", " if text in "()[]" else "")
        elif text in PAUSES:
            self.out.append(", ")
        elif text in SYMBOLS:
            self._say(SYMBOLS[text])
        else:
            return self._unread(i)
        return i + 1

    def _money(self, i: int) -> int:
        """Emit $3.50 as three dollars fifty cents, $2 million as two million dollars."""
        unit, hundredth = CURRENCIES[self.tokens[i].text]
        raw = self.tokens[i + 1].text
        k = self._skip_space(i + 2)
        if self._token(k).text in MAGNITUDES:
            self._say(f"{number_words(raw)} {self._token(k).text} {_plural(unit, '2')}")
            return k + 1
        whole, _, part = raw.replace(",", "").partition(".")
        if len(part) != 2:
            self._say(f"{number_words(raw)} {_plural(unit, raw)}")
            return i + 2
        amounts = [(whole, unit), (part, hundredth)]
        spoken = [f"{cardinal(int(n))} {_plural(name, str(int(n)))}" for n, name in amounts if int(n or "0")]
        self._say(" and ".join(spoken) or f"zero {_plural(unit, '0')}")
        return i + 2


def _decade(raw: str) -> str:
    """Read 1990s as nineteen nineties, 80s as eighties."""
    spoken = year_words(int(raw)) if len(raw) == 4 else number_words(raw)
    return spoken[:-1] + "ies" if spoken.endswith("y") else spoken + "s"
