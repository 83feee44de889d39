"""Style codes in titles: `M41108`, `m 41108`, `Ｍ４１１０８`, `M41108モノグラム`, and older codes given as aliases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lvbag.catalog import Product
from lvbag.crawl.titles.spelling import plain

# a capital and five digits, as the maker writes bags' codes
_CODE = re.compile(r"(?<![A-Za-z0-9])([A-Za-z])[ ._-]?([0-9]{5})(?![0-9])")
# bags have M and N; sellers number their own articles with other letters as well
_MAKERS = ("M", "N")
_WORD = re.compile("[A-Za-z0-9]+")
_CAPITALS = re.compile("[A-Z]+")


@dataclass(frozen=True)
class Codes:
    """The codes of a catalog, in capitals, with the product that each stands for."""

    with_digits: dict[str, str]
    of_letters: dict[str, str]  # count only where the title writes them in capitals


@dataclass(frozen=True)
class Found:
    """The products whose codes a title names, and a maker's code that no product has, or None."""

    products: tuple[str, ...]
    unknown: str | None


def codes_of(products: Sequence[Product]) -> Codes:
    """The products' own codes, and aliases that are codes unless they are another product's own."""
    with_digits: dict[str, str] = {}
    of_letters: dict[str, str] = {}
    for product in products:
        if product.official:
            has_digit = any(letter.isdigit() for letter in product.style_code)
            (with_digits if has_digit else of_letters)[product.style_code] = product.style_code
    for product in products:
        for alias in product.aliases:
            if is_code(alias):
                with_digits.setdefault(alias.upper(), product.style_code)
    return Codes(with_digits, of_letters)


def is_code(text: str) -> bool:
    """Whether a whole text is a code such as the maker writes them."""
    return _CODE.fullmatch(text) is not None


def find_codes(codes: Codes, title: str) -> Found:
    """The codes that a title names."""
    text = plain(title)
    made = [letter.upper() + digits for letter, digits in _CODE.findall(text)]
    written = [word.upper() for word in _WORD.findall(text)]
    known = {codes.with_digits[code] for code in (*made, *written) if code in codes.with_digits}
    known |= {codes.of_letters[word] for word in _CAPITALS.findall(text) if word in codes.of_letters}
    unknown = next((code for code in made if code[0] in _MAKERS and code not in codes.with_digits), None)
    return Found(tuple(sorted(known)), unknown)
