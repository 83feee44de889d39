"""The product that an item page is about: JSON-LD first, then microdata, then OpenGraph, each filling the others' gaps.

A page also names products that it only recommends. Those are told apart by their address and name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from urllib.parse import urlsplit

from lvbag.crawl.sources.base import Listing, PageNotUnderstood
from lvbag.crawl.sources.facts import Facts, first_text
from lvbag.crawl.sources.html import Document
from lvbag.crawl.sources.json_ld import JsonLd, Node, read_json_ld, things, types
from lvbag.crawl.sources.microdata import LINK, Microdata, read_microdata
from lvbag.crawl.sources.open_graph import OpenGraph, read_open_graph
from lvbag.crawl.sources.products import PRODUCT_TYPES, address_of, read_product

_LISTS = frozenset({"itemlist", "offercatalog", "searchresultspage", "collectionpage"})
_OTHER_THINGS = frozenset({"article", "newsarticle", "blogposting", "recipe", "videoobject", "jobposting"})
_MAX_SAME = 20
_MAX_COMPARED = 50


@dataclass(frozen=True)
class Data:
    """All structured data of a page, each kind read when it is first asked for."""

    document: Document

    @cached_property
    def json_ld(self) -> JsonLd:
        """Its JSON-LD."""
        blocks = (
            script.text_content() or ""
            for script in self.document.tree.iter("script")
            if (script.get("type") or "").split(";", 1)[0].strip().lower() == "application/ld+json"
        )
        return read_json_ld(blocks)

    @cached_property
    def open_graph(self) -> OpenGraph:
        """Its OpenGraph properties."""
        return read_open_graph(self.document)

    @cached_property
    def microdata(self) -> Microdata:
        """Its microdata."""
        return read_microdata(self.document)

    @cached_property
    def products(self) -> tuple[Node, ...]:
        """The products of its JSON-LD, but for those of lists; where there are none, what else is for sale."""
        nodes = self.json_ld.nodes
        offered = (thing for node in nodes if types(node) & {"offer"} for thing in things(node, "itemoffered", {}))
        products = [node for node in (*nodes, *offered) if types(node) & PRODUCT_TYPES]
        for_sale = (node for node in nodes if "offers" in node and "name" in node and not types(node) & _LISTS)
        return tuple(products or for_sale)

    @property
    def lists_items(self) -> bool:
        """Whether the page says that it lists several things."""
        return any(types(node) & _LISTS for node in self.json_ld.nodes) or len(self.microdata.products) > 1


def read_item_page(data: Data) -> Listing:
    """The listing of an item page; raises `PageNotUnderstood` where the page is about no product."""
    document = data.document
    facts, is_product = _facts(data)
    size = len(document.text)
    if not is_product:
        errors = data.json_ld.errors
        raise PageNotUnderstood(f"json_ld_invalid: {errors[0]}" if errors else "no_product", 200, size)
    if facts.title is None:
        raise PageNotUnderstood("no_title: the Product has no name", 200, size)
    return listing_of(facts, document.canonical or facts.url or document.url)


def listing_of(facts: Facts, url: str) -> Listing:
    """Facts as a listing; they have a title."""
    return Listing(
        listing_id=facts.listing_id,
        url=url,
        title=facts.title or "",
        price=facts.price,
        currency=facts.currency,
        seller=facts.seller,
        image_urls=facts.image_urls,
        brand=facts.brand,
        sku=facts.sku,
        gtin=facts.gtin,
        condition=facts.condition,
        availability=facts.availability,
    )


def is_item_page(data: Data) -> bool:
    """Whether a page that was asked for as a page of results is one product's own, as when a search finds just one."""
    if any(types(node) & _LISTS for node in data.json_ld.nodes):
        return False
    if any(data.document.is_own(url) for node in data.products if (url := address_of(node, data.document))):
        return True
    if data.open_graph.says_product:
        return True
    return _is_alone(data)


def _is_alone(data: Data) -> bool:
    """Whether the page has one product, which is no card that links to its page."""
    nodes = data.products or data.microdata.products
    if len(nodes) != 1 or "url" in nodes[0]:
        return False
    name = _folded(first_text(nodes[0].get("name")))
    return not nodes[0].get(LINK) or bool(name and name in _page_title(data))


def _facts(data: Data) -> tuple[Facts, bool]:
    """What the page says, and whether it is about a product at all."""
    document, ids = data.document, data.json_ld.ids
    facts, found = Facts(), False
    if (own := _own(data.products, data)) is not None:
        facts, found = read_product(own, document, ids), True
        for node in _same(own, data.products):
            facts = facts.or_else(read_product(node, document, ids))
    for node in _marked_up(facts if found else None, data):
        facts, found = facts.or_else(read_product(node, document, {})), True
    graph = data.open_graph
    if found or graph.says_product or _looks_like_an_item(data):
        facts, found = facts.or_else(graph.facts), True
    return facts, found


def _own(nodes: tuple[Node, ...], data: Data) -> Node | None:
    """The product that the page is about: by its address, by its name in the page's title, or else the first."""
    document = data.document
    by_address = [node for node in nodes if (url := address_of(node, document)) is not None and document.is_own(url)]
    title = _page_title(data)
    by_name = [node for node in nodes if (name := _folded(first_text(node.get("name")))) and name in title]
    for some in (by_address, by_name, list(nodes)):
        if some:
            return next((node for node in some if "offers" in node), some[0])
    return None


def _same(own: Node, nodes: tuple[Node, ...]) -> list[Node]:
    """Further nodes of the same product: plugins write one each, and shops one for each size."""
    names = (first_text(own.get("name")), own.get("@id"))
    same = (n for n in nodes if n is not own and (first_text(n.get("name")), n.get("@id")) == names)
    by_id = (n for n in nodes if n is not own and own.get("@id") and n.get("@id") == own["@id"])
    return list({id(node): node for node in (*same, *by_id)}.values())[:_MAX_SAME]


def _marked_up(facts: Facts | None, data: Data) -> list[Node]:
    """The product of the microdata; where JSON-LD has said something, the one that it is about."""
    nodes = data.microdata.products
    if facts is None or len(nodes) == 1:
        own = _own(nodes, data)
        return [] if own is None else [own]
    agreeing = (node for node in nodes[:_MAX_COMPARED] if _agree(facts, read_product(node, data.document, {})))
    return list(islice(agreeing, 1))


def _agree(one: Facts, other: Facts) -> bool:
    if one.url and one.url == other.url:
        return True
    return any(_folded(a) == _folded(b) for a, b in ((one.sku, other.sku), (one.title, other.title)) if a and b)


def _looks_like_an_item(data: Data) -> bool:
    """A page without any product that has a title and picture of its own, as of shops that only know OpenGraph."""
    graph, document = data.open_graph, data.document
    if graph.denies or data.lists_items or data.json_ld.errors or not graph.facts.is_whole:
        return False
    if any(types(node) & _OTHER_THINGS for node in data.json_ld.nodes):
        return False
    here = _path(document.url)
    return here != "" and _path(graph.facts.url or document.url) == here


def _path(url: str) -> str:
    return urlsplit(url).path.strip("/") if url.startswith("http") else ""


def _page_title(data: Data) -> str:
    return _folded(data.open_graph.facts.title or data.document.tree.findtext(".//title"))


def _folded(words: str | None) -> str:
    return " ".join((words or "").casefold().split())
