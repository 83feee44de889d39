"""The kinds of shops that can be crawled, by the name that `crawl.sources.<name>.kind` gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lvbag.crawl.errors import CrawlError
from lvbag.crawl.sources.base import Item, Page, PageNotUnderstood, SearchPage, Source

__all__ = ["Item", "Page", "PageNotUnderstood", "ParsedPage", "SearchPage", "Source", "open_source", "parse_page"]


@dataclass(frozen=True)
class ParsedPage:
    """What a parser sees in a page: a listing or why there is none, and the results it would follow."""

    item: Item | None
    refusal: str | None
    search: SearchPage


def open_source(kind: str) -> Source:
    """The source of a kind; raises `CrawlError` naming the kinds there are."""
    if kind not in _KINDS:
        raise CrawlError(f"there is no source of kind {kind!r}; there are: {', '.join(_KINDS)}")
    return _KINDS[kind]()


def parse_page(source_kind: str, html: bytes, url: str) -> ParsedPage:
    """Read one saved page the way the crawl would, as an item page and as a search page."""
    source = open_source(source_kind)
    page = Page(url, html)
    item: Item | None = None
    refusal: str | None = None
    try:
        item = source.read_item(page)
    except PageNotUnderstood as error:
        refusal = error.reason
    try:
        search = source.read_search(page)
    except PageNotUnderstood:
        search = SearchPage((), None)
    return ParsedPage(item, refusal, search)


def _schema_org() -> Source:
    from lvbag.crawl.sources.schema_org import SchemaOrgSource

    return SchemaOrgSource()


_KINDS: dict[str, Callable[[], Source]] = {"schema_org": _schema_org}
