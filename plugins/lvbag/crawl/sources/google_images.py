"""Google's Custom Search JSON API, pictures: each result is a picture with the page that it stands on.

Reference: https://developers.google.com/custom-search/v1/reference/rest/v1/cse/list. The API takes no new customers and
ends on 2027-01-01 (`GoogleImagesSettings`). Results of a web search are refused: their links are pages, not pictures.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from lvbag.crawl.errors import CrawlError
from lvbag.crawl.sources.base import NOT_UNDERSTOOD, Listing, Page, PageNotUnderstood, Post, Query, Results, Source
from lvbag.crawl.sources.html import text
from lvbag.crawl.sources.json_api import Node, nodes, read_object, whole_number
from lvbag.source_settings import GoogleImagesSettings

PAGE_SIZE = 10
MOST_RESULTS = 100
"""The API never answers beyond the hundredth result."""

DUPLICATE = "duplicate"
NO_PICTURE = "no_picture"
"""A result whose file is no photograph, such as an SVG."""

_HTTP = ("http://", "https://")
_DRAWINGS = ("image/svg+xml", "image/gif")


class GoogleImagesSource(Source[GoogleImagesSettings]):
    """One search engine of the Custom Search JSON API."""

    api: ClassVar[bool] = True

    def first_url(self, query: Query) -> str:
        """Pictures only; the key is no part of the address, which is logged and stored (see `headers`)."""
        if not self.settings.engine_id:
            raise _missing("engine_id", "ENGINE_ID", "the search engine's identifier (cx)")
        pairs = {
            "q": query.words,
            "cx": self.settings.engine_id,
            "searchType": "image",
            "num": str(PAGE_SIZE),
            "start": "1",
        }
        if query.since is not None:
            pairs["dateRestrict"] = f"d{_days_since(query.since, dt.datetime.now(dt.UTC))}"
        return f"{self.settings.endpoint}?{urlencode(pairs)}"

    def headers(self, post: Post) -> Mapping[str, str]:
        """The key."""
        key = self.settings.api_key.get_secret_value()
        if not key:
            raise _missing("api_key", "API_KEY", "the key")
        return {"X-Goog-Api-Key": key}

    def read_results(self, page: Page) -> Results:
        """The pictures of an answer.

        `announced` stays open: Google's `totalResults` is an estimate of the web, not a promise of what is listed.
        """
        answer = read_object(page)
        if "queries" not in answer and "items" not in answer and "searchInformation" not in answer:
            raise PageNotUnderstood("no_results_page: the answer is none of a custom search", 200, len(page.body))
        items = nodes(answer.get("items"))
        if _is_web_search(answer, items):
            raise PageNotUnderstood(
                "web_results: their links are pages; ask with searchType=image", 200, len(page.body)
            )
        listings: dict[str, Listing] = {}
        dropped: Counter[str] = Counter()
        for item in items:
            listing = _listing(item)
            if isinstance(listing, str):
                dropped[listing] += 1
            elif listing.listing_id in listings:
                dropped[DUPLICATE] += 1
            else:
                listings[str(listing.listing_id)] = listing
        return Results(listings=tuple(listings.values()), next_url=_next_url(answer, page.url), dropped=dict(dropped))


def _missing(setting: str, variable: str, what: str) -> CrawlError:
    return CrawlError(
        f"a source of kind google_images lacks {setting}: set crawl.sources.<name>.{setting} or the environment "
        f"variable LVBAG_CRAWL__SOURCES__<NAME>__{variable} to {what}"
    )


def _days_since(since: dt.datetime, now: dt.datetime) -> int:
    """Whole days that cover the time since then: the API counts in days."""
    aware = since if since.tzinfo else since.replace(tzinfo=dt.UTC)
    return max(-((aware - now) // dt.timedelta(days=1)), 1)


def _is_web_search(answer: Node, items: list[Node]) -> bool:
    """Whether the request was no search for pictures, as it says itself or, where it says nothing, its results show."""
    queries = answer.get("queries")
    requests = nodes(queries.get("request")) if isinstance(queries, dict) else []
    if requests and requests[0].get("searchType") != "image":
        return True
    return bool(items) and not any(isinstance(item.get("image"), dict) for item in items)


def _listing(item: Node) -> Listing | str:
    """A picture as a listing, or the reason why it is none."""
    image, link = item.get("image"), item.get("link")
    if not isinstance(image, dict) or not isinstance(link, str) or not link.startswith(_HTTP):
        return NOT_UNDERSTOOD
    kind = str(item.get("mime") or "image/").lower()
    if not kind.startswith("image/") or kind in _DRAWINGS:
        return NO_PICTURE
    context = image.get("contextLink")
    title = text(item.get("title")) or text(item.get("snippet"))
    if title is None:
        return NOT_UNDERSTOOD
    return Listing(
        listing_id=hashlib.sha256(link.encode(errors="replace")).hexdigest()[:32],
        url=context if isinstance(context, str) and context.startswith(_HTTP) else link,
        title=title,
        image_urls=(link,),
    )


def _next_url(answer: Node, url: str) -> str | None:
    """This page's address with the start of the next one, where the answer names one that the API still gives."""
    queries = answer.get("queries")
    following = nodes(queries.get("nextPage")) if isinstance(queries, dict) else []
    start = whole_number(following[0].get("startIndex")) if following else None
    if not start or start > MOST_RESULTS or not url.startswith(_HTTP):
        return None
    try:
        pairs = dict(parse_qsl(urlsplit(url).query))
    except ValueError:
        return None
    pairs |= {"start": str(start), "num": str(min(PAGE_SIZE, MOST_RESULTS + 1 - start))}
    return f"{url.split('?', 1)[0]}?{urlencode(pairs)}"
