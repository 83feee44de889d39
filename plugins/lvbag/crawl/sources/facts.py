"""What a part of a page says of a product, and how single values are read: texts, barcodes, words of schema.org."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from lvbag.crawl.sources.html import text, words
from lvbag.crawl.sources.json_ld import as_list

GTIN_KEYS = ("gtin", "gtin13", "gtin12", "gtin14", "gtin8", "ean", "ean13", "upc", "isbn", "isbn13")

_GTIN_LENGTHS = (8, 12, 13, 14)
_SCHEME = re.compile(r"(?:urn:)?(?:sku|mpn|productid|gtin-?\d*|ean-?\d*|upc|isbn|asin):\s*", re.IGNORECASE)
"""What an identifier may say of itself, such as `sku:123`."""
_WORDS = words(
    "InStock OutOfStock SoldOut PreOrder PreSale BackOrder InStoreOnly OnlineOnly LimitedAvailability Discontinued "
    "MadeToOrder Reserved NewCondition UsedCondition RefurbishedCondition DamagedCondition"
)
_SPELLINGS = {word.lower(): word for word in _WORDS} | {
    "oos": "OutOfStock",
    "available": "InStock",
    "availablefororder": "BackOrder",
}
_ADDRESS = re.compile(r"(?:https?://|//|schema:|\w+\.\w+/)\S+\Z")


@dataclass(frozen=True)
class Facts:
    """What a part of a page says of its product; None or empty: nothing."""

    listing_id: str | None = None
    url: str | None = None  # absolute
    title: str | None = None
    price: float | None = None
    currency: str | None = None
    seller: str | None = None
    image_urls: tuple[str, ...] = ()
    brand: str | None = None
    sku: str | None = None
    gtin: str | None = None
    condition: str | None = None
    availability: str | None = None

    def or_else(self, other: Facts) -> Facts:
        """These, with their gaps filled by the others. A price comes with the currency that stands beside it."""
        merged = {field.name: getattr(self, field.name) or getattr(other, field.name) for field in fields(self)}
        if self.price is not None:
            merged["price"] = self.price
        elif other.price is not None:
            merged["currency"] = other.currency or self.currency
        return Facts(**merged)

    @property
    def is_whole(self) -> bool:
        """Enough is said to do without the item's page: what it is, and what it looks like."""
        return self.title is not None and bool(self.image_urls)


NOTHING = Facts()
"""Nothing is said."""


def first_text(value: Any) -> str | None:
    """The first text of a value that may be a text, a list, or a thing with a name or value."""
    for item in as_list(value):
        inner = item
        for _ in range(3):
            if not isinstance(inner, dict):
                break
            inner = next((inner[key] for key in ("name", "@value", "value") if inner.get(key)), None)
            inner = inner[0] if isinstance(inner, list) and inner else inner
        if (found := text(inner)) is not None:
            return found
    return None


def read_gtin(*values: Any) -> str | None:
    """The first value that is a GTIN-8, -12, -13 or -14, as digits.

    >>> read_gtin("isbn:978-3-16-148410-0"), read_gtin("n/a")
    ('9783161484100', None)
    """
    for value in values:
        for item in as_list(value):
            plain = re.sub(r"[\s-]", "", identifier(item) or "")
            digits = plain.zfill(12) if re.fullmatch(r"\d{11}", plain) and _checks(plain) else plain
            if re.fullmatch(r"[0-9]+", digits) and len(digits) in _GTIN_LENGTHS and digits.strip("0"):
                return digits
    return None


def last_part(value: Any) -> str | None:
    """`https://schema.org/InStock`, `schema:InStock` and `in stock` as InStock; another text as it stands."""
    for item in as_list(value):
        inner = (item.get("@id") or item.get("itemcondition") or item) if isinstance(item, dict) else item
        said = first_text(inner)
        if said is not None:
            word = re.split(r"[/#:]", said.rstrip("/"))[-1] if _ADDRESS.match(said) else said
            return _SPELLINGS.get(re.sub(r"[^a-z]", "", word.lower()), word) or None
    return None


def identifier(value: Any) -> str | None:
    """An identifier without what it says of itself, such as `sku:`."""
    said = first_text(value)
    return None if said is None else _SCHEME.sub("", said, count=1).strip() or None


def _checks(digits: str) -> bool:
    """Whether the last digit is the check digit of a GTIN."""
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return weighted % 10 == 0
