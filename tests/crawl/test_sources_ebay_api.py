"""What the Browse API source asks for, with which token, and what it reads in the answers."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.errors import CrawlError, Refused
from lvbag.crawl.sources import (
    NOT_UNDERSTOOD,
    Listing,
    Page,
    PageNotUnderstood,
    Query,
    Results,
    TokenRequest,
    ebay_api,
    open_source,
)
from lvbag.crawl.sources.ebay_api import EbayApiSource
from lvbag.source_settings import EbayApiSettings
from shared_data import SHARED_DATA

PAGES = Path(__file__).parent / "pages"
EBAY = SHARED_DATA / "ebay"
SEARCH = "https://api.ebay.com/buy/browse/v1/item_summary/search?q=speedy&limit=3&offset=0"


def settings_of(**values: Any) -> EbayApiSettings:
    keys = {"client_id": "the-id", "client_secret": "the-secret"}
    return EbayApiSettings(kind="ebay_api", permission=EbayApiSettings.SENTENCE, **(keys | values))


@pytest.fixture
def source() -> EbayApiSource:
    return EbayApiSource(settings_of())


def read(source: EbayApiSource, name: str, url: str = SEARCH) -> Results:
    return source.read_results(Page(url, (PAGES / f"ebay_api_{name}.json").read_bytes(), "application/json"))


def answer(value: object) -> Page:
    return Page(SEARCH, json.dumps(value).encode(), "application/json")


class Office:
    """Gives out tokens, each for so many seconds."""

    def __init__(self, lasts_s: object = 7200) -> None:
        self.lasts_s = lasts_s
        self.requests: list[TokenRequest] = []

    def __call__(self, request: TokenRequest) -> Page:
        self.requests.append(request)
        body = {"access_token": f"token-{len(self.requests)}", "expires_in": self.lasts_s, "token_type": "x"}
        return Page(request.url, json.dumps(body).encode(), "application/json")


# ------------------------------------------------------------------ what is asked


def test_a_search_asks_for_the_newest_listings_with_auctions() -> None:
    source = open_source(settings_of(endpoint="https://api.sandbox.ebay.com/", page_size=50))
    assert source.api
    assert source.newest_first
    parts = urlsplit(source.first_url(Query("Louis Vuitton M41108 " + "x" * 200)))
    assert (parts.netloc, parts.path) == ("api.sandbox.ebay.com", "/buy/browse/v1/item_summary/search")
    query = parse_qs(parts.query)
    assert query.pop("q")[0].startswith("Louis Vuitton M41108 xxx")
    assert query == {
        "category_ids": ["169291"],
        "filter": ["buyingOptions:{FIXED_PRICE|AUCTION|BEST_OFFER}"],
        "sort": ["newlyListed"],
        "limit": ["50"],
        "offset": ["0"],
    }


@pytest.mark.parametrize(
    "since",
    [
        dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        dt.datetime(2026, 11, 23, 2, 0),  # noqa: DTZ001 - a time without a zone is meant
    ],
)
def test_only_what_was_listed_since_is_asked_for(source: EbayApiSource, since: dt.datetime) -> None:
    query = parse_qs(urlsplit(source.first_url(Query("speedy", since))).query)
    assert query["filter"][0].endswith(",itemStartDate:[2026-11-23T02:00:00.000Z..]")


def test_the_query_keeps_to_the_api_s_length_and_no_category_is_sent_when_none_is_set() -> None:
    query = parse_qs(urlsplit(EbayApiSource(settings_of(category="")).first_url(Query("x" * 300))).query)
    assert len(query["q"][0]) == 100
    assert "category_ids" not in query


# ------------------------------------------------------------------ the token


def test_a_token_is_asked_for_once_and_sent_with_the_marketplace(source: EbayApiSource) -> None:
    office = Office()
    assert source.headers(office) == {"Authorization": "Bearer token-1", "X-EBAY-C-MARKETPLACE-ID": "EBAY_US"}
    assert source.headers(office)["Authorization"] == "Bearer token-1"
    (request,) = office.requests
    assert request.url == "https://api.ebay.com/identity/v1/oauth2/token"
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"the-id:the-secret").decode()
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["https://api.ebay.com/oauth/api_scope"],
    }


@pytest.mark.parametrize(("lasts_s", "fresh_until_s"), [(7200, 7079), (60, 29)])
def test_a_token_is_renewed_shortly_before_it_ends(
    source: EbayApiSource, monkeypatch: pytest.MonkeyPatch, lasts_s: int, fresh_until_s: int
) -> None:
    now = [1000.0]
    monkeypatch.setattr(ebay_api.time, "monotonic", lambda: now[0])
    office = Office(lasts_s)
    source.headers(office)
    now[0] += fresh_until_s
    assert source.headers(office)["Authorization"] == "Bearer token-1"
    now[0] += 2
    assert source.headers(office)["Authorization"] == "Bearer token-2"


def test_a_refused_token_is_forgotten_once(source: EbayApiSource) -> None:
    office = Office()
    assert not source.renew()
    source.headers(office)
    assert source.renew()
    assert not source.renew()
    assert source.headers(office)["Authorization"] == "Bearer token-2"
    assert source.renew()


@pytest.mark.parametrize(
    ("keys", "named"), [({"client_id": ""}, "client_id"), ({"client_secret": ""}, "client_secret")]
)
def test_missing_keys_are_named_with_their_variables(keys: dict[str, str], named: str) -> None:
    office = Office()
    with pytest.raises(CrawlError, match=rf"lacks {named}.*LVBAG_CRAWL__SOURCES__<NAME>__CLIENT_ID") as caught:
        EbayApiSource(settings_of(**keys)).headers(office)
    assert not isinstance(caught.value, Refused)
    assert office.requests == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"error": "unsupported_grant_type", "error_description": "not supported"},
            "token: unsupported_grant_type: not",
        ),
        ({"error": "invalid_client"}, "token: invalid_client"),
        ({"access_token": "a\r\nX-Evil: 1"}, "token: the answer has no access_token"),
        ({}, "token: the answer has no access_token"),
        ([], "token: not_json"),
    ],
)
def test_an_answer_without_a_token_is_refused_without_telling_secrets(
    source: EbayApiSource, body: object, reason: str
) -> None:
    with pytest.raises(Refused) as caught:
        source.headers(lambda request: answer(body))
    assert caught.value.reason.startswith(reason)
    assert "the-secret" not in str(caught.value)
    assert not source.renew()


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refused("http_status: 401", 401), "token: status 401; eBay refuses the source's client_id and client_secret"),
        (Refused("request_budget: spent"), "request_budget: spent"),
        (Refused("http_status: 503", 503), "http_status: 503"),
    ],
)
def test_a_refusal_of_the_token_s_request_keeps_its_reason_unless_the_keys_are_wrong(
    source: EbayApiSource, refusal: Refused, reason: str
) -> None:
    def post(request: TokenRequest) -> Page:
        raise refusal

    with pytest.raises(Refused) as caught:
        source.headers(post)
    assert (caught.value.reason, caught.value.status) == (reason, refusal.status)


# ------------------------------------------------------------------ what is read


def test_listings_are_read_from_summaries(source: EbayApiSource) -> None:
    results = read(source, "search")
    assert results.listings == (
        Listing(
            listing_id="184105770612",
            url="https://www.ebay.com/itm/Louis-Vuitton-Speedy-30/184105770612",
            title="Louis Vuitton Speedy 30",
            price=720.0,
            currency="USD",
            seller="bags.of-joy",
            image_urls=(
                "https://i.ebayimg.com/images/g/aaaaAAOSwaaa/s-l1600.jpg",
                "https://i.ebayimg.com/images/g/bbbbAAOSwbbb/s-l1600.jpg",
                "https://galleryplus.ebayimg.com/ws/web/184105770612_2_0_1/225x225.jpg",
            ),
            condition="Pre-owned",
        ),
        Listing(
            listing_id="184105770613",
            url="https://www.ebay.com/itm/184105770613",
            title="Speedy at auction",
            price=10.5,
            currency="GBP",
            image_urls=("https://i.ebayimg.com/images/g/ttttAAOSwttt/s-l1600.jpg",),
        ),
        Listing(listing_id="184105770614", url="https://www.ebay.co.uk/itm/184105770614", title="Speedy by its page"),
    )
    assert results.announced == 5
    assert dict(results.dropped) == {"duplicate": 1, NOT_UNDERSTOOD: 2}


def test_an_empty_answer_has_no_summaries_and_is_no_failure(source: EbayApiSource) -> None:
    assert read(source, "empty") == Results(announced=0)


@pytest.mark.parametrize(
    ("link", "offset", "total", "followed"),
    [
        ("https://api.ebay.com/buy/browse/v1/item_summary/search?offset=3", 0, 5, True),
        ("https://api.ebay.com/buy/browse/v1/item_summary/search?offset=6", 3, 6, False),
        ("https://api.ebay.com/buy/browse/v1/item_summary/search?offset=3", 0, 3, False),
        ("https://api.ebay.com/buy/browse/v1/item_summary/search?offset=9999", 9999, 50_000, False),
        ("https://api.ebay.com.evil.example/search?offset=3", 0, 5, False),
        ("http://api.ebay.com/buy/browse/v1/item_summary/search?offset=3", 0, 5, False),
        ("https://[bad", 0, 5, False),
        (None, 0, 5, False),
    ],
)
def test_the_next_page_is_followed_only_where_there_are_more_results(
    source: EbayApiSource, link: str | None, offset: int, total: int, followed: bool
) -> None:
    body = {"total": total, "limit": 3, "offset": offset, "next": link}
    assert source.read_results(answer(body)).next_url == (link if followed else None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"errors": [{"errorId": 1001, "message": "Invalid access token"}]}, "api_error: 1001: Invalid access token"),
        ({"error": "invalid_token"}, "api_error: invalid_token"),
        ({"errors": [17]}, "api_error: 17"),
        ({"errors": [{}]}, "no_results_page: the answer has no total"),
        ({"items": []}, "no_results_page: the answer has no total"),
        ({"total": "many"}, "no_results_page: the answer has no total"),
        ([], "not_json: the API's answer is no JSON object"),
    ],
)
def test_what_is_no_answer_is_refused_with_the_api_s_words(source: EbayApiSource, body: object, reason: str) -> None:
    with pytest.raises(PageNotUnderstood) as caught:
        source.read_results(answer(body))
    assert caught.value.reason == reason


def test_the_error_of_the_fixture_is_told_and_markup_is_refused(source: EbayApiSource) -> None:
    with pytest.raises(PageNotUnderstood, match="api_error: 12001: The call must have"):
        read(source, "error")
    with pytest.raises(PageNotUnderstood, match="not_json"):
        source.read_results(Page(SEARCH, b"<html>sorry</html>"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON, st.binary(max_size=100))
@settings(max_examples=150, deadline=None)
def test_no_answer_breaks_it(value: object, other: object, junk: bytes) -> None:
    source = EbayApiSource(settings_of())
    summary = {"itemId": "v1|184105770612|0", "title": "a", "image": value, "price": other, "seller": value}
    summary |= {"additionalImages": other, "itemWebUrl": value, "condition": other}
    bodies = (value, {"total": 3, "itemSummaries": [summary, value, other], "next": other, "limit": value})
    for body in (junk, *(json.dumps(body).encode() for body in bodies)):
        try:
            results = source.read_results(Page(SEARCH, body, "application/json"))
        except PageNotUnderstood:
            continue
        assert all(listing.listing_id for listing in results.listings)


# ------------------------------------------------------------------ real answers


@pytest.mark.skipif(not EBAY.is_dir(), reason="the shared eBay answers are not here")
def test_real_answers_are_read(source: EbayApiSource) -> None:
    found = source.read_results(Page(SEARCH, (EBAY / "fs2_search-success-response.json").read_bytes()))
    assert len(found.listings) == found.announced == 5
    assert found.next_url is None
    assert dict(found.dropped) == {}
    for listing in found.listings:
        assert listing.url == f"{listing.url.rpartition('/')[0]}/{listing.listing_id}"
        assert listing.price is not None
        assert (listing.currency, bool(listing.seller), len(listing.image_urls) > 1) == ("GBP", True, True)
    empty = source.read_results(Page(SEARCH, (EBAY / "fs2_search-empty-response.json").read_bytes()))
    assert (empty.announced, empty.listings, empty.next_url) == (0, (), None)


@pytest.mark.skipif(not EBAY.is_dir(), reason="the shared eBay answers are not here")
def test_real_errors_are_told(source: EbayApiSource) -> None:
    refused = (EBAY / "fs2_get-item-unauthorized-error-response.json").read_bytes()
    with pytest.raises(PageNotUnderstood, match="api_error: 1001: Invalid access token"):
        source.read_results(Page(SEARCH, refused))
    no_token = (EBAY / "fs2_auth-error-response.json").read_bytes()
    with pytest.raises(Refused, match=r"^token: unsupported_grant_type"):
        source.headers(lambda request: Page(request.url, no_token))
