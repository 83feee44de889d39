"""What the schema.org source reads in pages."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl import parse_page
from lvbag.crawl.sources import Page, PageNotUnderstood, open_source
from shared_data import SHARED_DATA

URL = "https://shop.example/item/7?x=1"
SHOPS = SHARED_DATA / "shops"


def page(*blocks: str, head: str = "") -> bytes:
    scripts = "".join(f'<script type="application/ld+json">{block}</script>' for block in blocks)
    return f"<!doctype html><html><head>{head}{scripts}</head><body></body></html>".encode()


def item(*blocks: str, head: str = ""):
    parsed = parse_page("schema_org", page(*blocks, head=head), URL)
    assert parsed.item is not None, parsed.refusal
    return parsed.item


def test_a_product_is_read_with_offer_seller_and_absolute_images() -> None:
    node = {
        "@type": "Product",
        "name": "Louis&nbsp;Vuitton  Speedy &amp; more\u0007",
        "sku": 4711,
        "image": ["/a.jpg", {"@type": "ImageObject", "contentUrl": "//cdn.example/b.png", "url": "x"}, "c.webp#top"],
        "offers": [{"price": "1,234.50", "priceCurrency": "eur", "seller": {"name": "Anna"}}],
    }
    found = item(json.dumps(node))
    assert (found.title, found.shop_id, found.seller) == ("Louis Vuitton Speedy & more", "4711", "Anna")
    assert (found.price, found.currency) == (1234.5, "EUR")
    assert found.image_urls == (
        "https://shop.example/a.jpg",
        "https://cdn.example/b.png",
        "https://shop.example/item/c.webp",
    )


@pytest.mark.parametrize(
    "block",
    [
        '[{"@type": "WebPage"}, {"@type": ["Thing", "http://schema.org/Product"], "name": "Bag"}]',
        '{"@graph": [{"@type": "Product", "name": "Bag"}]}',
        '{"@type": "ItemPage", "mainEntity": {"@type": "IndividualProduct", "name": "Bag"}}',
        '{"@type": "Product", // the thing\n "name": "Bag", /* more */ }',
        '<!-- {"@type": "Product", "name": "Bag"} -->',
        '//<![CDATA[\n{"@type": "Product", "name": "Bag"}\n//]]>',
        '{"@type": "Product", "name": "\n\tBag"}',
        '{"@type": "Product", "name": "Bag", "url": "http://a.example//x"}',
    ],
)
def test_json_ld_is_read_however_shops_write_it(block: str) -> None:
    assert item(block).title == "Bag"


def test_a_broken_block_does_not_hide_a_good_one_and_the_page_s_own_product_wins() -> None:
    other = '{"@type": "Product", "name": "Other", "url": "https://shop.example/item/8"}'
    own = '{"@type": "Product", "name": "Own", "url": "/item/7?x=1"}'
    assert item("{broken", other, own).title == "Own"


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (page("{not json at all"), "text/html", "json_ld_invalid: Expecting property name"),
        (page("[" * 5000), "text/html", "json_ld_invalid: "),
        (page('{"@type": "Organization"}'), "text/html", "no_product"),
        (page('{"@type": "Product", "name": " "}'), "text/html", "no_title"),
        (page('{"@type": "Product", "name": "Bag"}'), "application/json", "not_html: content type application/json"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "text/html", "not_html: no HTML in its content"),
        (b"just words", "", "not_html: no HTML in its content"),
        (b"", "", "not_html: no HTML in its content"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(PageNotUnderstood) as caught:
        open_source("schema_org").read_item(Page(URL, body, content_type))
    assert caught.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("value", "price"),
    [
        (12, 12.0),
        ("1 234,50", 1234.5),
        ("1.234,50", 1234.5),
        ("12.5", 12.5),
        ("2,300", 2300.0),
        ("2'300.00", 2300.0),
        ("ask", None),
        (None, None),
        (True, None),
        (-1, None),
        (10**400, None),
        ("nan", None),
    ],
)
def test_prices_are_read_or_left_out_but_never_guessed(value: object, price: float | None) -> None:
    node = {"@type": "Product", "name": "Bag", "offers": {"price": value}}
    assert item(json.dumps(node)).price == price


@pytest.mark.parametrize(
    "inside",
    [
        '<script type="application/ld+json">{"@type": "ItemList", "itemListElement": [{"@type": "ListItem", '
        '"url": "/i/1"}, {"item": {"@id": "https://shop.example/i/2"}}, "https://elsewhere.example/ad"]}</script>',
        '<div itemscope itemtype="https://schema.org/Product"><a itemprop="url" href="/i/1">x</a></div>'
        '<div itemscope itemtype="http://schema.org/Product"><a href="/i/2#photos">x</a></div><a href="/about">y</a>',
        '<nav><a class="item" href="/about">y</a></nav><li class="product"><h3><a href="/i/1">x</a></h3></li>'
        '<a class="item-link" href="/i/2">x</a><a class="product" href="https://elsewhere.example/ad">x</a>',
    ],
)
def test_item_links_are_found_in_three_kinds_of_markup(inside: str) -> None:
    body = f'<html><head><link rel="next" href="?page=2"></head><body>{inside}</body></html>'.encode()
    found = parse_page("schema_org", body, "https://shop.example/search?q=a").search
    assert found.items == ("https://shop.example/i/1", "https://shop.example/i/2")
    assert found.next_url == "https://shop.example/search?page=2"


def test_a_page_that_announces_results_and_shows_none_says_so() -> None:
    body = page('{"@type": "ItemList", "numberOfItems": 12, "itemListElement": []}')
    with pytest.raises(PageNotUnderstood, match="announces 12 results"):
        open_source("schema_org").read_search(Page(URL, body))
    nothing = page('{"@type": "ItemList", "numberOfItems": 0}')
    assert open_source("schema_org").read_search(Page(URL, nothing)).items == ()


@given(st.binary(max_size=300), st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_parser(junk: bytes, text: str) -> None:
    for body in (
        junk,
        b"<html>" + junk,
        page(text),
        page(json.dumps({"@type": "Product", "name": text, "image": text})),
    ):
        parsed = parse_page("schema_org", body, URL)
        assert (parsed.item is None) == (parsed.refusal is not None)
        if parsed.item:
            parsed.item.title.encode()


@pytest.mark.skipif(not SHOPS.is_dir(), reason="the shared shop pages are not here")
def test_real_shop_pages_are_read_or_refused_with_a_reason() -> None:
    pages = sorted((SHOPS / "product-extraction-benchmark" / "html").glob("*.html.gz"))
    parsed = [parse_page("schema_org", gzip.decompress(path.read_bytes()), URL) for path in pages[:12]]
    assert sum(result.item is not None and bool(result.item.image_urls) for result in parsed) >= 4
    assert all(result.item or result.refusal for result in parsed)
