"""What a source is: it knows how a kind of place writes its results and items, and nothing of the network.

A source reads bytes that were fetched already and returns plain data, so a saved page is all that a test needs.
"""

from __future__ import annotations

import datetime as dt
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar, Generic, TypeVar

from lvbag.catalog import Product
from lvbag.crawl.errors import CrawlError, Refused, clean_text
from lvbag.source_settings import AnySource

log = logging.getLogger(__name__)

SettingsT = TypeVar("SettingsT", bound=AnySource)


@dataclass(frozen=True)
class Page:
    """A fetched page: `body` decompressed, `content_type` as the server said it in lower case (may be empty)."""

    url: str  # after redirects
    body: bytes
    content_type: str = "text/html"


@dataclass(frozen=True)
class Listing:
    """What a page says of one listing. None: it does not say."""

    listing_id: str | None  # the place's own identifier
    url: str  # of the listing's own page, absolute
    title: str
    price: float | None = None  # the lower end where it is a range
    currency: str | None = None  # ISO 4217
    seller: str | None = None
    image_urls: tuple[str, ...] = ()  # absolute, in the page's order, the largest version that is known
    brand: str | None = None
    sku: str | None = None
    gtin: str | None = None
    condition: str | None = None  # as the page words it, or the last part of schema.org's address
    availability: str | None = None  # the last part of schema.org's address, such as InStock
    style_code: str | None = None  # only where a person of the source has labelled it (kind `folder`)

    def __post_init__(self) -> None:
        _clean_texts(self)


NOT_UNDERSTOOD = "not_understood"
"""The reason in `Results.dropped` of cards that look like results and could not be read: a failure of the parser."""


@dataclass(frozen=True)
class Results:
    """One page of results.

    `listings` are whole as they stand on the page; `links` are item pages of results of which the page says too little.
    `dropped` counts cards that are no results (placeholders, advertisements …) by reason.
    """

    listings: tuple[Listing, ...] = ()
    links: tuple[str, ...] = ()
    next_url: str | None = None
    more: tuple[str, ...] = ()  # further pages of results beside `next_url`, such as the parts of a sitemap index
    announced: int | None = None  # how many results the place says there are on all pages; None: it does not say
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _clean_texts(self)


@dataclass(frozen=True)
class Query:
    """What one product is searched by. `since`: only what was listed after this time is wanted; None: everything."""

    words: str
    since: dt.datetime | None = None


@dataclass(frozen=True)
class TokenRequest:
    """A POST for an access token; `body` is a form. Neither headers nor body may be logged."""

    url: str
    headers: Mapping[str, str]
    body: bytes


Post = Callable[[TokenRequest], Page]
"""Sends a token request and returns the answer's page; raises `Refused` when the status is not 200."""


class PageNotUnderstood(Refused):
    """The page came, but no listing can be read from it; its bytes are worth keeping."""


ReadT = TypeVar("ReadT")


def understood(read: Callable[[Page], ReadT], page: Page) -> ReadT:
    """What a parser reads in a page; a page that breaks a parser was not understood, and ends nothing else."""
    try:
        return read(page)
    except CrawlError:
        raise
    except Exception as error:
        log.exception("crawl.parser broke url=%s", page.url)
        raise PageNotUnderstood(f"parser_error: {type(error).__name__}", 200, len(page.body)) from error


class Source(ABC, Generic[SettingsT]):
    """One kind of place, opened with the settings of one entry of `crawl.sources`.

    A new kind is a subclass in a module of its own, named in `lvbag.crawl.sources`.
    """

    api: ClassVar[bool] = False
    """Pages of results come from an API with a licence and keys of its own; robots.txt speaks of its pictures only."""
    local: ClassVar[bool] = False
    """Pages and pictures are files (`lvbag.crawl.fetching.files`), not fetched over the network."""
    whole: bool = False
    """The place is read whole, not product by product. An instance may say so by its settings."""
    newest_first: ClassVar[bool] = False
    """Results come newest first: once a query has been read to its end, a page of known listings ends the next one."""
    details: bool = False
    """The item page of each result is read; else what the page of results says is taken."""

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    def queries(self, product: Product) -> tuple[str, ...]:
        """The searches of a product: its style code (or name and material), then each alias, each with the prefix."""
        return tuple(dict.fromkeys(f"{self.settings.query_prefix} {word}".strip() for word in product.search_words))

    @abstractmethod
    def first_url(self, query: Query) -> str:
        """Where the first page of results of a query is; where `whole` is set, `query.words` is empty."""

    @abstractmethod
    def read_results(self, page: Page) -> Results:
        """Read a page of results; raises `PageNotUnderstood` when it is none."""

    def read_item(self, page: Page) -> Listing:
        """The listing of an item page; raises `PageNotUnderstood` with the reason that goes into the row."""
        raise PageNotUnderstood(
            f"no_item_pages: {type(self).__name__} reads pages of results only", 200, len(page.body)
        )

    def headers(self, post: Post) -> Mapping[str, str]:
        """Headers for a page of results, such as an authorization; `post` asks for a token. Never logged."""
        return {}

    def renew(self) -> bool:
        """After an answer 401: forget the token. Whether asking again makes sense."""
        return False


def _clean_texts(of: object) -> None:
    """Half of a surrogate pair, which JSON can carry, can stand neither in a table nor in an address."""
    for name in (each.name for each in fields(of)):  # type: ignore[arg-type]  # its callers are dataclasses
        value = getattr(of, name)
        if isinstance(value, str):
            object.__setattr__(of, name, clean_text(value))
        elif isinstance(value, tuple) and any(isinstance(part, str) for part in value):
            object.__setattr__(of, name, tuple(clean_text(part) if isinstance(part, str) else part for part in value))
