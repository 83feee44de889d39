"""Shops that describe their items with schema.org, as search engines ask them to.

Item pages are read by `item_pages`, pages of results by `grids` and `paging`, sitemaps by `sitemaps`, JSON answers that
carry HTML by `json_answers`. This module only says which of them a page is for.
"""

from __future__ import annotations

import re

from lvbag.crawl.errors import CrawlError
from lvbag.crawl.sources.base import Listing, Page, PageNotUnderstood, Query, Results, Source
from lvbag.crawl.sources.grids import read_grid
from lvbag.crawl.sources.html import Document, shop_of
from lvbag.crawl.sources.item_pages import Data, is_item_page, read_item_page
from lvbag.crawl.sources.json_answers import is_json, read_fragments
from lvbag.crawl.sources.paging import encode, fill, linked_next, templated_next
from lvbag.crawl.sources.sitemaps import Wanted, is_sitemap, read_sitemap, since_of, with_since
from lvbag.source_settings import SchemaOrgSettings


class SchemaOrgSource(Source[SchemaOrgSettings]):
    """Any shop whose pages speak schema.org."""

    def __init__(self, settings: SchemaOrgSettings) -> None:
        super().__init__(settings)
        self.details = settings.details
        self.whole = bool(settings.sitemap_url)
        self._pattern = _pattern(settings.sitemap_pattern)

    def first_url(self, query: Query) -> str:
        """The first page of a search, or the sitemap."""
        if self.whole:
            return with_since(self.settings.sitemap_url, query.since)
        return fill(self.settings.search_url, encode(query.words))

    def read_results(self, page: Page) -> Results:
        """See `Source.read_results`. A search that found one item and shows its page has that item as its result."""
        if is_sitemap(page):
            return read_sitemap(page, self._wanted(page))
        if is_json(page):
            return self._with_next(read_fragments(page), page, None)
        data = Data(Document(page))
        if is_item_page(data) and (results := _only_item(data)) is not None:
            return results
        return self._with_next(read_grid(data), page, linked_next(data.document))

    def read_item(self, page: Page) -> Listing:
        """See `Source.read_item`."""
        return read_item_page(Data(Document(page)))

    def _with_next(self, results: Results, page: Page, linked: str | None) -> Results:
        following = linked
        if following is None and (results.listings or results.links):
            following = templated_next(page.url, self.settings.search_url, self.settings.page_url)
        return Results(results.listings, results.links, following, (), results.announced, results.dropped)

    def _wanted(self, page: Page) -> Wanted:
        shops = {shop_of(url) for url in (page.url, self.settings.sitemap_url, self.settings.search_url)} - {""}
        return Wanted(shops, self._pattern, since_of(page.url))


def _pattern(expression: str) -> re.Pattern[str] | None:
    try:
        return re.compile(expression) if expression else None
    except re.error as error:
        raise CrawlError(f"sitemap_pattern {expression!r} is no regular expression: {error}") from None


def _only_item(data: Data) -> Results | None:
    try:
        listing = read_item_page(data)
    except PageNotUnderstood:
        return None
    whole = bool(listing.image_urls)
    return Results(listings=(listing,)) if whole else Results(links=(listing.url,))
