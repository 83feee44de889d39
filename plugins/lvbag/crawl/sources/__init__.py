"""The kinds of places that can be crawled, by the name that `crawl.sources.<name>.kind` gives them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lvbag.crawl.errors import CrawlError
from lvbag.crawl.sources.base import (
    NOT_UNDERSTOOD,
    Listing,
    Page,
    PageNotUnderstood,
    Post,
    Query,
    Results,
    Source,
    TokenRequest,
    understood,
)

if TYPE_CHECKING:
    from lvbag.source_settings import AnySource

__all__ = [
    "KINDS",
    "NOT_UNDERSTOOD",
    "Listing",
    "Page",
    "PageNotUnderstood",
    "Post",
    "Query",
    "Results",
    "Source",
    "TokenRequest",
    "open_source",
    "understood",
]

KINDS = {
    "schema_org": "SchemaOrgSource",
    "ebay_html": "EbayHtmlSource",
    "ebay_api": "EbayApiSource",
    "google_images": "GoogleImagesSource",
    "folder": "FolderSource",
}
"""Every kind: the module of this package that has its name, and the class in it."""


def open_source(settings: AnySource) -> Source[Any]:
    """The source that an entry of `crawl.sources` describes."""
    kind = str(getattr(settings, "kind", ""))
    if kind not in KINDS:
        raise CrawlError(f"there is no source of kind {kind!r}; there are: {', '.join(KINDS)}")
    source: Source[Any] = getattr(import_module(f"{__name__}.{kind}"), KINDS[kind])(settings)
    return source
