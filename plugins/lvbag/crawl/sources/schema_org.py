"""Shops that describe their items with schema.org, as search engines ask them to.

An item page carries a JSON-LD Product. A search page is read in three steps, and the first that yields links wins:
the JSON-LD ItemList, elements marked up as Product, links that are named product or item. Only links to the shop's
own host count, so advertisements do not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from bs4 import Tag

from lvbag.crawl.sources.base import Item, Page, PageNotUnderstood, SearchPage, Source
from lvbag.crawl.sources.html import Document, text
from lvbag.crawl.sources.json_ld import JsonLd, Node, as_list, read_json_ld, types

_PRODUCT_TYPES = frozenset({"product", "individualproduct", "productgroup", "productmodel", "someproducts"})
_LIST_TYPES = frozenset({"itemlist", "offercatalog"})
_LINK_WORD = re.compile(r"^item(s?$|[-_])|(^|[-_])product(s?$|[-_])", re.IGNORECASE)
_NO_RESULTS = frozenset({"nav", "header", "footer", "aside"})
_LEVELS = 3
"""How far above a link its result card may be."""
_CURRENCY = re.compile(r"[A-Z]{3}")


class SchemaOrgSource(Source):
    """Any shop whose pages speak schema.org."""

    def read_search(self, page: Page) -> SearchPage:
        """See `Source.read_search`."""
        document = Document(page)
        data = read_json_ld(document.soup)
        for links in (_json_links(data), _marked_up_links(document), _named_links(document)):
            found = tuple(dict.fromkeys(url for link in links if document.same_shop(url := document.absolute(link))))
            if found:
                return SearchPage(found, _next_url(document))
        announced = _announced(data)
        if announced:
            raise PageNotUnderstood(f"no_items: the page announces {announced} results and links to none", 200)
        return SearchPage((), _next_url(document))

    def read_item(self, page: Page) -> Item:
        """See `Source.read_item`."""
        document = Document(page)
        data = read_json_ld(document.soup)
        node = _product(data, document)
        if node is None:
            reason = f"json_ld_invalid: {data.errors[0]}" if data.errors else "no_product"
            raise PageNotUnderstood(reason, 200, len(page.body))
        title = _first_text(node.get("name"))
        if title is None:
            raise PageNotUnderstood("no_title: the Product has no name", 200, len(page.body))
        offer = _offer(node)
        return Item(
            shop_id=_first_text(node.get("productID")) or _first_text(node.get("sku")),
            title=title,
            price=_price(offer),
            currency=_currency(offer),
            seller=_first_text(offer.get("seller")) or _first_text(offer.get("offeredBy")),
            image_urls=tuple(document.absolute(link) for link in _images(node.get("image"))),
        )


# ------------------------------------------------------------------ item pages


def _product(data: JsonLd, document: Document) -> Node | None:
    """The page's Product: the one that names the page's address, else the first."""
    products = [node for node in data.nodes if types(node) & _PRODUCT_TYPES]
    for node in products:
        if any(document.absolute(link) == document.url.split("#", 1)[0] for link in _links(node)):
            return node
    return products[0] if products else None


def _offer(node: Node) -> Node:
    """The offer that states a price, else the first, else an empty one."""
    offers = [offer for offer in as_list(node.get("offers")) if isinstance(offer, dict)]
    return next((offer for offer in offers if _price(offer) is not None), offers[0] if offers else {})


def _price(offer: Node) -> float | None:
    for key in ("price", "lowPrice"):
        if (price := _number(offer.get(key))) is not None:
            return price
    for specification in as_list(offer.get("priceSpecification")):
        if isinstance(specification, dict) and (price := _number(specification.get("price"))) is not None:
            return price
    return None


def _currency(offer: Node) -> str | None:
    places = (offer, *(s for s in as_list(offer.get("priceSpecification")) if isinstance(s, dict)))
    for place in places:
        currency = (_first_text(place.get("priceCurrency")) or "").upper()
        if _CURRENCY.fullmatch(currency):
            return currency
    return None


def _number(value: Any) -> float | None:
    """schema.org wants a plain number with a dot; shops also write `1,234.50`, `1.234,50` and `1 234,50`."""
    if isinstance(value, str):
        plain = re.sub(r"[\s\u00a0\u202f'’]", "", value)
        if re.fullmatch(r"\d{1,3}(\.\d{3})*,\d{1,2}|\d+,\d{1,2}", plain):
            plain = plain.replace(".", "").replace(",", ".")
        value = plain.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})*(\.\d+)?", plain) else plain
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _images(value: Any) -> Iterator[str]:
    for image in as_list(value):
        if isinstance(image, str) and image.strip():
            yield image
        elif isinstance(image, dict):
            urls = (image.get(key) for key in ("contentUrl", "url", "@id"))
            yield from [url for url in urls if isinstance(url, str) and url.strip()][:1]


def _first_text(value: Any) -> str | None:
    """The first text of a value that may be a text, a list, or a thing with a name or value."""
    for item in as_list(value):
        inner = (item.get("name") or item.get("@value") or item.get("value")) if isinstance(item, dict) else item
        if (found := text(inner)) is not None:
            return found
    return None


# ------------------------------------------------------------------ search pages


def _json_links(data: JsonLd) -> Iterator[str]:
    lists = [node for node in data.nodes if types(node) & _LIST_TYPES]
    for node in lists:
        for entry in as_list(node.get("itemListElement")):
            if isinstance(entry, str):
                yield entry
            elif isinstance(entry, dict):
                yield from _links(entry)
    if not lists:
        for node in data.nodes:
            if types(node) & _PRODUCT_TYPES:
                yield from _links(node)


def _links(node: Node) -> Iterator[str]:
    """The address of a thing or of the item in a list: the first that is given."""
    item = node.get("item")
    if isinstance(item, str):
        yield item
        return
    places = (item, node) if isinstance(item, dict) else (node,)
    for place in places:
        for key in ("url", "@id"):
            for link in as_list(place.get(key)):
                if isinstance(link, str) and link.strip():
                    yield link
                    return


def _announced(data: JsonLd) -> int:
    numbers = [_number(node.get("numberOfItems")) for node in data.nodes if types(node) & _LIST_TYPES]
    return int(max((number for number in numbers if number is not None), default=0))


def _marked_up_links(document: Document) -> Iterator[str]:
    """The first link of every element with `itemtype` Product."""
    for element in document.soup.find_all(itemtype=re.compile(r"schema\.org/(Individual)?Product\b", re.IGNORECASE)):
        link = element.find(["a", "link"], itemprop="url", href=True) or element.find("a", href=True)
        if isinstance(link, Tag):
            yield str(link["href"])
        elif element.name == "a" and element.get("href"):
            yield str(element["href"])


def _named_links(document: Document) -> Iterator[str]:
    """Links whose own class, or that of an element around them, says product or item."""
    for link in document.soup.find_all("a", href=True):
        parents = list(link.parents)
        around = (link, *parents[:_LEVELS])
        named = any(_LINK_WORD.search(name) for element in around for name in _classes(element))
        if named and not _rels(link) and not any(parent.name in _NO_RESULTS for parent in parents):
            yield str(link["href"])


def _classes(element: Tag) -> list[str]:
    value = element.get("class")
    return [str(name) for name in value] if isinstance(value, list) else []


def _rels(element: Tag) -> set[str]:
    """The relations that make a link something else than an item."""
    return set(str(rel).lower() for rel in as_list(element.get("rel"))) & {"next", "prev", "nofollow", "sponsored"}


def _next_url(document: Document) -> str | None:
    for link in document.soup.find_all(["link", "a"], href=True):
        if "next" in (str(rel).lower() for rel in as_list(link.get("rel"))):
            url = document.absolute(str(link["href"]))
            return url if document.same_shop(url) else None
    return None
