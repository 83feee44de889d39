"""The addresses of pictures, wherever a page writes them: texts, ImageObjects, `srcset`, pictures that load later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from lvbag.crawl.sources.html import Document
from lvbag.crawl.sources.json_ld import as_list

_MAX_PICTURES = 200
_MAX_LINKS = 2_000
_MAX_DEPTH = 4
_URL_KEYS = ("contenturl", "url", "@id", "image", "thumbnailurl", "thumbnail", "@value")
"""Where an ImageObject has its address, the best first."""

_LARGE = (
    "data-zoom-image",
    "data-zoom",
    "data-large",
    "data-large-image",
    "data-large_image",
    "data-full",
    "data-hires",
)
_SRCSETS = ("srcset", "data-srcset", "data-lazy-srcset", "data-original-set")
_LATER = ("data-src", "data-lazy-src", "data-lazy", "data-original", "data-image", "data-echo")
"""Attributes of pictures: of the large one, of all sizes, and of the one that a script puts in place later."""

_SRCSET = re.compile(r"\s\d+(?:\.\d+)?[wx]\s*(?:,|\Z)")
_BACKGROUND = re.compile(r"url\(\s*['\"]?([^'\")]{1,2000})['\"]?\s*\)", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?:)?//\S|\.{0,2}/\S|[^\s:]+\.\w{3,4}(?:\?\S*)?\Z")


def picture_urls(value: Any, document: Document) -> tuple[str, ...]:
    """The pictures of a property as absolute URLs, each once, in the page's order."""
    found: dict[str, None] = {}
    for link in islice(_links(value, 0), _MAX_LINKS):
        url = document.absolute(link.replace("&amp;", "&"))
        if document.is_address(url):
            found[url] = None
        if len(found) >= _MAX_PICTURES:
            break
    return tuple(found)


def largest(srcset: str) -> str | None:
    """The largest picture of a `srcset`, by its width or density; the first where none is said.

    >>> largest("a,b.jpg 320w, c.jpg 1280w")
    'c.jpg'
    """
    best, best_size = None, -1.0
    for url, size in _candidates(srcset):
        if size > best_size and not url.startswith("data:"):
            best, best_size = url, size
    return best


def element_picture(attributes: dict[str, str]) -> str | None:
    """The best picture of an `img` or `source` element, by its attributes."""
    for name in _LARGE:
        if _is_link(attributes.get(name, "")):
            return attributes[name].strip()
    for name in _SRCSETS:
        if (found := largest(attributes.get(name, ""))) is not None:
            return found
    for name in (*_LATER, "src", "content", "href"):
        if _is_link(attributes.get(name, "")):
            return attributes[name].strip()
    background = _BACKGROUND.search(attributes.get("style", ""))
    return background.group(1).strip() if background else None


def _links(value: Any, depth: int) -> Iterator[str]:
    for image in as_list(value):
        if isinstance(image, str):
            yield from _text_links(image.strip())
        elif isinstance(image, dict) and depth < _MAX_DEPTH:
            yield from _first(_links(image.get(key), depth + 1) for key in _URL_KEYS)


def _first(places: Iterable[Iterator[str]]) -> Iterator[str]:
    """The links of the first place that has any."""
    found = False
    for place in places:
        for link in place:
            yield link
            found = True
        if found:
            return


def _text_links(image: str) -> Iterator[str]:
    if not image or image.startswith(("data:", "#", "{")):
        return
    if _SRCSET.search(image):
        found = largest(image)
        yield from [found] if found else []
    elif re.search(r",\s*https?://", image) and image.startswith("http"):
        yield from re.split(r",\s*(?=https?://)", image)
    else:
        yield image


def _candidates(srcset: str) -> Iterator[tuple[str, float]]:
    """The URLs of a `srcset` with their sizes: HTML's own algorithm, for URLs may contain commas."""
    place = 0
    while match := _SRCSET_URL.match(srcset, place):
        url, place = match.group(1), match.end()
        if url.endswith(","):
            if bare := url.rstrip(","):
                yield bare, 1.0
            continue
        comma = srcset.find(",", place)
        descriptor = srcset[place : comma if comma >= 0 else len(srcset)].strip()
        place = comma + 1 if comma >= 0 else len(srcset)
        size = re.match(r"(\d{1,6}(?:\.\d{1,6})?)[wx]", descriptor)
        yield url, float(size.group(1)) if size else 1.0


_SRCSET_URL = re.compile(r"[\s,]*(\S+)")


def _is_link(value: str) -> bool:
    return bool(_ADDRESS.match(value.strip())) and not value.strip().startswith("data:")
