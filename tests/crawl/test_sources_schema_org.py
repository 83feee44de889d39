"""What the schema.org source reads in pages of results: grids, next pages, JSON answers, items found at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lvbag.crawl.sources import NOT_UNDERSTOOD, Listing, Page, PageNotUnderstood, Query, Results
from lvbag.crawl.sources.paging import templated_next
from lvbag.crawl.sources.schema_org import SchemaOrgSource
from lvbag.source_settings import SchemaOrgSettings
from shared_data import SHARED_DATA

PAGES = Path(__file__).parent / "pages"
URL = "https://bags.example/search?q=speedy"
SEARCH = "https://bags.example/search?q={query}"
SOURCE = SchemaOrgSource(SchemaOrgSettings(search_url=SEARCH))
PAGED = SchemaOrgSource(SchemaOrgSettings(search_url=SEARCH, page_url=SEARCH + "&page={page}"))


def results(body: str | bytes, url: str = URL, source: SchemaOrgSource = SOURCE, kind: str = "text/html") -> Results:
    content = body if isinstance(body, bytes) else f"<!doctype html><html><body>{body}</body></html>".encode()
    return source.read_results(Page(url, content, kind))


def block(node: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(node)}</script>'


def card(number: int, inside: str = "") -> str:
    return (
        f'<li itemscope itemtype="https://schema.org/Product"><a itemprop="url" href="/i/{number}">'
        f'<b itemprop="name">bag {number}</b></a>{inside}</li>'
    )


# ------------------------------------------------------------------ grids


def test_a_list_in_json_ld_gives_whole_listings_links_and_the_announced_number() -> None:
    found = results((PAGES / "shop_grid_json_ld.html").read_bytes())
    assert found == Results(
        listings=(
            Listing(
                "S1",
                "https://bags.example/bags/1",
                "Speedy 30",
                700.0,
                "GBP",
                image_urls=("https://bags.example/img/1.jpg",),
                sku="S1",
            ),
        ),
        links=("https://bags.example/bags/2", "https://www.bags.example/bags/4"),
        next_url="https://bags.example/search?q=speedy&page=2",
        announced=48,
        dropped={"other_shop": 1, NOT_UNDERSTOOD: 1},
    )


def test_cards_in_microdata_give_whole_listings_and_links() -> None:
    found = results((PAGES / "shop_grid_microdata.html").read_bytes())
    first, second = found.listings
    assert (first.url, first.title, first.price, first.currency) == (
        *("https://bags.example/b/1", "Neverfull MM"),
        *(2300.0, "CHF"),
    )
    assert (second.listing_id, second.price, second.currency) == ("N2", 450.0, "EUR")
    assert second.url == "https://bags.example/b/2"  # the link around the card
    assert (first.image_urls, second.image_urls) == (
        ("https://bags.example/i/1.jpg",),
        ("https://bags.example/i/2.jpg",),
    )
    assert found.links == ("https://bags.example/b/3",)
    assert (found.announced, found.next_url) == (3, "https://bags.example/bags?p=2")
    assert found.dropped == {"other_shop": 1, "no_link": 1}


@pytest.mark.parametrize(
    "inside",
    [
        block(
            {
                "@type": "ItemList",
                "itemListElement": [
                    {"@type": "ListItem", "url": "/i/1"},
                    {"item": {"@id": "https://bags.example/i/2"}},
                    "https://elsewhere.example/ad",
                ],
            }
        ),
        block([{"@type": "Product", "name": "a", "url": "/i/1"}, {"@type": "Product", "name": "b", "url": "/i/2"}]),
        card(1) + card(2) + '<a href="/about">y</a>',
        '<div itemscope itemtype="http://schema.org/Product"><a href="/i/1#photos">x</a></div>'
        '<div itemscope itemtype="http://schema.org/IndividualProduct"><a href="/i/2">x</a></div>',
        '<nav><a class="item" href="/about">y</a></nav><li class="product"><h3><a href="/i/1">x</a></h3></li>'
        '<a class="item-link" href="/i/2">x</a><a class="product" href="https://elsewhere.example/ad">x</a>',
    ],
)
def test_item_links_are_found_in_every_kind_of_markup(inside: str) -> None:
    found = results(f'<link rel="next" href="?page=2">{inside}')
    assert found.links == ("https://bags.example/i/1", "https://bags.example/i/2")
    assert found.listings == ()
    assert found.next_url == "https://bags.example/search?page=2"


def test_cards_that_say_more_than_the_list_are_taken_instead() -> None:
    listed = block({"@type": "ItemList", "itemListElement": [{"url": "/i/1"}, {"url": "/i/2"}]})
    whole = card(1, '<img itemprop="image" src="/1.jpg">') + card(2, '<img itemprop="image" src="/2.jpg">')
    assert len(results(listed + whole).listings) == 2
    partly = results(listed + card(1, '<img itemprop="image" src="/1.jpg">'))
    assert (partly.listings, len(partly.links)) == ((), 2)


def test_a_page_that_announces_results_and_shows_none_says_so() -> None:
    promised = results(block({"@type": "ItemList", "numberOfItems": "12", "itemListElement": []}))
    assert (promised.announced, promised.listings, promised.links) == (12, (), ())
    assert results(block({"@type": "ItemList", "numberOfItems": 0})).announced == 0
    assert results("<p>nothing</p>").announced is None


def test_a_search_that_shows_the_one_item_it_found_has_it_as_its_result() -> None:
    own = {"@type": "Product", "name": "Bag", "url": "/item/7", "image": "/a.jpg", "offers": {"price": 1}}
    related = card(1) + card(2)
    found = results(block(own) + related, "https://bags.example/item/7?from=search")
    assert found == results(block(own) + related, "https://bags.example/item/7")
    assert [listing.title for listing in found.listings] == ["Bag"]
    assert results(block({**own, "image": None}), "https://bags.example/item/7").links == (
        "https://bags.example/item/7",
    )
    # one result alone, which has a page of its own, is a result
    assert results(card(1)).links == ("https://bags.example/i/1",)
    assert results(block({**own, "image": None})).links == ("https://bags.example/item/7",)


@pytest.mark.parametrize("name", ["shop_json_ld.html", "shop_microdata.html", "shop_open_graph.html"])
def test_an_item_page_reads_the_same_as_results_and_as_an_item(name: str) -> None:
    page = Page("https://shop.invalid/", (PAGES / name).read_bytes(), "")
    assert SOURCE.read_results(page).listings == (SOURCE.read_item(page),)


def test_what_is_no_page_of_results_is_refused() -> None:
    for body in (b"", b"\x00\x01", b"words"):
        with pytest.raises(PageNotUnderstood):
            results(body)


# ------------------------------------------------------------------ further pages


def test_the_first_page_has_the_percent_encoded_query() -> None:
    assert SOURCE.first_url(Query("Louis Vuitton Noé & Co")) == (
        "https://bags.example/search?q=Louis%20Vuitton%20No%C3%A9%20%26%20Co"
    )
    assert not SOURCE.whole


def test_without_rel_next_the_template_leads_on_until_a_page_is_empty() -> None:
    first = PAGED.first_url(Query("a b"))
    second = results(card(1), first, PAGED).next_url
    assert second == "https://bags.example/search?q=a%20b&page=2"
    third = results(card(2), second, PAGED).next_url
    assert third == "https://bags.example/search?q=a%20b&page=3"
    assert results("<p>no more</p>", third, PAGED).next_url is None
    assert results(card(1), first).next_url is None
    linked = results(card(1) + '<a rel="next" href="/more">x</a>', first, PAGED)
    assert linked.next_url == "https://bags.example/more"
    assert results(card(1) + '<a rel="next" href="https://ads.example/">x</a>', first).next_url is None


@pytest.mark.parametrize(
    ("url", "following"),
    [
        ("https://www.s.example/?q=a%20b&utm=1", "http://s.example/?q=a%20b&p=2"),
        ("http://s.example/?q=a&p=9", "http://s.example/?q=a&p=10"),
        ("http://s.example/elsewhere", None),
        ("", None),
    ],
)
def test_the_template_fits_what_the_server_made_of_the_address(url: str, following: str | None) -> None:
    assert templated_next(url, "http://s.example/?q={query}", "http://s.example/?q={query}&p={page}") == following


# ------------------------------------------------------------------ JSON answers


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/html", ""])
def test_html_in_the_texts_of_a_json_answer_is_read_as_results(kind: str) -> None:
    answer = {"page": 1, "html": {"grid": [f"<ul>{card(1)}</ul>", "no markup", f"<ul>{card(2)}</ul>"]}, "more": None}
    first = PAGED.first_url(Query("x"))
    found = results(json.dumps(answer).encode(), first, PAGED, kind)
    assert found.links == ("https://bags.example/i/1", "https://bags.example/i/2")
    assert found.next_url == "https://bags.example/search?q=x&page=2"
    assert results(b'{"html": ""}', kind=kind) == Results()


def test_a_broken_json_answer_is_refused() -> None:
    with pytest.raises(PageNotUnderstood, match="not_json"):
        results(b'{"html": "<ul>', kind="application/json")
    with pytest.raises(PageNotUnderstood, match="not_json"):
        results(b"[" * 100_000, kind="application/json")


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared shop pages are not here")
@pytest.mark.parametrize("url", ["https://www.vestiairecollective.com/louis-vuitton/", "https://shop.invalid/"])
def test_every_card_of_a_real_grid_is_read_whole(url: str) -> None:
    body = (SHARED_DATA / "shops" / "vestiaire_p0.json").read_bytes()
    found = results(body, url, kind="")
    assert len(found.listings) == body.count(b"schema.org/Product")
    for listing in found.listings:
        assert listing.title
        assert listing.price
        assert listing.currency == "EUR"
        assert listing.image_urls
        assert listing.url
        assert listing.brand == "Louis Vuitton"
