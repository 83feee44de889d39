"""Microdata through extruct, as the same nodes that JSON-LD yields.

extruct follows the standard to the letter. Shops do not: pictures load later, a brand is a link, a price is a text, an
`input` has the value. So extruct gets a small tree in good order: only the elements of microdata, only the properties
that are asked for, each with its value. Its work grows with the square of what is nested, so a page that would take too
long is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import lxml.etree
import lxml.html
from extruct.w3cmicrodata import MicrodataExtractor

from lvbag.crawl.sources.html import Document, text, words
from lvbag.crawl.sources.json_ld import Node, as_list, types
from lvbag.crawl.sources.picture_urls import element_picture
from lvbag.crawl.sources.prices import read_price

LINK = "@link"
"""The key of the link that an element without a `url` contains."""

_PICTURES = frozenset({"image", "images", "photo", "thumbnailurl", "contenturl", "thumbnail"})
_PRICES = frozenset({"price", "lowprice"})
_TEXTS = words(
    "name brand sku mpn productid gtin gtin8 gtin12 gtin13 gtin14 ean upc isbn identifier pricecurrency currency "
    "seller offeredby value itemcondition condition availability numberofitems productgroupid"
)
_THINGS = words(
    "offers offerdetails pricespecification hasvariant isvariantof itemoffered mainentity itemlistelement item url "
    "isrelatedto issimilarto isaccessoryorsparepartfor isconsumablefor itemreviewed review reviews"
)
_ALIASES = {"offerdetails": "offers", "currency": "pricecurrency", "photo": "image", "images": "image"}
_PRODUCTS = words("product individualproduct productgroup")
_LISTS = words("itemlist offercatalog")
_NOT_OWN = words(
    "isrelatedto issimilarto isaccessoryorsparepartfor isconsumablefor itemreviewed hasvariant itemoffered isvariantof"
)
"""Properties whose products are not what the page is about or lists, or not by themselves."""
_LINKS = frozenset({"a", "area", "link"})
_NAMED_BY_LINKS = frozenset({"brand", "seller"})
"""Around the link to a brand's page stand words such as "more of this brand:"."""
_NO_TEXT = " "
_CONTROL = re.compile(r"[\x00-\x1f\ufffe\uffff\ud800-\udfff]")
_VOID = frozenset({"script", "style", "template", "noscript"})
_INLINE = words("a abbr b bdi bdo em font i ins mark s small span strong sub sup u")

_MAX_ELEMENTS = 20_000
_MAX_STEPS = 50_000_000
_MAX_REFERENCES = 200_000
_MAX_TEXT = 2_000
_MAX_NAME = 100
_MAX_PARTS = 4_000
_LEVELS = 3
"""How far above an element the link around it may be."""


@dataclass(frozen=True)
class Microdata:
    """The things of a page in its order: `products` are those that the page is about or lists, `lists` the lists."""

    products: tuple[Node, ...] = ()
    lists: tuple[Node, ...] = ()


def read_microdata(document: Document) -> Microdata:
    """Read a page's microdata; a page without any, or with too much of it, has none."""
    elements = document.tree.xpath("descendant-or-self::*[@itemscope]")
    if not elements:
        return Microdata()
    skeleton = _skeleton(document.tree)
    if skeleton is None or _is_too_much(skeleton):
        return Microdata()
    try:
        items = MicrodataExtractor(nested=False).extract_items(skeleton, None)
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError, RecursionError, lxml.etree.LxmlError):
        return Microdata()
    return _microdata({int(item["iid"]): item for item in items if isinstance(item, dict)}, elements)


# ------------------------------------------------------------------ the tree put in order


def _skeleton(tree: lxml.html.HtmlElement) -> lxml.html.HtmlElement | None:
    """The elements of microdata without all others, each with its value; None where there are too many."""
    elements = tree.xpath("descendant-or-self::*[@itemscope or @itemprop]")
    targets = {name for element in elements for name in (element.get("itemref") or "").split()}
    if targets:
        elements = tree.xpath("descendant-or-self::*[@itemscope or @itemprop or @id]")
        elements = [e for e in elements if {"itemscope", "itemprop"} & set(e.keys()) or e.get("id") in targets]
    if len(elements) > _MAX_ELEMENTS:
        return None
    root = lxml.html.Element("body")
    copies: dict[Any, Any] = {}
    for element in elements:
        parent = next((copies[above] for above in element.iterancestors() if above in copies), root)
        copies[element] = lxml.etree.SubElement(parent, "div", _attributes(element))
    # parsed anew, for only a parser takes note of which element has which id
    return lxml.html.document_fromstring(
        lxml.html.tostring(root, encoding="utf-8"), parser=lxml.html.HTMLParser(encoding="utf-8")
    )


def _attributes(element: lxml.html.HtmlElement) -> dict[str, str]:
    """The attributes that make the element's copy, with its value where extruct looks for it."""
    kept = {name: element.get(name) for name in ("itemtype", "itemref", "id") if element.get(name)}
    names = [name.rsplit("/", 1)[-1].lower() for name in (element.get("itemprop") or "").split()]
    wanted = [name for name in names if name in _PICTURES | _PRICES | _TEXTS | _THINGS]
    if wanted:
        kept["itemprop"] = " ".join(wanted)
    if element.get("itemscope") is not None:
        # the text of an item that has no property, for extruct takes long to find it
        kept |= {"itemscope": "", "content": _text_of(element)[:_MAX_NAME] or _NO_TEXT}
    elif _PICTURES & set(wanted):
        kept["content"] = _picture_of(element)
    elif "url" in wanted:
        kept["content"] = element.get("href") or element.get("content") or element.get("src") or ""
    elif wanted:
        kept["content"] = _value_of(element, bool(_PRICES & set(wanted)))
    return {name: _CONTROL.sub(" ", value) or _NO_TEXT for name, value in kept.items()}


def _picture_of(element: lxml.html.HtmlElement) -> str:
    own = element.get("content") or (element.get("href") if element.tag in _LINKS else None)
    found = own or element_picture(dict(element.attrib))
    if not found:
        inside = (element_picture(dict(img.attrib)) for img in element.iter("img", "source", "a"))
        found = next((picture for picture in inside if picture), None)
    return found or ""


def _value_of(element: lxml.html.HtmlElement, is_price: bool) -> str:
    if element.get("content"):
        return str(element.get("content"))
    if element.tag in ("data", "meter", "input", "option") and element.get("value"):
        return str(element.get("value"))
    if element.tag == "link" or (element.tag in _LINKS and not _text_of(element)):
        return str(element.get("href") or "")
    if element.tag in ("img", "time"):
        return str(element.get("alt") or element.get("datetime") or "")
    links = element.findall(".//a") if element.get("itemprop") in _NAMED_BY_LINKS else []
    seen = _text_of(links[0] if len(links) == 1 and _text_of(links[0]) else element)
    # a text for people: "1.500" is not one and a half there
    price = read_price(seen) if is_price else None
    return f"{price.amount:.4f} {price.currency or ''}".strip() if price else seen


def _text_of(element: lxml.html.HtmlElement) -> str:
    """The element's words as they are seen: no scripts, a space between blocks but none inside of a word."""
    parts: list[str] = []
    size = 0
    for part in islice(_parts(element, 0), _MAX_PARTS):
        parts.append(part)
        size += len(part)
        if size > _MAX_TEXT:
            break
    return " ".join("".join(parts).split())


def _parts(element: lxml.html.HtmlElement, depth: int) -> Iterator[str]:
    if not isinstance(element.tag, str) or element.tag in _VOID or depth > 50:
        return
    gap = "" if element.tag in _INLINE else " "
    yield gap
    yield element.text or ""
    for child in element:
        yield from _parts(child, depth + 1)
        yield child.tail or ""
    yield gap


def _is_too_much(tree: lxml.html.HtmlElement) -> bool:
    """Whether extruct would take too long.

    For each item it visits all that is below each item inside of it, and compares all properties below with these.
    """
    properties = tree.xpath("descendant-or-self::*[@itemprop]")
    referring = tree.xpath("descendant-or-self::*[@itemref]")
    if sum(len(element.get("itemref").split()) for element in referring) * len(properties) > _MAX_REFERENCES:
        for element in referring:
            del element.attrib["itemref"]
    below: dict[Any, int] = {}
    steps = 0
    for element in tree.iter():
        items = [above for above in element.iterancestors() if above.get("itemscope") is not None]
        steps += len(items) ** 2
        for item in items if element.get("itemprop") else ():
            below[item] = below.get(item, 0) + 1
            steps += 2 * below[item]
        if steps > _MAX_STEPS:
            return True
    return False


# ------------------------------------------------------------------ from items to nodes


def _microdata(items: Mapping[int, Node], elements: list[lxml.html.HtmlElement]) -> Microdata:
    nodes: dict[int, Node] = {number: {"@type": as_list(item.get("type"))} for number, item in items.items()}
    parts = set[int]()
    for number, item in items.items():
        for name, value in (item.get("properties") or {}).items():
            values = [_part(part, nodes) for part in as_list(value)]
            nodes[number][_ALIASES.get(name, name)] = [found for found in values if found is not None]
            if name in _NOT_OWN:
                parts.update(_number(part) for part in as_list(value))
        if "properties" not in item and 0 < len(text(item.get("value")) or "") < _MAX_NAME:
            nodes[number]["name"] = [item["value"]]  # such as a brand that is an item with nothing but its text
    products = {number: node for number, node in nodes.items() if number not in parts and types(node) & _PRODUCTS}
    for number, node in products.items():
        if "url" not in node and 0 < number <= len(elements):
            node[LINK] = _link_of(elements[number - 1])
    return Microdata(tuple(products.values()), tuple(node for node in nodes.values() if types(node) & _LISTS))


def _part(value: Any, nodes: Mapping[int, Node]) -> Any:
    """A value as it stands, or the node that it refers to; items may refer to one another in circles."""
    if isinstance(value, dict):
        return nodes.get(_number(value))
    return value if isinstance(value, str) and value.strip() else None


def _number(value: Any) -> int:
    return int(value.get("iid_ref") or 0) if isinstance(value, dict) else 0


def _link_of(element: lxml.html.HtmlElement) -> str | None:
    """The first link inside of an element, or the link around it."""
    links = [element] if element.tag == "a" else [*element.iter("a"), *_ancestors(element)]
    for link in links:
        href = (link.get("href") or "").strip()
        if link.tag in ("a") and href and not href.startswith(("#", "javascript:", "mailto:", "tel:")):
            return href
    return None


def _ancestors(element: lxml.html.HtmlElement) -> list[lxml.html.HtmlElement]:
    return [parent for _, parent in zip(range(_LEVELS), element.iterancestors(), strict=False)]
