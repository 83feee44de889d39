"""What the shop answers to a request, without sockets: a `Shop` turns method, path and headers into a `Reply`."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lvbag.demo import pages
from lvbag.demo.listings import Fault, Listing, MarketError, PageKind, Photo
from lvbag.demo.market import Market, digest

log = logging.getLogger(__name__)

PAGE_VERSION = "1"
"""Part of every item page's ETag: raise it when the pages change."""

_HTML = "text/html; charset=utf-8"
_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
}


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Shop:
    """A market behind addresses. Safe to call from many threads; drawn photos are kept under `cache`."""

    def __init__(self, market: Market, cache: Path, base: str) -> None:
        self.market = market
        self._cache = cache
        self._base = base
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._etags: dict[str, str] = {}
        cache.mkdir(parents=True, exist_ok=True)

    def get(self, target: str, headers: Mapping[str, str]) -> Reply:
        """The answer to GET (and, without its body, HEAD) of a target such as `/search?q=M41108&page=2`."""
        url = urlsplit(target)
        path = url.path
        if path.startswith(("/img/", "/private/img/")):
            return self._image(path, headers)
        if path.startswith(("/item/", "/private/item/")):
            return self._item(path, headers)
        if path == "/search":
            return self._search(url.query)
        if path == "/robots.txt":
            return Reply(200, pages.ROBOTS.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        if path == "/_market/status":
            return _json(200, self.status())
        if path == "/":
            return _html(200, pages.front_page(self.market.products, self.market.night_number))
        return _not_found(path)

    def post(self, target: str, body: bytes) -> Reply:
        """The answer to POST: only `/_market/night` with `{"night": 2}` is there; it moves the market."""
        if urlsplit(target).path != "/_market/night":
            return _not_found(target)
        try:
            night = json.loads(body)["night"]
            if type(night) is not int:
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return _json(400, {"error": 'the body must be {"night": <number>}'})
        return self._move(night)

    def status(self) -> dict[str, int]:
        """Night, number of listings and of image addresses."""
        market = self.market
        return {"night": market.night_number, "listings": len(market.listings), "images": len(market.photos)}

    def _move(self, night: int) -> Reply:
        with self._lock:
            try:
                self.market = self.market.night(night)
            except MarketError as error:
                return _json(400, {"error": str(error)})
        status = self.status()
        log.info("demo.night moved night=%d listings=%d images=%d", night, status["listings"], status["images"])
        return _json(200, status)

    # -------------------------------------------------------------- pages

    def _search(self, query_string: str) -> Reply:
        fields = parse_qs(query_string)
        query = fields.get("q", [""])[0].strip()
        number_text = fields.get("page", ["1"])[0]
        found = self.market.search(query)
        last = max(1, -(-len(found) // pages.PER_PAGE))
        if not (number_text.isascii() and number_text.isdigit() and 1 <= int(number_text[:9]) <= last):
            return _html(404, pages.error_page(404, f"There is no page {number_text} of this search."))
        return _html(200, pages.search_page(self._base, query, int(number_text), found))

    def _item(self, path: str, headers: Mapping[str, str]) -> Reply:
        listing = self.market.listing(path.rsplit("/", 1)[-1])
        if listing is None or listing.path != path:
            return _not_found(path)
        if listing.flaky and self._first_time(path):
            return _try_again()
        etag = f'"{digest((PAGE_VERSION, self._base, repr(_words_of(listing))))}"'
        if _matches(headers, etag):
            return Reply(304, b"", {"ETag": etag})
        if listing.page is PageKind.NOT_HTML:
            # It says HTML and is a picture of nothing: bytes that no HTML parser makes sense of.
            return Reply(200, bytes(range(256)) * 16, {"Content-Type": _HTML, "ETag": etag})
        return Reply(200, pages.item_page(self._base, listing).encode(), {"Content-Type": _HTML, "ETag": etag})

    # -------------------------------------------------------------- images

    def _image(self, path: str, headers: Mapping[str, str]) -> Reply:
        photo = self.market.photo(path)
        if photo is None or photo.fault is Fault.MISSING:
            return _not_found(path)
        if photo.flaky and self._first_time(path):
            return _try_again()
        name = self._etag(photo)
        quoted = f'"{name}"'
        if _matches(headers, quoted):
            return Reply(304, b"", {"ETag": quoted})
        kind = _TYPES[Path(path).suffix]
        return Reply(200, self._content(photo, name), {"Content-Type": kind, "ETag": quoted})

    def _etag(self, photo: Photo) -> str:
        """Reading a real photo to name it happens once a run."""
        known = self._etags.get(photo.path)
        if known is None:
            known = self._etags[photo.path] = self.market.etag(photo)
        return known

    def _content(self, photo: Photo, name: str) -> bytes:
        if photo.file is not None:
            return self.market.content(photo)
        cached = self._cache / name[:2] / name
        try:
            return cached.read_bytes()
        except FileNotFoundError:
            data = self.market.content(photo)
            _write_whole(cached, data)
            return data

    def _first_time(self, path: str) -> bool:
        with self._lock:
            first = path not in self._refused
            self._refused.add(path)
            return first


def _words_of(listing: Listing) -> tuple[object, ...]:
    return (
        listing.title,
        listing.price,
        listing.currency,
        listing.seller,
        listing.condition,
        listing.description,
        listing.page,
        tuple(photo.path for photo in listing.photos),
    )


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that no reader ever sees half of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _matches(headers: Mapping[str, str], etag: str) -> bool:
    """Whether If-None-Match names the ETag (weak comparison, RFC 9110)."""
    wanted = headers.get("If-None-Match", "")
    return wanted.strip() == "*" or etag in {part.strip().removeprefix("W/") for part in wanted.split(",")}


def _html(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": _HTML})


def _json(status: int, data: Mapping[str, object]) -> Reply:
    return Reply(status, json.dumps(data).encode(), {"Content-Type": "application/json"})


def _not_found(path: str) -> Reply:
    return _html(404, pages.error_page(404, f"Nothing stands at {path}."))


def _try_again() -> Reply:
    return Reply(503, b"busy\n", {"Content-Type": "text/plain; charset=utf-8", "Retry-After": "1"})
