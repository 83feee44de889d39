"""What a thing of schema.org says of a product: JSON-LD and microdata alike. Pure functions over nodes.

A property may be a text, a list, or a thing with a name; offers may be one, many, a range, or belong to variants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from lvbag.crawl.sources.facts import GTIN_KEYS, Facts, first_text, identifier, last_part, read_gtin
from lvbag.crawl.sources.html import Document, words
from lvbag.crawl.sources.json_ld import Node, as_list, things
from lvbag.crawl.sources.offers import best_offer
from lvbag.crawl.sources.picture_urls import picture_urls

PRODUCT_TYPES = words("product individualproduct productgroup productmodel productcollection someproducts vehicle car")

_PICTURES = ("image", "images", "photo", "thumbnailurl")
_MAX_VARIANTS = 50


def read_product(node: Node, document: Document, ids: Mapping[str, Node]) -> Facts:
    """The facts of a product's node, and of its variants and its group where it says nothing itself."""
    facts = _own_facts(node, document, ids)
    variants = _variants(node, document, ids)
    facts = facts.or_else(best_offer((node, *variants), ids))
    for other in (*variants, *things(node, "isvariantof", ids)):
        said = replace(_own_facts(other, document, ids), url=None)
        # what numbers one of several variants numbers no listing
        facts = facts.or_else(said if len(variants) == 1 else replace(said, sku=None, gtin=None, listing_id=None))
        if facts.is_whole and facts.brand:
            break
    return replace(facts, listing_id=facts.listing_id or facts.sku)


def _variants(node: Node, document: Document, ids: Mapping[str, Node]) -> list[Node]:
    """The variants of a product; where the page is that of one of them, this one."""
    variants = things(node, "hasvariant", ids)[:_MAX_VARIANTS]
    own = (thing for thing in variants if (url := address_of(thing, document)) is not None and document.is_own(url))
    return list(islice(own, 1)) or variants


def address_of(node: Node, document: Document) -> str | None:
    """The address of a thing's own page: the first that is one."""
    for key in ("url", "@id", "mainentityofpage"):
        for value in as_list(node.get(key)):
            link = value.get("@id") or value.get("url") if isinstance(value, dict) else value
            if isinstance(link, str) and link.strip() and not link.startswith(("#", "_:", "urn:")):
                url = document.absolute(link.replace("&amp;", "&"))
                if document.is_address(url):
                    return url
    return None


def _own_facts(node: Node, document: Document, ids: Mapping[str, Node]) -> Facts:
    sku = identifier(node.get("sku"))
    return Facts(
        listing_id=identifier(node.get("productid")) or sku or identifier(node.get("productgroupid")),
        url=address_of(node, document),
        title=first_text(node.get("name")),
        seller=first_text(things(node, "seller", ids) or node.get("seller")),
        image_urls=_pictures(node, document, ids),
        brand=_brand(node, ids),
        sku=sku,
        gtin=read_gtin(*(node.get(key) for key in GTIN_KEYS), *_barcodes(node)),
        condition=last_part(node.get("itemcondition")),
        availability=last_part(node.get("availability")),
    )


def _pictures(node: Node, document: Document, ids: Mapping[str, Node]) -> tuple[str, ...]:
    """The pictures of the first property that has any."""
    for key in _PICTURES:
        values = [_resolved(value, ids) for value in as_list(node.get(key))]
        if values and (found := picture_urls(values, document)):
            return found
    return ()


def _resolved(value: Any, ids: Mapping[str, Node]) -> Any:
    refers = isinstance(value, dict) and not value.keys() - {"@id", "@type"}
    return ids.get(str(value["@id"]), value) if refers and "@id" in value else value


def _brand(node: Node, ids: Mapping[str, Node]) -> str | None:
    brand = first_text(things(node, "brand", ids) or node.get("brand"))
    return None if brand is None or brand.startswith(("http://", "https://")) else brand


def _barcodes(node: Node) -> Iterator[str]:
    """Identifiers that say themselves that they are barcodes, such as `isbn:978…`."""
    for key in ("productid", "identifier"):
        for value in as_list(node.get(key)):
            said = first_text(value)
            if said is not None and re.match(r"(?:urn:)?(?:gtin|ean|upc|isbn)", said, re.IGNORECASE):
                yield said
