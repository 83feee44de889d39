"""What a parser sees in a saved page: the way to find out, without a crawl, why a page was not understood."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from typing import get_args

import zstandard

from lvbag.crawl.errors import CrawlError
from lvbag.crawl.fetching.challenges import challenge
from lvbag.crawl.sources import KINDS, Listing, Page, PageNotUnderstood, Results, Source, open_source, understood
from lvbag.settings import Settings
from lvbag.source_settings import SOURCE_KINDS, AnySource

_MAX_BYTES = 50_000_000
_OWN_ADDRESS = (
    re.compile(
        rb"<link\b(?=[^>]*\brel\s*=\s*[\"']?canonical\b)[^>]*\bhref\s*=\s*[\"']?(https?://[^\"'\s>]+)", re.IGNORECASE
    ),
    re.compile(rb"<meta\b(?=[^>]*\bog:url\b)[^>]*\bcontent\s*=\s*[\"']?(https?://[^\"'\s>]+)", re.IGNORECASE),
)
_UNKNOWN_ADDRESS = "https://shop.invalid/"


@dataclass(frozen=True)
class ParsedPage:
    """A page as its parser sees it. `refused`: why nothing can be read from it."""

    announced: int | None
    challenge: str | None
    listings: tuple[Listing, ...]
    links: tuple[str, ...]
    next_url: str | None
    dropped: dict[str, int]
    refused: str | None


def parse_page(source: Source[AnySource], body: bytes, url: str = "") -> ParsedPage:
    """Read one saved page the way the crawl would, as a page of results and as an item page.

    `body` may be compressed (gzip, or zstandard as the crawl keeps pages); `url` is where it came from, taken from the
    page itself where it is empty.
    """
    html = _unpacked(body)
    page = Page(url or _own_address(html), html, "")
    why = challenge(html)
    if why is not None:
        return ParsedPage(None, why, (), (), None, {}, f"challenge: {why}")
    results, refused = _results(source, page)
    item = _item(source, page)
    if item is not None and (not results.listings or _is_about(item, page)):
        return ParsedPage(results.announced, None, (item,), (), None, dict(results.dropped), None)
    return ParsedPage(
        results.announced,
        None,
        results.listings,
        results.links,
        results.next_url,
        dict(results.dropped),
        refused,
    )


def source_named(settings: Settings | None, name: str) -> Source[AnySource]:
    """The source of this name under `crawl.sources`, or one of this kind; raises `CrawlError` naming what there is."""
    if settings is not None and name in settings.crawl.sources:
        return open_source(settings.crawl.sources[name])
    for kind in SOURCE_KINDS:
        if get_args(kind.model_fields["kind"].annotation) == (name,):
            needed = {"search_url": "https://shop.invalid/?q={query}", "path": "."}
            values = {field: value for field, value in needed.items() if field in kind.model_fields}
            return open_source(kind.model_validate({"kind": name, "enabled": False, **values}))
    configured = sorted(settings.crawl.sources) if settings is not None else []
    raise CrawlError(
        f"there is no source {name!r}; there are the kinds {', '.join(KINDS)} and, configured: {configured}"
    )


def _results(source: Source[AnySource], page: Page) -> tuple[Results, str | None]:
    try:
        return understood(source.read_results, page), None
    except PageNotUnderstood as error:
        return Results(), error.reason


def _item(source: Source[AnySource], page: Page) -> Listing | None:
    try:
        return understood(source.read_item, page)
    except PageNotUnderstood:
        return None


def _is_about(item: Listing, page: Page) -> bool:
    """Whether the page is the item's own, not one that also lists it."""
    return item.url.split("?", 1)[0].rstrip("/") == page.url.split("?", 1)[0].rstrip("/")


def _own_address(html: bytes) -> str:
    for pattern in _OWN_ADDRESS:
        if (found := pattern.search(html[:500_000])) is not None:
            return found.group(1).decode("utf-8", errors="replace").replace("&amp;", "&")
    return _UNKNOWN_ADDRESS


def _unpacked(body: bytes) -> bytes:
    try:
        if body[:2] == b"\x1f\x8b":
            return gzip.decompress(body)
        if body[:4] == b"\x28\xb5\x2f\xfd":
            return zstandard.ZstdDecompressor().decompress(body, max_output_size=_MAX_BYTES)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise CrawlError(f"the page cannot be unpacked: {error}") from None
    return body
