"""The results on a page of results: JSON-LD lists, cards in microdata, links that are named product or item.

The first kind that yields something wins, unless a later one describes its items wholly. Only addresses of the shop
itself count, so advertisements do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bs4 import Tag

from lvbag.crawl.sources.base import NOT_UNDERSTOOD, Listing, Results
from lvbag.crawl.sources.facts import Facts
from lvbag.crawl.sources.html import Document
from lvbag.crawl.sources.item_pages import Data, listing_of
from lvbag.crawl.sources.json_ld import Node, as_list, things, types
from lvbag.crawl.sources.microdata import LINK
from lvbag.crawl.sources.prices import read_number
from lvbag.crawl.sources.products import address_of, read_product

OTHER_SHOP = "other_shop"
NO_LINK = "no_link"

_LIST_TYPES = frozenset({"itemlist", "offercatalog"})
_PAGE_TYPES = frozenset({"collectionpage", "searchresultspage", "webpage", "itempage", "offerforpurchase"})
_NO_ITEMS = frozenset({"sitenavigationelement", "wpheader", "wpfooter", "breadcrumblist", "question", "article"})
_MAX_ENTRIES = 1_000
_LINK_WORD = re.compile(r"^item(s?$|[-_])|(^|[-_])product(s?$|[-_])", re.IGNORECASE)
_NO_RESULTS = frozenset({"nav", "header", "footer", "aside"})
_LEVELS = 3
"""How far above a link its result card may be."""


@dataclass
class _Entries:
    """What the page lists, by address: whole listings, and addresses only; and what is none and why."""

    document: Document
    listings: dict[str, Listing] = field(default_factory=dict)
    links: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def add(self, url: str | None, facts: Facts) -> None:
        if url is None or not self.document.is_address(url):
            self.drop(NO_LINK if facts.title else NOT_UNDERSTOOD)
        elif not self.document.same_shop(url):
            self.drop(OTHER_SHOP)
        elif facts.is_whole:
            self.listings.setdefault(url, listing_of(facts, url))
        else:
            self.links[url] = None

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def results(self, announced: int | None = None) -> Results:
        links = tuple(link for link in self.links if link not in self.listings)
        return Results(tuple(self.listings.values()), links, announced=announced, dropped=self.dropped)


def read_grid(data: Data) -> Results:
    """All results on a page, without its next page."""
    listed, announced = _json_ld(data)
    if not listed.links and listed.listings:
        return listed.results(announced)
    marked_up = _microdata(data)
    if announced is None:
        announced = _announced(data.microdata.lists)
    if len(marked_up.listings) > len(listed.listings) and not set(listed.links) - marked_up.listings.keys():
        return marked_up.results(announced)
    for entries in (listed, marked_up):
        if entries.listings or entries.links:
            return entries.results(announced)
    named = _Entries(data.document)
    for link in _named_links(data.document):
        url = data.document.absolute(link)
        if data.document.is_address(url) and data.document.same_shop(url):
            named.links[url] = None
    dropped = {reason: listed.dropped.get(reason, 0) + count for reason, count in marked_up.dropped.items()}
    named.dropped = {} if named.links else {**listed.dropped, **dropped}
    return named.results(announced)


def _json_ld(data: Data) -> tuple[_Entries, int | None]:
    entries = _Entries(data.document)
    ids = data.json_ld.ids
    lists = _lists(data)
    for node in lists:
        for element in as_list(node.get("itemlistelement"))[:_MAX_ENTRIES]:
            _add_element(element, entries, data)
    if not lists:
        for product in data.products[:_MAX_ENTRIES]:
            facts = read_product(product, data.document, ids)
            if facts.url is not None:
                entries.add(facts.url, facts)
    return entries, _announced(lists)


def _lists(data: Data) -> list[Node]:
    """The lists of the page and of what the page says that it is; those with products, where any has."""
    nodes = list(data.json_ld.nodes)
    for node in data.json_ld.nodes:
        if types(node) & _PAGE_TYPES:
            nodes += [thing for key in ("haspart", "about") for thing in things(node, key, data.json_ld.ids)]
    lists = list({id(node): node for node in nodes if types(node) & _LIST_TYPES}.values())
    lists = [node for node in lists if not any(types(item) & _NO_ITEMS for item in _items(node))]
    with_products = [
        node for node in lists if any("offers" in item or "product" in types(item) for item in _items(node))
    ]
    return with_products or lists


def _items(node: Node) -> Iterator[Node]:
    for element in as_list(node.get("itemlistelement"))[:_LEVELS]:
        if isinstance(element, dict):
            yield element
            yield from things(element, "item", {})


def _add_element(element: Any, entries: _Entries, data: Data) -> None:
    document, ids = data.document, data.json_ld.ids
    if isinstance(element, str):
        thing = ids.get(element)
        if thing is None:
            entries.add(document.absolute(element), Facts())
            return
        element = thing
    if not isinstance(element, dict):
        return
    item = element.get("item") or element.get("itemoffered") or element
    item = item[0] if isinstance(item, list) and item else item
    if isinstance(item, str):
        entries.add(document.absolute(item), Facts())
        return
    found = next(iter(things({"item": item}, "item", ids)), element)
    facts = read_product(found, document, ids)
    entries.add(facts.url or address_of(element, document), facts)


def _announced(lists: Iterable[Node]) -> int | None:
    """How many results the lists say there are; None: they do not say."""
    numbers = [read_number(value) for node in lists for value in as_list(node.get("numberofitems"))]
    return max((int(number) for number in numbers if number is not None), default=None)


def _microdata(data: Data) -> _Entries:
    entries = _Entries(data.document)
    for node in data.microdata.products[:_MAX_ENTRIES]:
        facts = read_product(node, data.document, {})
        link = node.get(LINK)
        url = facts.url or (data.document.absolute(link) if isinstance(link, str) else None)
        if url is None:
            entries.drop(NO_LINK)
        else:
            entries.add(url, facts)
    return entries


# ------------------------------------------------------------------ links by their names


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
