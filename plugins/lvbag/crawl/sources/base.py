"""What a source is: it knows how a kind of shop writes its search and item pages, and nothing of the network.

A source reads bytes that were fetched already and returns plain data, so a saved page is all that a test needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from urllib.parse import quote

from lvbag.catalog import Product
from lvbag.crawl.errors import Refused
from lvbag.settings import SourceSettings


@dataclass(frozen=True)
class Page:
    """A fetched page: `body` decompressed, `content_type` as the server said it in lower case (may be empty)."""

    url: str  # after redirects
    body: bytes
    content_type: str = "text/html"


@dataclass(frozen=True)
class SearchPage:
    """One page of results: absolute item URLs in the page's order, and where the next page is."""

    items: tuple[str, ...]
    next_url: str | None


@dataclass(frozen=True)
class Item:
    """What an item page says of one listing. None: the page does not say."""

    shop_id: str | None  # the shop's own identifier of the listing
    title: str
    price: float | None
    currency: str | None  # ISO 4217
    seller: str | None
    image_urls: tuple[str, ...]  # absolute, in the page's order


class PageNotUnderstood(Refused):
    """The page came, but no listing can be read from it; its bytes are worth keeping."""


class Source(ABC):
    """One kind of shop. A new kind is a subclass in a module of its own, named in `lvbag.crawl.sources`."""

    def queries(self, settings: SourceSettings, product: Product) -> tuple[str, ...]:
        """The search words of a product: its style code, then each alias, each with the source's prefix."""
        words = (product.style_code, *product.aliases)
        return tuple(dict.fromkeys(f"{settings.query_prefix} {word}".strip() for word in words))

    def search_url(self, settings: SourceSettings, query: str) -> str:
        """Where the first page of results of a query is."""
        return settings.search_url.replace("{query}", quote(query, safe=""))

    @abstractmethod
    def read_search(self, page: Page) -> SearchPage:
        """The links of a page of results; raises `PageNotUnderstood` when it announces results and shows none."""

    @abstractmethod
    def read_item(self, page: Page) -> Item:
        """The listing of an item page; raises `PageNotUnderstood` with the reason that goes into the row."""
