"""OpenGraph through extruct: the last resort for what a page says of its product.

extruct looks at `property` in the head only. Shops also write `name`, and an unknown element in a head ends it for
every parser, so all `meta` elements of the page are put into one head first. https://ogp.me
"""

from __future__ import annotations

from dataclasses import dataclass

import lxml.etree
import lxml.html
from extruct.opengraph import OpenGraphExtractor

from lvbag.crawl.sources.currencies import currency_of
from lvbag.crawl.sources.facts import NOTHING, Facts, last_part, read_gtin
from lvbag.crawl.sources.html import Document, text
from lvbag.crawl.sources.offers import amount
from lvbag.crawl.sources.picture_urls import picture_urls

_PREFIXES = ("og:", "product:")
_MAX_PROPERTIES = 2_000
_IMAGES = ("og:image:secure_url", "og:image", "og:image:url")
_PRICES = ("product:sale_price", "product:price", "og:price", "product:original_price")
_NO_ITEMS = ("article", "profile", "book.", "music", "video", "blog", "place", "restaurant", "business", "event")


@dataclass(frozen=True)
class OpenGraph:
    """`facts` of the page; `says_product`: it says that it is about a product; `denies`: about something else."""

    facts: Facts = NOTHING
    says_product: bool = False
    denies: bool = False


def read_open_graph(document: Document) -> OpenGraph:
    """Read a page's OpenGraph properties."""
    try:
        extracted = list(OpenGraphExtractor().extract_items(_one_head(document.tree)))
    except (ValueError, TypeError, KeyError, AttributeError, lxml.etree.LxmlError):
        return OpenGraph()
    values: dict[str, list[str]] = {}
    for name, value in (pair for item in extracted for pair in item["properties"]):
        if value.strip():
            values.setdefault(name.strip().lower(), []).append(value.strip())
    kind = next(iter(values.get("og:type", [])), "").lower()
    facts = _facts(values, document)
    return OpenGraph(
        facts=facts,
        says_product="product" in kind or facts.price is not None or "product:retailer_item_id" in values,
        denies=kind.rsplit(":", 1)[-1].startswith(_NO_ITEMS),
    )


def _one_head(tree: lxml.html.HtmlElement) -> lxml.html.HtmlElement:
    root = lxml.html.Element("html")
    head = lxml.etree.SubElement(root, "head")
    for meta in tree.iter("meta"):
        name = (meta.get("property") or meta.get("name") or "").strip()
        if name.lower().startswith(_PREFIXES) and meta.get("content"):
            lxml.etree.SubElement(head, "meta", property=name, content=meta.get("content"))
        if len(head) >= _MAX_PROPERTIES:
            break
    return root


def _facts(values: dict[str, list[str]], document: Document) -> Facts:
    def first(*names: str) -> str | None:
        return next((found for name in names for value in values.get(name, []) if (found := text(value))), None)

    price, currency = _price(values)
    url = document.absolute(first("og:url") or "")
    return Facts(
        listing_id=first("product:retailer_item_id"),
        url=url if first("og:url") and document.is_address(url) else None,
        title=first("og:title"),
        price=price,
        currency=currency,
        image_urls=_images(values, document),
        brand=first("product:brand", "og:brand"),
        sku=first("product:sku", "product:retailer_item_id", "product:retailer_part_no"),
        gtin=read_gtin(*(first(f"product:{name}") for name in ("gtin", "ean", "upc", "isbn"))),
        condition=last_part(first("product:condition", "og:condition")),
        availability=last_part(first("product:availability", "og:availability")),
    )


def _price(values: dict[str, list[str]]) -> tuple[float | None, str | None]:
    for name in _PRICES:
        codes = (
            values.get(f"{name}:currency") or values.get("product:price:currency") or values.get("og:price:currency")
        )
        currency = currency_of(codes[0]) if codes else None
        for value in values.get(f"{name}:amount") or values.get(name) or []:
            price, code = amount(value, currency)
            if price is not None:
                return price, code
    return None, None


def _images(values: dict[str, list[str]], document: Document) -> tuple[str, ...]:
    """Each picture once, over https where it is given both ways."""
    found: dict[str, str] = {}
    for url in picture_urls([link for name in _IMAGES for link in values.get(name, [])], document):
        found.setdefault(url.split("://", 1)[-1], url)
    return tuple(found.values())
