"""Prices as shops write them, over price-parser, whose known errors are mended here.

price-parser 0.5.1 reads "CHF 2’300.–" as 2, takes the first number whatever it counts, and knows neither ranges nor
negative amounts nor which currency a symbol means. So the number that belongs to the currency is found here and
written plainly before price-parser reads it. `read_price` is for texts that people read, `read_number` for the plain
numbers of structured data.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import price_parser

from lvbag.crawl.sources.currencies import (
    NO_DECIMALS,
    THREE_DECIMALS,
    TOKEN,
    currency_of,
    is_certain,
    means_money,
)

MAX_AMOUNT = 1e12
"""What is more is a telephone number or a barcode, not a price, in any currency."""

_MAX_TEXT = 300
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘´`ʼ′＇", "'") | {"٫": ".", "٬": ",", "−": "-", "—": "–", "―": "–"})
_SUPERSCRIPT = re.compile(r"(?<=\d)\s?([⁰¹²³⁴⁵⁶⁷⁸⁹]{2})(?![⁰¹²³⁴⁵⁶⁷⁸⁹])")

_NUMBER = re.compile(
    r"""
      \d{1,3}(?:[ ']\d{3}(?!\d))+ (?:[.,]\d+)?     # 1 234,50  1'234.50
    | \d+(?:[.,]\d+)* (?: '\d{2}(?!\d) | :\d{2}(?![\d:]) | [€$£]\d{2}(?!\d) | €\s\d{2}$ )?
                                                   # 1.234,50  19'90  12:50  99€95  99€ 95
    | (?<![\w.])[.,]\d{1,2}(?!\d)                  # .75
    """,
    re.VERBOSE,
)
_BEFORE = re.compile(rf"({TOKEN})[\s:=]*$", re.IGNORECASE)
_AFTER = re.compile(rf"^(?:[.,:]?\s?[-–=]+)?[.,]?\s*({TOKEN})", re.IGNORECASE)
_ANYWHERE = re.compile(TOKEN, re.IGNORECASE)
_BARE_END = re.compile(r"^[.,:][-–=]+(?=\s|$)|^[.,](?=\s|$)")
_RANGE = re.compile(r"[-–~〜]|to|bis|à|a|do|до|al|til|till|tot|from.*to|and|up to|até|から|부터|至", re.IGNORECASE)
_MINUS = re.compile(rf"(?:^|\s)-\s?(?:{TOKEN})?\s?$|(?:{TOKEN})\s?-$", re.IGNORECASE)
_SCALE = re.compile(
    r"^\s?(?:(万|萬|만)|(億|억)|(lakhs?|lacs?)\b|(crores?)\b|(k\b|тыс\b|tys\b)|(mio|mln|millions?)\b)", re.IGNORECASE
)
_SCALES = (10_000, 100_000_000, 100_000, 10_000_000, 1_000, 1_000_000)


@dataclass(frozen=True)
class Price:
    """An amount, and its currency by ISO 4217 where it is known."""

    amount: float
    currency: str | None


def read_price(text: str, currency: str | None = None) -> Price | None:
    """The price in a text; of a range its lower end; None where there is none.

    `currency` is what a symbol of several meanings ("$", "kr") or a bare number means at this place.

    >>> read_price("CHF 2’300.–"), read_price("$20", "CAD"), read_price("on request")
    (Price(amount=2300.0, currency='CHF'), Price(amount=20.0, currency='CAD'), None)
    """
    plain = _plain(text)
    numbers = _numbers(plain, currency)
    chosen = _chosen(numbers)
    if chosen is None:
        return None
    code = chosen.code or _only_currency(plain, currency)
    ends = [number for number in (chosen, *chosen.range_with(numbers)) if not number.negative]
    amounts = [amount for number in ends if (amount := number.amount(code)) is not None]
    if chosen.negative or not amounts:
        return None
    return Price(min(amounts), code)


def read_number(value: Any, currency: str | None = None) -> float | None:
    """A plain number of structured data, written with a dot or else like `1,234.50`, `1.234,50`, `1 234,50`.

    One dot before three digits is a decimal point, as schema.org wants it, unless the currency has no decimals.

    >>> read_number("1234.50"), read_number("1.234,50"), read_number("1.500", "JPY"), read_number("ask")
    (1234.5, 1234.5, 1500.0, None)
    """
    if isinstance(value, str):
        plain = re.sub(r"[\s']", "", _plain(value))
        if not re.fullmatch(r"\d+(?:[.,]\d+)*|[.,]\d+", plain):
            return _finite(plain) if re.fullmatch(r"\d+(\.\d+)?e[+-]?\d{1,2}", plain) else None
        if re.fullmatch(r"\d+\.\d{3}", plain) and currency not in NO_DECIMALS:
            return _finite(plain)
        return _finite(_decimal(plain, currency))
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return _finite(value)


# ------------------------------------------------------------------ the numbers of a text


@dataclass(frozen=True)
class _Number:
    """A number of the text with what stands around it."""

    place: int
    digits: str
    scale: int
    before: str  # up to the number before
    after: str  # up to the next number
    code: str | None  # of the currency that stands beside it
    marked: bool  # a currency stands beside it, though perhaps one of several meanings

    @property
    def negative(self) -> bool:
        return _MINUS.search(self.before) is not None and not (self.place and self.before.strip() == "-")

    def counts_money(self) -> bool:
        """A number that may be a price: no percentage, no time of day."""
        return not self.after.lstrip().startswith(("%", "٪")) and (":" not in self.digits or self.marked)

    def range_with(self, numbers: list[_Number]) -> list[_Number]:
        """The other end of the range that this number is an end of."""
        ends = []
        for first, second in pairwise(numbers):
            if self in (first, second) and _is_range(first.after) and first.counts_money():
                ends.append(second if self is first else first)
        return ends

    def amount(self, currency: str | None) -> float | None:
        read = _finite(_decimal(self.digits, currency))
        return None if read is None else _finite(read * self.scale)


def _plain(text: str) -> str:
    """The text with plain digits, spaces and apostrophes, without marks that are not seen."""
    cut = html.unescape(text[: 4 * _MAX_TEXT])[:_MAX_TEXT].translate(_APOSTROPHES)
    cut = _SUPERSCRIPT.sub(lambda match: "." + "".join(str(unicodedata.digit(c)) for c in match.group(1)), cut)
    folded = unicodedata.normalize("NFKC", cut)
    seen = (c for c in folded if unicodedata.category(c) != "Cf")
    return re.sub(r"\s+", " ", "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in seen)).strip()


def _numbers(plain: str, default: str | None) -> list[_Number]:
    matches = list(_NUMBER.finditer(plain))
    numbers: list[_Number] = []
    for place, match in enumerate(matches):
        before = plain[matches[place - 1].end() if place else 0 : match.start()]
        after = plain[match.end() : matches[place + 1].start() if place + 1 < len(matches) else len(plain)]
        scale = _SCALE.match(after)
        rest = after[scale.end() :] if scale else after
        token = _token(before, rest, match.group(), place + 1 == len(matches))
        numbers.append(
            _Number(
                place=place,
                digits=match.group(),
                scale=next(_SCALES[i] for i, found in enumerate(scale.groups()) if found) if scale else 1,
                before=before,
                after=after,
                code=currency_of(token, default) if token else None,
                marked=token is not None,
            )
        )
    return _with_ten_thousands(numbers)


def _token(before: str, after: str, digits: str, last: bool) -> str | None:
    """The currency beside a number: the one that is certain, else the one in front, else the one behind."""
    inside = next((symbol for symbol in "€$£" if symbol in digits), None)
    front = _BEFORE.search(before)
    behind = _AFTER.match(after)
    ahead = front.group(1) if front and means_money(front.group(1)) else None
    behind_token = behind.group(1) if behind and means_money(behind.group(1)) else None
    if ahead and behind and behind_token and not last and not after[behind.end() :].strip():
        behind_token = None  # it stands in front of the next number, as this one's stands in front of this
    if ahead and (is_certain(ahead) or not behind_token or not is_certain(behind_token)):
        return ahead
    return behind_token or inside


def _with_ten_thousands(numbers: list[_Number]) -> list[_Number]:
    """`1万2,000円` as one number."""
    joined: list[_Number] = []
    for number in numbers:
        last = joined[-1] if joined else None
        if last and last.scale == _SCALES[0] and not last.marked and _SCALE.sub("", last.after, count=1) == "":
            whole = (last.amount(None) or 0) + (number.amount(None) or 0)
            joined[-1] = _Number(last.place, str(int(whole)), 1, last.before, number.after, number.code, number.marked)
        else:
            joined.append(number)
    return joined


def _chosen(numbers: list[_Number]) -> _Number | None:
    """The first number beside a currency, else the first that may be a price."""
    candidates = [number for number in numbers if number.counts_money()]
    return next((number for number in candidates if number.marked), candidates[0] if candidates else None)


def _only_currency(plain: str, default: str | None) -> str | None:
    """The currency that the text names somewhere, or the default where it names none at all."""
    tokens = [token for token in _ANYWHERE.findall(plain) if means_money(token)]
    return currency_of(tokens[0], default) if tokens else default


def _is_range(between: str) -> bool:
    inner = _BARE_END.sub("", between.strip())
    inner = _AFTER.sub("", inner, count=1) if _AFTER.match(inner) else inner
    inner = _BEFORE.sub("", inner.strip(), count=1)
    return _RANGE.fullmatch(inner.strip()) is not None


# ------------------------------------------------------------------ one number


def _decimal(digits: str, currency: str | None) -> str:
    """The digits of a number with a dot as the only separator."""
    if mark := re.search(r"(?:€ |[€$£:'])(\d{2})$", digits):
        return re.sub(r"\D", "", digits[: mark.start()]) + "." + mark.group(1)
    bare = re.sub(r"[ ']", "", digits)
    marks = re.findall(r"[.,]", bare)
    if not marks:
        return bare
    whole, _, part = bare.rpartition(marks[-1])
    groups = _groups(whole, part, marks, "'" in digits or " " in digits, currency)
    return re.sub(r"[.,]", "", bare) if groups else re.sub(r"[.,]", "", whole) + "." + part


def _groups(whole: str, part: str, marks: list[str], grouped: bool, currency: str | None) -> bool:
    """Whether the last separator only groups digits: three follow it, and nothing says that they are decimals."""
    if len(part) != 3 or currency in NO_DECIMALS:
        return len(part) == 3
    if grouped or len(set(marks)) > 1:
        return marks.count(marks[-1]) > 1
    if len(marks) > 1:
        return True
    if len(whole) > 3 or whole in ("", "0"):
        return False
    return not (currency in THREE_DECIMALS and (marks[-1] == "." or currency in ("TND", "LYD")))


def _finite(value: str | float | Decimal) -> float | None:
    """A sane amount, read by price-parser where it is a text."""
    try:
        if isinstance(value, str):
            read = price_parser.Price.fromstring(value, decimal_separator=".").amount if "e" not in value else value
            value = math.nan if read is None else float(read)
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number <= MAX_AMOUNT else None
