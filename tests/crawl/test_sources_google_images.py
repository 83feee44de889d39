"""What the Custom Search source asks for and reads, and that it takes pictures only."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.errors import CrawlError, Refused
from lvbag.crawl.sources import NOT_UNDERSTOOD, Listing, Page, PageNotUnderstood, Query, Results, open_source
from lvbag.crawl.sources.google_images import GoogleImagesSource
from lvbag.source_settings import GoogleImagesSettings
from shared_data import SHARED_DATA

PAGES = Path(__file__).parent / "pages"
GOOGLE = SHARED_DATA / "google"
SEARCH = "https://www.googleapis.com/customsearch/v1?q=speedy&cx=engine&searchType=image&num=10&start=1"


def settings_of(**values: Any) -> GoogleImagesSettings:
    keys = {"api_key": "the-key", "engine_id": "engine"}
    return GoogleImagesSettings(kind="google_images", permission=GoogleImagesSettings.SENTENCE, **(keys | values))


@pytest.fixture
def source() -> GoogleImagesSource:
    return GoogleImagesSource(settings_of())


def no_post(request: object) -> Page:
    raise AssertionError("the key is no token that is asked for")


def read(source: GoogleImagesSource, name: str) -> Results:
    return source.read_results(Page(SEARCH, (PAGES / f"google_{name}.json").read_bytes(), "application/json"))


def answer(value: object, url: str = SEARCH) -> Page:
    return Page(url, json.dumps(value).encode(), "application/json")


def test_a_search_asks_for_pictures_and_its_address_holds_no_key() -> None:
    source = open_source(settings_of())
    assert source.api
    url = source.first_url(Query("Louis Vuitton Noé"))
    assert "the-key" not in url
    assert parse_qs(urlsplit(url).query) == {
        "q": ["Louis Vuitton Noé"],
        "cx": ["engine"],
        "searchType": ["image"],
        "num": ["10"],
        "start": ["1"],
    }
    assert source.headers(no_post) == {"X-Goog-Api-Key": "the-key"}
    assert not source.renew()


@pytest.mark.parametrize(("ago", "days"), [({"hours": 1}, 1), ({"days": 2, "hours": 1}, 3), ({"days": -3}, 1)])
def test_only_what_is_new_is_asked_for_in_whole_days(
    source: GoogleImagesSource, ago: dict[str, float], days: int
) -> None:
    since = dt.datetime.now(dt.UTC) - dt.timedelta(**ago)
    for moment in (since, since.replace(tzinfo=None)):
        query = parse_qs(urlsplit(source.first_url(Query("speedy", moment))).query)
        assert query["dateRestrict"] == [f"d{days}"]


def test_missing_keys_are_named_with_their_variables() -> None:
    with pytest.raises(CrawlError, match=r"lacks api_key.*LVBAG_CRAWL__SOURCES__<NAME>__API_KEY") as caught:
        GoogleImagesSource(settings_of(api_key="")).headers(no_post)
    assert not isinstance(caught.value, Refused)
    with pytest.raises(CrawlError, match=r"lacks engine_id.*LVBAG_CRAWL__SOURCES__<NAME>__ENGINE_ID"):
        GoogleImagesSource(settings_of(engine_id="")).first_url(Query("speedy"))


def test_each_picture_is_a_listing_of_the_page_that_it_stands_on(source: GoogleImagesSource) -> None:
    results = read(source, "images")
    first, second = results.listings
    assert first == Listing(
        listing_id=first.listing_id,
        url="https://bags.example/speedy-30",
        title="Louis Vuitton Speedy 30 & lock",
        image_urls=("https://cdn.bags.example/speedy.jpg?w=1200",),
    )
    assert first.listing_id != second.listing_id
    assert (second.url, second.image_urls) == (second.image_urls[0], ("https://cdn.bags.example/2.jpg",))
    assert dict(results.dropped) == {"duplicate": 1, "no_picture": 1, NOT_UNDERSTOOD: 2}
    assert results.announced is None
    assert read(source, "images").listings[0].listing_id == first.listing_id


@pytest.mark.parametrize(
    ("start", "num", "following"),
    [(11, 10, True), (91, 10, True), (95, 6, True), (101, 0, False), (0, 0, False), ("x", 0, False)],
)
def test_pages_are_followed_to_the_hundredth_result(
    source: GoogleImagesSource, start: object, num: int, following: bool
) -> None:
    body = {"queries": {"request": [{"searchType": "image"}], "nextPage": [{"startIndex": start}]}}
    url = source.read_results(answer(body)).next_url
    assert (url is not None) is following
    if url is not None:
        query = parse_qs(urlsplit(url).query)
        assert (query["start"], query["num"], query["cx"]) == ([str(start)], [str(num)], ["engine"])
        assert url.startswith("https://www.googleapis.com/customsearch/v1?")


@pytest.mark.parametrize(
    "body",
    [
        {"queries": {"request": [{"count": 10}]}, "items": [{"title": "a", "link": "https://a.example/"}]},
        {"items": [{"title": "a", "link": "https://a.example/"}]},
        {"queries": {"request": [{"searchType": "web"}]}},
    ],
)
def test_web_results_are_refused(source: GoogleImagesSource, body: object) -> None:
    with pytest.raises(PageNotUnderstood, match=r"^web_results: "):
        source.read_results(answer(body))
    with pytest.raises(PageNotUnderstood, match=r"^web_results: "):
        read(source, "web")


def test_an_answer_without_items_is_no_failure(source: GoogleImagesSource) -> None:
    body = {"queries": {"request": [{"searchType": "image"}]}, "searchInformation": {"totalResults": "0"}}
    assert source.read_results(answer(body)) == Results()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"error": {"code": 403, "message": "Forbidden for this project"}},
            "api_error: 403: Forbidden for this project",
        ),
        ({"error": {"message": "API key not valid"}}, "api_error: API key not valid"),
        ({"kind": "something else"}, "no_results_page: the answer is none of a custom search"),
        ("text", "not_json: the API's answer is no JSON object"),
    ],
)
def test_what_is_no_answer_is_refused_with_the_api_s_words(
    source: GoogleImagesSource, body: object, reason: str
) -> None:
    with pytest.raises(PageNotUnderstood) as caught:
        source.read_results(answer(body))
    assert caught.value.reason == reason
    with pytest.raises(PageNotUnderstood, match="api_error: 429: Quota exceeded"):
        read(source, "error")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON, st.binary(max_size=100))
@settings(max_examples=150, deadline=None)
def test_no_answer_breaks_it(value: object, other: object, junk: bytes) -> None:
    source = GoogleImagesSource(settings_of())
    picture = {"link": "https://a.example/1.jpg", "title": other, "mime": value, "image": {"contextLink": other}}
    queries = {"request": [{"searchType": "image"}], "nextPage": value}
    bodies = (value, {"items": [picture, value, other], "queries": other}, {"items": [picture], "queries": queries})
    for body in (junk, *(json.dumps(body).encode() for body in bodies)):
        try:
            results = source.read_results(Page(SEARCH, body, "application/json"))
        except PageNotUnderstood:
            continue
        assert all(listing.image_urls for listing in results.listings)


@pytest.mark.skipif(not GOOGLE.is_dir(), reason="the shared Google answers are not here")
def test_real_answers_are_told_apart(source: GoogleImagesSource) -> None:
    results = source.read_results(Page(SEARCH, (GOOGLE / "cse_image_dogs_10items.json").read_bytes()))
    assert (len(results.listings), dict(results.dropped), results.announced) == (10, {}, None)
    assert all(listing.url != listing.image_urls[0] for listing in results.listings)
    assert results.next_url is not None
    assert "start=11" in results.next_url
    with pytest.raises(PageNotUnderstood, match=r"^web_results: "):
        source.read_results(Page(SEARCH, (GOOGLE / "cse_web_poker.json").read_bytes()))
