"""eBay's picture addresses: the largest version of a picture, and what is no picture of a listing.

One picture has many addresses (`…/thumbs/images/g/ID/s-l225.jpg`, `…/images/g/ID/s-l140.webp`, `…/z/ID/$_57.JPG`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_LARGEST = 1600
_SIZED = re.compile(
    r"https?://[\w.-]*\.ebay(?:img|static)\.com/(?:thumbs/)?images/([a-z]/[^/?#]+)/s-l(\d+)(\.\w+)", re.IGNORECASE
)
_OLD = re.compile(
    r"https?://[\w.-]*\.ebayimg\.com/(?:\w+/s/[^/?#]+/)?z/([^/?#]+)/\$_\d+(\.(?:jpe?g|png|webp))", re.IGNORECASE
)
_NO_PICTURE = re.compile(r"\.(?:gif|svg)$", re.IGNORECASE)


def full_size(url: str) -> str:
    """The address of the largest version of an eBay picture; every other address stays as it is.

    >>> full_size("https://i.ebayimg.com/thumbs/images/g/abc/s-l225.jpg")
    'https://i.ebayimg.com/images/g/abc/s-l1600.jpg'
    """
    if sized := _SIZED.match(url):
        name, size, kind = sized.groups()
        return f"https://i.ebayimg.com/images/{name}/s-l{max(int(size[:5]), _LARGEST)}{kind}"
    if old := _OLD.match(url):
        return f"https://i.ebayimg.com/images/g/{old.group(1)}/s-l{_LARGEST}{old.group(2).lower()}"
    return url


def pictures(urls: Iterable[str]) -> tuple[str, ...]:
    """The pictures among absolute addresses, in full size, each once (however its files are named)."""
    found: dict[str, str] = {}
    for url in urls:
        if is_picture(url):
            full = full_size(url)
            found.setdefault(full.rpartition(".")[0] if full != url or _SIZED.match(full) else full, full)
    return tuple(found.values())


def is_picture(url: str) -> bool:
    """Not eBay's own graphics, blank pictures of pages that load late, or what is no address at all."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host or _NO_PICTURE.search(parts.path):
        return False
    return not host.endswith("ebaystatic.com") or host.startswith("thumbs")
