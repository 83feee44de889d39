"""eBay's search pages and item pages, read from their HTML.

Only listings that answer the query are results: eBay's placeholders, bands of recommendations and what stands below
"Results matching fewer words" are dropped and counted. Cards are found in `ebay_river` and read in `ebay_cards`; an
item page is read in `ebay_item`. eBay allows none of this without a written permission (`EbayHtmlSettings`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from bs4 import Tag

from lvbag.crawl.sources.base import Listing, Page, PageNotUnderstood, Query, Results, Source
from lvbag.crawl.sources.ebay_cards import Place, read_card
from lvbag.crawl.sources.ebay_item import read_item
from lvbag.crawl.sources.ebay_river import Break, Card, finds_nothing, has_results, names_of, river
from lvbag.crawl.sources.ebay_words import FEWER_WORDS, currency_of, marketplace
from lvbag.crawl.sources.html import Document
from lvbag.source_settings import EbayHtmlSettings

PAGE_SIZE = 240
"""Results a page: the most that eBay offers."""

DUPLICATE = "duplicate"

_NEWEST_FIRST = 10
_COUNT = re.compile(r"(\d[\d.,'’\s]*)(?:(k|m|tsd|mio)(?![^\W\d_])\.?)?\s*(\+)?", re.IGNORECASE)
_RESULTS = re.compile(
    r"\W*(?:results?|ergebnis|treffer|résultat|resultad|risultat|resulta|wynik|результат|найден|結果|结果|項)",
    re.IGNORECASE,
)
_MAX_HEADING_CHARS = 300
_MAX_DIGITS = 12
_MAX_DEPTH = 120
_SCALES = {"k": 1_000, "tsd": 1_000, "m": 1_000_000, "mio": 1_000_000}


class EbayHtmlSource(Source[EbayHtmlSettings]):
    """One of eBay's marketplaces."""

    newest_first: ClassVar[bool] = True

    def __init__(self, settings: EbayHtmlSettings) -> None:
        super().__init__(settings)
        self.details = settings.details

    def first_url(self, query: Query) -> str:
        """The newest listings first: what is known already comes last."""
        pairs = {"_nkw": query.words, "_sop": _NEWEST_FIRST, "_ipg": PAGE_SIZE}
        if self.settings.category:
            pairs["_sacat"] = self.settings.category
        return f"{self.settings.site}/sch/i.html?{urlencode(pairs)}"

    def read_results(self, page: Page) -> Results:
        """The listings above the first divider, where the list ends for the query."""
        document = _opened(page)
        heading = _heading(document)
        if heading is None and finds_nothing(document.soup):
            heading = _Heading(0, exact=True)
        found = _Found(document, _place(document, self.settings.site), heading)
        for part in river(document.soup):
            found.take(part)
        if heading is None and not found.seen and not has_results(document.soup):
            raise PageNotUnderstood("no_results_page: neither a count nor a list of results", 200, len(page.body))
        return Results(
            listings=tuple(found.listings.values()),
            next_url=None if found.ended else _next_url(document),
            announced=heading.count if heading else None,
            dropped=dict(found.dropped),
        )

    def read_item(self, page: Page) -> Listing:
        """The listing of an item page, with all its pictures."""
        document = _opened(page)
        return read_item(document, _place(document, self.settings.site), len(page.body))


def _opened(page: Page) -> Document:
    """The page's elements; those of no real page are nested so deep that every look around them takes long."""
    document = Document(page)
    if document.tree.xpath("/*" * _MAX_DEPTH):
        raise PageNotUnderstood(f"too_deep: elements are nested {_MAX_DEPTH} deep", 200, len(page.body))
    return document


@dataclass(frozen=True)
class _Heading:
    """How many results a page announces; `exact`: it does not say "and more"."""

    count: int
    exact: bool


class _Found:
    """What a page's cards amount to, read from top to bottom."""

    def __init__(self, document: Document, place: Place, heading: _Heading | None) -> None:
        self.listings: dict[str, Listing] = {}
        self.dropped: Counter[str] = Counter()
        self.seen = 0
        self.ended: str | None = None
        self._document = document
        self._place = place
        self._announced = heading.count if heading and heading.exact else None
        self._results = _results_before(document.url)
        self._end_if_complete()

    def take(self, part: Card | Break) -> None:
        """Take the next card, or see whether the results end at a break."""
        if isinstance(part, Break):
            self.ended = self.ended or part.reason
            self._end_if_complete()
            return
        self.seen += 1
        listing = part.section or read_card(part.tag, self._document, self._place)
        if isinstance(listing, str):
            self.dropped[listing] += 1
        elif self.ended:
            self.dropped[self.ended] += 1
        else:
            self._results += 1
            self._keep(listing)

    def _keep(self, listing: Listing) -> None:
        number = str(listing.listing_id)
        if number in self.listings:
            self.dropped[DUPLICATE] += 1
        self.listings.setdefault(number, listing)

    def _end_if_complete(self) -> None:
        """Once all announced results are read, those below a divider are none, whatever its words mean."""
        if self._announced is not None and self._results >= self._announced:
            self.ended = self.ended or FEWER_WORDS


def _results_before(url: str) -> int:
    """How many results stand on the pages before this one, where its address says so."""
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        return 0
    values = (query.get(name, ["0"])[0] for name in ("_pgn", "_ipg"))
    page, size = (int(value) if re.fullmatch(r"[0-9]{1,5}", value) else 0 for value in values)
    return max(page - 1, 0) * size


# ------------------------------------------------------------------ heading, marketplace, next page


def _heading(document: Document) -> _Heading | None:
    """The count above the results, as in `1.200+ Ergebnisse für …`."""
    for tag in document.soup.find_all(["h1", "h2", "div", "span"]):
        named = any(name == "srp-results-heading" or name.endswith("count-heading") for name in names_of(tag))
        if not named and tag.name != "h1":
            continue
        said = tag.get_text(" ", strip=True)[:_MAX_HEADING_CHARS]
        match = _COUNT.match(said) or (_COUNT.search(said) if named else None)
        if match and (named or _RESULTS.match(said, match.end())) and (heading := _counted(match)):
            return heading
    return None


def _counted(match: re.Match[str]) -> _Heading | None:
    digits = re.sub(r"\D", "", match.group(1))
    if len(digits) > _MAX_DIGITS:
        return None
    scale = _SCALES.get((match.group(2) or "").lower(), 1)
    return _Heading(int(digits) * scale, exact=not match.group(3) and scale == 1)


def _place(document: Document, configured: str) -> Place:
    """The marketplace of a page: what it calls its own address, else where its listings are, else its address."""
    soup = document.soup
    canonical = soup.find("link", rel="canonical", href=True)
    links = [str(canonical["href"])] if isinstance(canonical, Tag) else []
    links += [
        link for tag in soup.select("a[href*='/itm/']", limit=10) if "/itm/123456" not in (link := str(tag["href"]))
    ]
    sites = (marketplace(document.absolute(link)) for link in (*links, document.url))
    site = next((found for found in sites if found), configured)
    return Place(site, currency_of(site))


def _next_url(document: Document) -> str | None:
    """The next page, where there is one on the same host."""
    for tag in document.soup.find_all("a", href=True):
        names = {str(name) for name in tag.get("class") or ()}
        if "pagination__next" not in names and tag.get("type") != "next":
            continue
        if str(tag.get("aria-disabled") or "").lower() == "true" or tag.has_attr("disabled"):
            return None
        url = document.absolute(str(tag["href"]))
        same = url.split("#", 1)[0] == document.url.split("#", 1)[0]
        return url if not same and url.startswith("http") and document.same_shop(url) else None
    return None
