"""eBay's Browse API: searches with an application's token, whole listings in the answers.

Reference: https://developer.ebay.com/api-docs/buy/browse/resources/item_summary/methods/search. eBay's licence forbids
training on what the API returns unless eBay agrees (`EbayApiSettings`). How many calls a night makes is the engine's
business (`daily_calls`).
"""

from __future__ import annotations

import base64
import datetime as dt
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from lvbag.crawl.errors import CrawlError, Refused
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
)
from lvbag.crawl.sources.ebay_cards import item_number
from lvbag.crawl.sources.ebay_pictures import pictures
from lvbag.crawl.sources.html import text
from lvbag.crawl.sources.json_api import Node, error_message, nodes, read_object, whole_number
from lvbag.crawl.sources.prices import read_number
from lvbag.source_settings import EbayApiSettings

SEARCH = "/buy/browse/v1/item_summary/search"
TOKEN = "/identity/v1/oauth2/token"  # noqa: S105 - a path, no secret
SCOPE = "https://api.ebay.com/oauth/api_scope"
"""The scope of public data; it has this name on the sandbox too."""
DUPLICATE = "duplicate"

_BUYING_OPTIONS = "buyingOptions:{FIXED_PRICE|AUCTION|BEST_OFFER}"  # without it eBay leaves out auctions
_MAX_WORDS_CHARS = 100
_MOST_RESULTS = 10_000  # the API pages no further
_RENEW_BEFORE_S = 120
_ITEM_ID = re.compile(r"(?:^|[/|])v\d+(?:\||%7C)(\d{8,15})(?:\||%7C)", re.IGNORECASE)


class EbayApiSource(Source[EbayApiSettings]):
    """One marketplace of the Browse API."""

    api: ClassVar[bool] = True
    newest_first: ClassVar[bool] = True

    def __init__(self, settings: EbayApiSettings) -> None:
        super().__init__(settings)
        self._token: str | None = None
        self._token_ends = 0.0  # by time.monotonic()

    def first_url(self, query: Query) -> str:
        """The newest listings first; only those that began after `query.since` where it is set."""
        filters = [_BUYING_OPTIONS]
        if query.since is not None:
            filters.append(f"itemStartDate:[{_utc(query.since)}..]")
        pairs = {
            "q": query.words[:_MAX_WORDS_CHARS],
            "category_ids": self.settings.category,
            "filter": ",".join(filters),
            "sort": "newlyListed",
            "limit": str(self.settings.page_size),
            "offset": "0",
        }
        return f"{self.settings.endpoint}{SEARCH}?{urlencode({name: value for name, value in pairs.items() if value})}"

    def headers(self, post: Post) -> Mapping[str, str]:
        """The authorization, with a token that is asked for when there is none or it is about to end."""
        if self._token is None or time.monotonic() >= self._token_ends:
            self._token, lasts_s = self._ask_for_token(post)
            self._token_ends = time.monotonic() + lasts_s - min(_RENEW_BEFORE_S, lasts_s / 2)
        return {"Authorization": f"Bearer {self._token}", "X-EBAY-C-MARKETPLACE-ID": self.settings.marketplace}

    def renew(self) -> bool:
        """Forget a token that was refused; there is nothing to renew until another one is asked for."""
        had_token = self._token is not None
        self._token = None
        return had_token

    def read_results(self, page: Page) -> Results:
        """All summaries of the answer; one without results has no `itemSummaries` at all."""
        answer = read_object(page)
        total = whole_number(answer.get("total"))
        if total is None:
            raise PageNotUnderstood("no_results_page: the answer has no total", 200, len(page.body))
        listings: dict[str, Listing] = {}
        dropped: Counter[str] = Counter()
        for summary in nodes(answer.get("itemSummaries")):
            listing = _listing(summary)
            if listing is None:
                dropped[NOT_UNDERSTOOD] += 1
            elif listing.listing_id in listings:
                dropped[DUPLICATE] += 1
            else:
                listings[str(listing.listing_id)] = listing
        return Results(
            listings=tuple(listings.values()),
            next_url=self._next_url(answer, total, page.url),
            announced=total,
            dropped=dict(dropped),
        )

    def _next_url(self, answer: Node, total: int, url: str) -> str | None:
        """eBay gives a `next` even beyond the last result; it is followed where more are announced, on our endpoint."""
        link = answer.get("next")
        if not isinstance(link, str):
            return None
        query = _query(url) | {name: str(answer[name]) for name in ("offset", "limit") if name in answer}
        limit = whole_number(query.get("limit")) or self.settings.page_size
        reached = (whole_number(query.get("offset")) or 0) + limit
        ours = _origin(link) is not None and _origin(link) == _origin(self.settings.endpoint)
        return link if ours and reached < min(total, _MOST_RESULTS) else None

    def _ask_for_token(self, post: Post) -> tuple[str, float]:
        """A new token and the seconds that it lasts; no error here repeats what was sent or came back as a token."""
        client_id, secret = (self.settings.client_id.get_secret_value(), self.settings.client_secret.get_secret_value())
        if not client_id or not secret:
            missing = " and ".join(
                name for name, value in (("client_id", client_id), ("client_secret", secret)) if not value
            )
            raise CrawlError(
                f"a source of kind ebay_api lacks {missing}: set the environment variables "
                "LVBAG_CRAWL__SOURCES__<NAME>__CLIENT_ID and LVBAG_CRAWL__SOURCES__<NAME>__CLIENT_SECRET to the "
                "application's keys from https://developer.ebay.com/my/keys"
            )
        credentials = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        request = TokenRequest(
            url=f"{self.settings.endpoint}{TOKEN}",
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({"grant_type": "client_credentials", "scope": SCOPE}).encode(),
        )
        try:
            answer = read_object(post(request))
        except PageNotUnderstood as error:
            reason = error.reason.removeprefix("api_error: ")
            raise Refused(f"token: {reason}", error.status, error.size) from None
        except Refused as error:
            if error.status not in (400, 401, 403):
                raise
            reason = f"token: status {error.status}; eBay refuses the source's client_id and client_secret"
            raise Refused(reason, error.status, error.size) from None
        token, lasts_s = answer.get("access_token"), whole_number(answer.get("expires_in"))
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise Refused(f"token: {error_message(answer) or 'the answer has no access_token'}", 200)
        return token, float(lasts_s or 0)


def _listing(summary: Node) -> Listing | None:
    """A summary as a listing; None where it has no number or title."""
    number, title = _number(summary), text(summary.get("title"))
    if number is None or title is None:
        return None
    amount, currency = _price(summary)
    link = summary.get("itemWebUrl")
    seller = summary.get("seller")
    return Listing(
        listing_id=number,
        url=_bare(link) if isinstance(link, str) and item_number(link) else f"https://www.ebay.com/itm/{number}",
        title=title,
        price=amount,
        currency=currency,
        seller=text(seller.get("username")) if isinstance(seller, dict) else None,
        image_urls=pictures(_image_urls(summary)),
        condition=text(summary.get("condition")),
    )


def _number(summary: Node) -> str | None:
    """The number that the listing's page has; the API's own name of it is `v1|184105770612|0`, the end a variation."""
    legacy = text(summary.get("legacyItemId"))
    if legacy and re.fullmatch(r"\d{8,15}", legacy):
        return legacy
    for key in ("itemId", "itemWebUrl", "itemHref"):
        value = summary.get(key)
        if isinstance(value, str) and (match := _ITEM_ID.search(value)):
            return match.group(1)
        if isinstance(value, str) and (number := item_number(value)):
            return number
    return None


def _price(summary: Node) -> tuple[float | None, str | None]:
    """The fixed price, else the highest bid of an auction."""
    for key in ("price", "currentBidPrice"):
        money = summary.get(key)
        if isinstance(money, dict):
            currency = text(money.get("currency"))
            amount = read_number(money.get("value"), currency)
            if amount is not None:
                return amount, currency
    return None, None


def _image_urls(summary: Node) -> Iterator[str]:
    """The pictures of a listing; its thumbnails where it has no other."""
    images = [*nodes([summary.get("image")]), *nodes(summary.get("additionalImages"))]
    for image in images or nodes(summary.get("thumbnailImages")):
        if isinstance(address := image.get("imageUrl"), str):
            yield address.strip()


def _bare(link: str) -> str:
    """An address without the parameters by which eBay follows a visitor."""
    return link.split("#", 1)[0].split("?", 1)[0]


def _query(url: str) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        return {}


def _origin(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return (parts.scheme, parts.netloc.lower()) if parts.netloc else None


def _utc(moment: dt.datetime) -> str:
    """As eBay writes times; one without a zone is in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return aware.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
