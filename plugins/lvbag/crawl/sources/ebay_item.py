"""An item page of eBay: its JSON-LD Product, and what only the page itself shows (seller, gallery, wording)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bs4 import Tag

from lvbag.crawl.sources.base import Listing, PageNotUnderstood
from lvbag.crawl.sources.ebay_cards import Place, addresses, item_number, spoken
from lvbag.crawl.sources.ebay_pictures import is_picture, pictures
from lvbag.crawl.sources.ebay_words import clean_title
from lvbag.crawl.sources.html import Document, text
from lvbag.crawl.sources.json_ld import Node, as_list, read_json_ld, types
from lvbag.crawl.sources.prices import read_number, read_price

_GALLERY = (
    ".ux-image-carousel-item img, .ux-image-filmstrip-carousel-item img, .ux-image-grid-item img, "
    "#vi_main_img_fs img, #PicturePanel img#icImg, img#icImg"
)
_SELLER = (
    ".x-sellercard-atf__info__about-seller a",
    "[data-testid='x-sellercard-atf'] a",
    ".ux-seller-section__item--seller a",
    "#mbgLink",
    ".mbg-nw",
)
_CONDITION = (".x-item-condition-text .ux-textspans", "#vi-itm-cond")
_TITLE = ("h1.x-item-title__mainTitle .ux-textspans--BOLD", "h1.x-item-title__mainTitle", "h1#itemTitle")
_PRICE = (".x-price-primary", ".x-bin-price__content", "#prcIsum", "#mm-saleDscPrc", "#prcIsum_bidPrice")
_PRODUCTS = {"product", "productgroup", "individualproduct"}
_GTINS = ("gtin13", "gtin12", "gtin14", "gtin8", "gtin")


def read_item(document: Document, place: Place, size: int) -> Listing:
    """The listing; raises `PageNotUnderstood` when the page has no title or number of a listing."""
    product = _product(document)
    number = _number(document)
    title = clean_title(text(product.get("name")) or _shown(document, _TITLE) or "")
    if number is None or not title:
        missing = "number" if number is None else "title"
        raise PageNotUnderstood(f"no_item: the page does not tell the listing's {missing}", 200, size)
    offer: Node = next((node for node in as_list(product.get("offers")) if isinstance(node, dict)), Node())
    amount, currency = _price(document, place, offer)
    return Listing(
        listing_id=number,
        url=f"{place.site}/itm/{number}",
        title=title,
        price=amount,
        currency=currency,
        seller=_shown(document, _SELLER),
        image_urls=pictures(_image_urls(document, product)),
        brand=_name(product.get("brand")),
        sku=_name(product.get("sku")) or _name(product.get("mpn")),
        gtin=next((found for key in _GTINS if (found := _name(product.get(key)))), None),
        condition=_shown(document, _CONDITION) or _last_part(offer.get("itemcondition")),
        availability=_last_part(offer.get("availability")),
    )


def _product(document: Document) -> Node:
    scripts = document.soup.find_all("script", type=re.compile(r"^\s*application/ld\+json\b", re.IGNORECASE))
    nodes = read_json_ld(script.get_text() for script in scripts).nodes
    return next((node for node in nodes if types(node) & _PRODUCTS), Node())


def _number(document: Document) -> str | None:
    links = [
        str(tag.get("href") or tag.get("content") or "")
        for tag in document.soup.select("link[rel='canonical'], meta[property='og:url']")
    ]
    return next((found for link in (*links, document.url) if (found := item_number(document.absolute(link)))), None)


def _price(document: Document, place: Place, offer: Node) -> tuple[float | None, str | None]:
    """The offer's price, which is in the reader's currency; else the one on the page, which is in the seller's."""
    currency = text(offer.get("pricecurrency"))
    for key in ("price", "lowprice"):
        amount = read_number(offer.get(key), currency)
        if amount is not None:
            return amount, currency.upper() if currency else place.currency
    price = read_price(_shown(document, _PRICE) or "", place.currency)
    return (price.amount, price.currency) if price else (None, None)


def _image_urls(document: Document, product: Node) -> Iterator[str]:
    for image in as_list(product.get("image")):
        address = image.get("contenturl") or image.get("url") if isinstance(image, dict) else image
        if isinstance(address, str):
            yield document.absolute(address)
    for tag in document.soup.select(_GALLERY):
        urls = (document.absolute(address) for address in addresses(tag))
        yield from [url for url in urls if is_picture(url)][:1]


def _shown(document: Document, selectors: tuple[str, ...]) -> str | None:
    """The text of the first element that has one."""
    for selector in selectors:
        for tag in document.soup.select(selector, limit=3):
            if isinstance(tag, Tag) and (found := spoken(tag)):
                return found
    return None


def _name(value: Any) -> str | None:
    """A text, or the name of a thing."""
    for item in as_list(value):
        if found := text(item.get("name") if isinstance(item, dict) else item):
            return found
    return None


def _last_part(value: Any) -> str | None:
    found = _name(value)
    return found.rstrip("/").rsplit("/", 1)[-1] or None if found else None
