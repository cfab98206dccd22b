"""Mandarin text as it is spoken: Chinese characters, Latin words and the marks , . ? !

Numbers follow 出版物上数字用法 (GB/T 15835-2011) read aloud: years and telephone numbers digit by digit (幺 for 1 in
the latter), 两 before measure words and 千, 万, 亿 (《现代汉语八百词》 on 二 and 两).
"""

import re

from silvertalk.tts.normalise.reader import Reader
from silvertalk.tts.normalise.tokens import Normalised, pairs

DIGITS = "零一二三四五六七八九"
PHONE_DIGITS = "零幺二三四五六七八九"
GROUPS = ("", "万", "亿", "万亿")
UNITS = pairs(
    """
    km 公里, m 米, cm 厘米, mm 毫米, kg 公斤, g 克, mg 毫克, t 吨, L 升, l 升, ml 毫升, mL 毫升, km² 平方公里,
    m² 平方米, m³ 立方米, ° 度, kWh 千瓦时, W 瓦, kW 千瓦, V 伏, Hz 赫兹, kHz 千赫, MHz 兆赫, GHz 吉赫,
    KB 千字节, MB 兆字节, GB 吉字节, TB 太字节, dB 分贝, km/h 公里每小时, m/s 米每秒, °C 摄氏度, °F 华氏度
    """
)
CURRENCIES = pairs(
    """
    $ 美元, € 欧元, £ 英镑, ¥ 元, ₩ 韩元
    """
)
MEASURES = (
    "个位名只条件本张台辆次年天月周岁层间家所座栋杯瓶碗份斤米吨升块元种项点倍人头匹棵朵双对套支部首场段篇句小万亿千"
)
SYMBOLS = pairs(
    """
    & 和, @ 艾特, # 井号, + 加, = 等于, × 乘, ÷ 除以, % 百分号, ± 正负, < 小于, > 大于, ° 度, $ 美元, € 欧元,
    £ 英镑, ¥ 元
    """
)
SYMBOLS |= {"<": "小于", ">": "大于", "°": "度", "$": "美元", "€": "欧元", "£": "英镑", "¥": "元"}
ADDRESS = pairs(
    """
    @ 艾特, . 点, - 横杠, _ 下划线, / 斜杠, : 冒号, ? 问号, = 等于, & 和, + 加, % 百分号, ~ 波浪号, # 井号
    """
)
ADDRESS |= {"&": "和", "+": "加", "%": "百分号", "~": "波浪号", "#": "井号"}
PAUSES = set(",;:–·•|/→")
SILENT = set("'\"()[]{}<>〈〉《》「」『』【】〔〕«»_*^`~")

_UNIT = re.compile(" ?(" + "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True)) + r")(?![A-Za-z0-9²³])")


def digits(text: str, names: str = DIGITS) -> str:
    """Read digits one by one."""
    return "".join(names[int(character)] for character in text if character.isdigit())


def whole_number(number: int) -> str:
    """Read a whole number: 10005 -> 一万零五."""
    if number == 0:
        return "零"
    if number >= 10 ** (4 * len(GROUPS)):
        return digits(str(number))
    spoken, lacking = "", False
    for place in range(len(GROUPS) - 1, -1, -1):
        part = number // 10 ** (4 * place) % 10000
        if part:
            zero = "零" if spoken and (part < 1000 or lacking) else ""
            spoken += zero + _below_10000(part) + GROUPS[place]
        lacking = part == 0
    return spoken[1:] if spoken.startswith("一十") else spoken


def _below_10000(number: int) -> str:
    spoken, lacking = "", False
    for power, scale in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // power % 10
        if digit:
            spoken += ("零" if spoken and lacking else "") + DIGITS[digit] + scale
        lacking = digit == 0
    return re.sub("二(?=千)", "两", spoken)


def number_words(raw: str) -> str:
    """Read a number as written, decimals digit by digit."""
    whole, point, decimals = raw.replace(",", "").partition(".")
    if len(whole) > 1 and whole[0] == "0":
        return digits(whole)
    spoken = whole_number(int(whole or "0"))
    return f"{spoken}点{digits(decimals)}" if point else spoken


def normalise_chinese(text: str) -> Normalised:
    """Write Mandarin text as it is spoken; see the package."""
    return _Reader(text).read()


class _Reader(Reader):
    _han = Reader._copy
    _latin = Reader._copy

    def _number(self, i: int) -> int:
        raw = self.tokens[i].text
        following = self._token(self._skip_space(i + 1))
        unit = _UNIT.match(self.text, self._token(i + 1).start)
        if following.text in ("%", "‰"):
            self.out.append(("百" if following.text == "%" else "千") + f"分之{number_words(raw)}")
            return self._skip_space(i + 1) + 1
        if unit:
            self.out.append(("两" if raw == "2" else number_words(raw)) + UNITS[unit[1]])
            return self._after(i, unit.end())
        if following.text.startswith("年") and raw.isdigit() and len(raw) in (2, 4):
            self.out.append(digits(raw))
        elif raw == "2" and following.kind == "han" and self._counts(i, following.text):
            self.out.append("两")
        else:
            self.out.append(number_words(raw))
        return i + 1

    def _counts(self, i: int, following: str) -> bool:
        """Whether a 2 counts; 第2 and 2月 do not."""
        counted = following[0] in MEASURES and not following.startswith("月")
        return counted and not self._token(i - 1).text.endswith(("第", "初"))

    def _date(self, i: int) -> int:
        year, month, day = re.findall(r"\d+", self.tokens[i].text)
        self.out.append(f"{digits(year)}年{whole_number(int(month))}月{whole_number(int(day))}日")
        return i + 1

    def _time(self, i: int) -> int:
        hour, minute, *second = (int(part) for part in self.tokens[i].text.split(":"))
        spoken = ("两" if hour == 2 else whole_number(hour)) + "点"
        if minute or second:
            spoken += f"{'零' * (0 < minute < 10)}{whole_number(minute)}分"
        self.out.append(spoken + "".join(f"{whole_number(part)}秒" for part in second))
        return i + 1

    def _ratio(self, i: int) -> int:
        self.out.append("比".join(number_words(part.strip()) for part in self.tokens[i].text.split(":")))
        return i + 1

    def _version(self, i: int) -> int:
        self.out.append("点".join(number_words(part) for part in self.tokens[i].text.split(".")))
        return i + 1

    def _memorial(self, i: int) -> int:
        self.out.append(digits(self.tokens[i].text))
        return i + 1

    def _fraction(self, i: int) -> int:
        above, below = self.tokens[i].text.split("/")
        self.out.append(f"{number_words(below)}分之{number_words(above)}")
        return i + 1

    def _hyphenated(self, i: int) -> int:
        parts = self.tokens[i].text.split("-")
        long = len(parts) > 2
        self.out.append(", ".join(map(digits, parts)) if long else "到".join(map(number_words, parts)))
        return i + 1

    def _phone(self, i: int) -> int:
        self.out.append(", ".join(digits(group, PHONE_DIGITS) for group in re.findall(r"\d+", self.tokens[i].text)))
        return i + 1

    def _initials(self, i: int) -> int:
        self.out.append(self.tokens[i].text.replace(".", ""))
        return i + 1

    def _url(self, i: int) -> int:
        pieces = re.findall(r"[A-Za-z]+|\d+|.", self.tokens[i].text)
        self.out.append(" ".join(digits(p) if p.isdigit() else ADDRESS.get(p, p) for p in pieces))
        return i + 1

    _email = _url
    _domain = _url

    def _other(self, i: int) -> int:
        text = self.tokens[i].text
        before, after = self._token(i - 1), self._token(i + 1)
        number_follows = self._token(self._skip_space(i + 1)).kind == "number"
        after_number = self._token(i - 1 - (before.text == " ")).kind == "number" or before.text == "%"
        if text in CURRENCIES and after.kind == "number":
            self.out.append(number_words(after.text))
            k = i + 2
            if self._token(k).text in ("万", "亿"):
                self.out.append(self._token(k).text)
                k += 1
            self.out.append(CURRENCIES[text])
            return k
        if text in "~–-" and after_number and number_follows:
            self.out.append("到")
        elif text == "-" and after.kind == "number" and before.kind in ("edge", "space", "han"):
            unit = _UNIT.match(self.text, self._token(i + 2).start)
            self.out.append("零下" if unit and unit[1].startswith("°") else "负")
        elif text == "-":
            self.out.append(" ")
        elif text in "<>" and not (after_number and number_follows) or text in SILENT - set("<>"):
            pass
        elif text in PAUSES:
            self.out.append(", ")
        elif text in SYMBOLS:
            self.out.append(SYMBOLS[text])
        else:
            return self._unread(i)
        return i + 1
