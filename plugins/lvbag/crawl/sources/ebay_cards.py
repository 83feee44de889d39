"""What one card of a page of eBay results says, in every generation of markup.

Whether a card stands where results stand is decided in `ebay_river`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bs4 import Tag

from lvbag.crawl.sources.base import NOT_UNDERSTOOD, Listing
from lvbag.crawl.sources.ebay_pictures import is_picture, pictures
from lvbag.crawl.sources.ebay_river import PLACEHOLDER, names_of
from lvbag.crawl.sources.ebay_words import PLACEHOLDER_TITLE, clean_title
from lvbag.crawl.sources.html import Document, text
from lvbag.crawl.sources.prices import read_price

NO_LISTING = "no_listing"
"""A card that leads to a search, a category or a shop instead of a listing."""

_TITLES = ("s-item__title", "s-card__title", "su-item-card__title")
_PRICES = ("s-item__price", "s-card__price", "su-item-card__price")
_PICTURES = ("s-item__image", "s-item__image-section", "su-card-container__media", "s-card__media-wrapper", "su-image")
_SUBTITLES = ("s-card__subtitle", "su-item-card__subtitle")
_SELLER_ROWS = (
    "s-item__seller-info-text",
    "s-item__seller-info",
    "s-card__attribute-row",
    "su-card-container__attributes__secondary",
    "su-styled-text",
)
_UNSPOKEN = {"clipped", "s-card__new-listing", "LIGHT_HIGHLIGHT", "STRIKETHROUGH", "strikethrough"}
_ADDRESSES = ("data-zoom-src", "data-defer-load", "data-src", "data-originalsrc", "src", "srcset", "data-srcset")

_ITEM_PATH = re.compile(r"/(?:itm|i)/(?:[^/?#]+/)?(\d{4,20})/?$")
_ITEM_QUERY = re.compile(r"(?:^|&)(?:item|iid)=(\d{9,15})(?:&|$)")
_NUMBER = re.compile(r"\d{8,15}")  # the placeholder's numbers are shorter or longer
_FEEDBACK = r"\(\s*[\d.,]+\s?[^\d()]{0,8}\)"
_PERCENT = r"\d{1,3}(?:[.,]\d+)?\s?%"
_SELLER = re.compile(
    rf"^(?:[^\W\d]+\s?:\s)?(\S.{{0,60}}?)\s*(?:{_FEEDBACK}\s*{_PERCENT}|\s{_PERCENT}[^()%]{{0,60}}{_FEEDBACK})"
)


@dataclass(frozen=True)
class Place:
    """The marketplace that a page belongs to."""

    site: str
    currency: str | None  # what a "$" or a bare number means there


def read_card(card: Tag, document: Document, place: Place) -> Listing | str:
    """The listing of a card, or the reason why there is none in it."""
    parts = _Parts(card)
    links = [document.absolute(str(link["href"])) for link in parts.links]
    number = next((found for link in links if (found := item_number(link))), None)
    number = number or _plausible(card.get("data-listingid"))
    title = _title(parts)
    if number is None:
        return _why_not(parts, links, title)
    if title is None:
        return NOT_UNDERSTOOD
    if PLACEHOLDER_TITLE.match(title):
        return PLACEHOLDER
    price = _price(parts, place.currency)
    return Listing(
        listing_id=number,
        url=f"{place.site}/itm/{number}",
        title=title,
        price=price[0],
        currency=price[1],
        seller=_seller(parts),
        image_urls=pictures(_image_urls(parts, document)),
        condition=_condition(parts),
    )


def item_number(url: str) -> str | None:
    """The number of the listing that an address of eBay leads to."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    match = _ITEM_PATH.search(parts.path) or _ITEM_QUERY.search(parts.query)
    return _plausible(match.group(1)) if match else None


def spoken(tag: Tag) -> str | None:
    """The text of an element without what is struck out or only meant for screen readers."""
    words: list[str] = []
    for string in tag.strings:
        around: Tag | None = string.parent
        while around is not None and around is not tag and not _UNSPOKEN.intersection(names_of(around)):
            around = around.parent
        if around is tag:
            words.append(str(string))
    return text(" ".join(words))


class _Parts:
    """The elements of a card by their classes, each list in the page's order."""

    def __init__(self, card: Tag) -> None:
        self.by_class: dict[str, list[Tag]] = defaultdict(list)
        self.links: list[Tag] = []
        self.images: list[Tag] = []
        self.headings: list[Tag] = []
        for tag in (card, *card.find_all(True)):
            self._sort(tag)

    def all(self, *names: str) -> Iterator[Tag]:
        """The elements of the first class, then those of the next …"""
        for name in names:
            yield from self.by_class.get(name, ())

    def _sort(self, tag: Tag) -> None:
        if tag.name == "a" and tag.has_attr("href"):
            self.links.append(tag)
        elif tag.name == "img":
            self.images.append(tag)
        if tag.get("role") == "heading":
            self.headings.append(tag)
        for name in names_of(tag):
            self.by_class[name].append(tag)


def _plausible(number: object) -> str | None:
    return number if isinstance(number, str) and _NUMBER.fullmatch(number) else None


def _why_not(parts: _Parts, links: list[str], title: str | None) -> str:
    """Why a card without a listing's number is none: eBay's own, one that leads elsewhere, or one that is not read."""
    if title and PLACEHOLDER_TITLE.match(title):
        return PLACEHOLDER
    offered = title is not None and _price(parts, None)[0] is not None
    return NOT_UNDERSTOOD if offered or not links else NO_LISTING


def _title(parts: _Parts) -> str | None:
    for tag in (*parts.all(*_TITLES), *parts.headings):
        if title := clean_title(spoken(tag) or ""):
            return title
    for image in parts.images:
        if title := clean_title(text(image.get("alt")) or ""):
            return title
    return None


def _price(parts: _Parts, currency: str | None) -> tuple[float | None, str | None]:
    """The first price of a card; one that is struck out, as that of an accepted offer, only where there is no other."""
    rows = list(parts.all(*_PRICES))
    for said in (*(spoken(row) for row in rows), *(text(row.get_text(" ")) for row in rows)):
        if price := read_price(said or "", currency):
            return price.amount, price.currency
    return None, None


def _image_urls(parts: _Parts, document: Document) -> Iterator[str]:
    media = next((found for name in _PICTURES if (found := parts.by_class.get(name))), [])
    images = [image for place in media for image in place.find_all("img")] or parts.images
    for image in images:
        urls = (document.absolute(address) for address in addresses(image))
        yield from [url for url in urls if is_picture(url)][:1]


def addresses(image: Tag) -> Iterator[str]:
    """The addresses of an `img`, those of pictures that load late before the blank one that stands for them."""
    for name in _ADDRESSES:
        value = str(image.get(name) or "").strip()
        if value:
            yield value.split()[0].rstrip(",") if name.endswith("srcset") else value


def _seller(parts: _Parts) -> str | None:
    for tag in parts.all(*_SELLER_ROWS):
        if match := _SELLER.match(spoken(tag) or ""):
            return match.group(1).strip()
    return None


def _condition(parts: _Parts) -> str | None:
    """A seller's own subtitle stands above the condition, and the kind of seller or the brand behind it."""
    rows = parts.by_class.get("SECONDARY_INFO", [])[:1] or [*parts.all(*_SUBTITLES)][-1:]
    if not rows:
        return None
    first = rows[0].find(class_="su-styled-text")
    said = spoken(first if isinstance(first, Tag) else rows[0])
    return re.split(r"\s*[·|]", said)[0].strip() or None if said else None
