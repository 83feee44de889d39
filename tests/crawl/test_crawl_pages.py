"""What the schema.org source reads in item pages."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.sources import Listing, Page, PageNotUnderstood, Results
from lvbag.crawl.sources.json_ld import read_json_ld
from lvbag.crawl.sources.picture_urls import largest
from lvbag.crawl.sources.schema_org import SchemaOrgSource
from lvbag.source_settings import SchemaOrgSettings
from shared_data import SHARED_DATA

URL = "https://shop.example/item/7?x=1"
PAGES = Path(__file__).parent / "pages"
SHOPS = SHARED_DATA / "shops"
SOURCE = SchemaOrgSource(SchemaOrgSettings(search_url="https://shop.example/search?q={query}"))


def page(*blocks: str, head: str = "", body: str = "") -> bytes:
    scripts = "".join(f'<script type="application/ld+json">{block}</script>' for block in blocks)
    return f"<!doctype html><html><head>{head}{scripts}</head><body>{body}</body></html>".encode()


def item(*blocks: str, head: str = "", body: str = "", url: str = URL) -> Listing:
    return SOURCE.read_item(Page(url, page(*blocks, head=head, body=body)))


def product(**values: object) -> str:
    return json.dumps({"@type": "Product", "name": "Bag", **values})


def fixture(name: str, url: str) -> Listing:
    return SOURCE.read_item(Page(url, (PAGES / name).read_bytes()))


# ------------------------------------------------------------------ whole pages


def test_a_page_with_json_ld_is_read_through_graph_comments_references_and_broken_blocks() -> None:
    assert fixture("shop_json_ld.html", "https://www.atelier.example/sacs/alma-pm-4711?utm=1") == Listing(
        listing_id="4711",
        url="https://www.atelier.example/sacs/alma-pm-4711",
        title="Sac Alma PM en toile damier",
        price=1234.5,
        currency="EUR",
        seller="Atelier Seconde Vie",
        image_urls=(
            "https://www.atelier.example/photos/4711-1.jpg?w=1&h=2",
            "https://img.atelier.example/4711-2.jpg",
            "https://www.atelier.example/sacs/4711-3.webp",
            "https://www.atelier.example/sacs/large.jpg",
        ),
        brand="Louis Vuitton",
        gtin="9783161484100",
        condition="UsedCondition",
        availability="InStock",
    )


def test_a_page_with_microdata_is_read_as_people_see_it() -> None:
    assert fixture("shop_microdata.html", "https://zweitliebe.example/t/88") == Listing(
        listing_id="ZL-88",
        url="https://zweitliebe.example/t/88",
        title="Tasche „Noé“",
        price=1500.0,
        currency="EUR",
        seller="Anna & Co",
        image_urls=(
            "https://zweitliebe.example/bilder/88-gross.jpg",
            "https://zweitliebe.example/bilder/88-2,1600.jpg",
            "https://zweitliebe.example/bilder/88-3-2x.avif",
            "https://zweitliebe.example/bilder/88-4.jpg",
        ),
        brand="Zweite Hand",
        sku="ZL-88",
        gtin="96385074",
        condition="UsedCondition",
        availability="InStock",
    )


def test_a_page_with_open_graph_alone_is_read_from_wherever_its_meta_elements_stand() -> None:
    assert fixture("shop_open_graph.html", "https://bags.example/k") == Listing(
        listing_id="K45",
        url="https://bags.example/k",
        title="Keepall 45 travel bag",
        price=999.0,
        currency="USD",
        image_urls=("https://cdn.bags.example/k45.jpg", "https://bags.example/k45-back.jpg"),
        brand="Some Brand",
        sku="K45",
        gtin="036000291452",
        condition="new",
        availability="InStock",
    )


def test_a_page_that_was_saved_without_its_address_has_the_one_that_it_names() -> None:
    found = fixture("shop_json_ld.html", "https://shop.invalid/")
    assert found.url == "https://www.atelier.example/sacs/alma-pm-4711"
    assert found.image_urls[0].startswith("https://www.atelier.example/photos/")
    nameless = SOURCE.read_item(Page("saved.html", page(product(image="/a.jpg"))))
    assert nameless.image_urls == ("/a.jpg",)


# ------------------------------------------------------------------ JSON-LD


def test_a_product_is_read_with_offer_seller_and_absolute_images() -> None:
    found = item(
        product(
            name="Louis&nbsp;Vuitton  Speedy &amp; more\u0007",
            sku=4711,
            image=["/a.jpg", {"@type": "ImageObject", "contentUrl": "//cdn.example/b.png", "url": "x"}, "c.webp#top"],
            offers=[{"price": "1,234.50", "priceCurrency": "eur", "seller": {"name": "Anna"}}],
        )
    )
    assert (found.title, found.listing_id, found.seller) == ("Louis Vuitton Speedy & more", "4711", "Anna")
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
        '<!-- a comment --> {"@type": "Product", "name": "Bag"}',
        '//<![CDATA[\n{"@type": "Product", "name": "Bag"}\n//]]>',
        '{"@type": "Product", "name": "\n\tBag"}',
        '{"@type": "Product", "name": "Bag", "url": "http://a.example//x"}',
        '{"@type": "Product", "name": "B\\ag"};',
        '{"@type": "WebSite"}\n{"@type": "Product", "name": "Bag"}',
        "{&quot;@type&quot;: &quot;Product&quot;, &quot;name&quot;: &quot;Bag&quot;}",
        '{"@type": "schema:Product", "http://schema.org/name": [{"@value": "Bag"}]}',
        '\ufeff{"@type": "Offer", "itemOffered": {"@type": "Product", "name": "Bag"}}',
    ],
)
def test_json_ld_is_read_however_shops_write_it(block: str) -> None:
    assert item(block).title == "Bag"


def test_a_broken_block_does_not_hide_a_good_one_and_the_page_s_own_product_wins() -> None:
    other = '{"@type": "Product", "name": "Other", "url": "https://shop.example/item/8"}'
    own = '{"@type": "Product", "name": "Own", "url": "/item/7?x=1"}'
    assert item("{broken", other, own).title == "Own"


def test_without_addresses_the_product_of_the_page_s_title_wins() -> None:
    offers = {"price": 1}
    blocks = (product(name="Related", offers=offers), product(name="Speedy 30", offers=offers))
    assert item(*blocks, head="<title>Speedy 30 | the shop</title>").title == "Speedy 30"


def test_of_several_offers_the_cheapest_that_is_not_gone_counts() -> None:
    offers = [
        {"price": 30, "priceCurrency": "EUR", "availability": "https://schema.org/InStock"},
        {"price": 20, "priceCurrency": "EUR", "availability": "https://schema.org/InStock", "seller": "Anna"},
        {"price": 10, "priceCurrency": "EUR", "availability": "https://schema.org/OutOfStock"},
    ]
    found = item(product(offers=offers))
    assert (found.price, found.seller, found.availability) == (20.0, "Anna", "InStock")
    sold = item(product(offers=[offers[2]]))
    assert (sold.price, sold.availability) == (10.0, "OutOfStock")


def test_a_range_of_offers_counts_with_its_lower_end() -> None:
    found = item(
        product(offers={"@type": "AggregateOffer", "lowPrice": "502.20", "highPrice": 558, "priceCurrency": "BYN"})
    )
    assert (found.price, found.currency) == (502.2, "BYN")
    nested = {"@type": "AggregateOffer", "offers": [{"price": "7", "priceCurrency": "$"}, {"price": "CHF 5.–"}]}
    assert item(product(offers=nested)).price == 5.0


@pytest.mark.parametrize(
    ("value", "price"),
    [
        (12, 12.0),
        ("1 234,50", 1234.5),
        ("1.234,50", 1234.5),
        ("12.5", 12.5),
        ("2,300", 2300.0),
        ("2'300.00", 2300.0),
        ("CHF 2’300.–", 2300.0),
        ("ask", None),
        (None, None),
        (True, None),
        (-1, None),
        (10**400, None),
        ("nan", None),
    ],
)
def test_prices_are_read_or_left_out_but_never_guessed(value: object, price: float | None) -> None:
    assert item(product(offers={"price": value})).price == price


def test_a_price_in_words_brings_its_currency_and_a_shared_symbol_none() -> None:
    words = item(product(offers={"price": "CHF 2’300.–"}))
    assert (words.price, words.currency) == (2300.0, "CHF")
    assert item(product(offers={"price": "$20"})).currency is None
    assert item(product(offers={"price": "$20", "priceCurrency": "CAD"})).currency == "CAD"
    assert item(product(offers={"price": "20", "priceCurrency": "RUR"})).currency == "RUB"
    assert item(product(offers={"price": "20", "priceCurrency": "€"})).currency == "EUR"


@pytest.mark.parametrize(
    ("values", "gtin"),
    [
        ({"gtin13": "4005176518430"}, "4005176518430"),
        ({"gtin": 32429335302}, "032429335302"),
        ({"productID": "isbn:978-3-16-148410-0"}, "9783161484100"),
        ({"offers": {"gtin14": "10012345678902"}}, "10012345678902"),
        ({"gtin8": "n/a", "ean": "96385074"}, "96385074"),
        ({"gtin": "123"}, None),
        ({"gtin": "00000000"}, None),
    ],
)
def test_barcodes_are_read_wherever_shops_write_them(values: dict[str, object], gtin: str | None) -> None:
    assert item(product(**values)).gtin == gtin


def test_of_variants_the_one_of_the_page_counts_and_the_number_of_one_among_many_is_nobody_s() -> None:
    variants = [
        {"@type": "Product", "name": f"Bag {n}", "sku": f"S{n}", "url": f"/item/7?x={n}", "offers": {"price": 5 - n}}
        for n in (1, 2, 3)
    ]
    group = {"@type": "ProductGroup", "name": "Bag", "productGroupID": "G", "hasVariant": variants}
    found = item(json.dumps(group), url="https://shop.example/item/7?x=2")
    assert (found.listing_id, found.sku, found.price, found.title) == ("G", "S2", 3.0, "Bag")
    found = item(json.dumps(group), url="https://shop.example/item/7")
    assert (found.listing_id, found.sku, found.price) == ("G", None, 2.0)


# ------------------------------------------------------------------ the three kinds together


def test_the_gaps_of_json_ld_are_filled_by_microdata_and_open_graph_of_the_same_product() -> None:
    head = '<meta property="og:image" content="/og.jpg"><meta property="product:condition" content="used">'
    same = (
        '<div itemscope itemtype="https://schema.org/Product"><b itemprop="name">BAG</b><i itemprop="sku">S1</i>'
        '<b itemprop="offers" itemscope><i itemprop="price">€ 12,50</i></b></div>'
    )
    scope = '<div itemscope itemtype="https://schema.org/Product">'
    other = f'{scope}<b itemprop="name">Other</b><i itemprop="brand">X</i></div>'
    found = item(product(), head=head, body=other * 2)
    assert (found.sku, found.price, found.currency, found.brand) == (None, None, None, None)
    found = item(product(), head=head, body=other + same)
    assert (found.sku, found.price, found.currency, found.brand) == ("S1", 12.5, "EUR", None)
    assert (found.image_urls, found.condition) == (("https://shop.example/og.jpg",), "used")


def test_the_values_of_json_ld_win_and_a_price_keeps_its_own_currency() -> None:
    head = '<meta property="product:price:amount" content="9"><meta property="product:price:currency" content="USD">'
    found = item(product(offers={"price": 5, "priceCurrency": "EUR"}), head=head)
    assert (found.price, found.currency) == (5.0, "EUR")
    found = item(product(offers={"priceCurrency": "EUR"}), head=head)
    assert (found.price, found.currency) == (9.0, "USD")


def test_a_shop_that_only_knows_open_graph_is_read_but_not_its_articles_lists_and_front_page() -> None:
    head = '<meta property="og:title" content="Bag"><meta property="og:image" content="/a.jpg">'
    assert item(head=head).title == "Bag"
    lists = ('{"@type": "ItemList"}', '{"@type": "CollectionPage"}', '{"@type": "NewsArticle"}')
    for block in lists:
        with pytest.raises(PageNotUnderstood, match="no_product"):
            item(block, head=head)
    for more in (
        '<meta property="og:type" content="article">',
        '<meta property="og:url" content="https://shop.example/b">',
    ):
        with pytest.raises(PageNotUnderstood, match="no_product"):
            item(head=head + more)
    with pytest.raises(PageNotUnderstood, match="no_product"):
        item(head=head, url="https://shop.example/")


def test_microdata_of_old_vocabularies_references_and_circles_is_read() -> None:
    old = (
        '<div itemscope itemtype="http://data-vocabulary.org/Product" itemref="more">'
        '<a itemprop="name" href="/x">Bag</a><img itemprop="photo" src="/a.jpg">'
        '<div itemprop="offerDetails" itemscope itemtype="http://data-vocabulary.org/Offer">'
        '<meta itemprop="currency" content="USD"><input itemprop="price" value="12.00"></div></div>'
        '<div id="more"><h5 itemprop="brand"><span>All of:</span> <a href="/b">Some Brand</a></h5></div>'
    )
    found = item(body=old)
    assert (found.title, found.price, found.currency, found.brand) == ("Bag", 12.0, "USD", "Some Brand")
    assert found.image_urls == ("https://shop.example/a.jpg",)
    circle = (
        '<div id="a" itemscope itemprop="offers image hasVariant" itemref="a b"></div>'
        '<div id="b" itemscope itemprop="image offers" itemref="a b"></div>'
        '<div itemscope itemtype="https://schema.org/Product" itemref="a b"><b itemprop="name">Bag</b></div>'
    )
    assert item(body=circle).title == "Bag"


@pytest.mark.parametrize(
    ("srcset", "url"),
    [
        ("a.jpg 320w, b.jpg 1280w, c.jpg 640w", "b.jpg"),
        ("a.jpg, b.jpg 2x", "b.jpg"),
        ("w=1,h=2/a.jpg 1x,w=4,h=8/a.jpg 3x", "w=4,h=8/a.jpg"),
        ("data:image/gif;base64,AAAA 1w, b.jpg 2w", "b.jpg"),
        ("", None),
        (" , ,", None),
    ],
)
def test_of_a_srcset_the_largest_picture_is_taken(srcset: str, url: str | None) -> None:
    assert largest(srcset) == url


# ------------------------------------------------------------------ what cannot be read


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
        SOURCE.read_item(Page(URL, body, content_type))
    assert caught.value.reason.startswith(reason)


def test_the_header_s_charset_counts_and_a_wrong_one_is_no_obstacle() -> None:
    body = page(json.dumps({"@type": "Product", "name": "Noé ł"}, ensure_ascii=False))
    assert SOURCE.read_item(Page(URL, body, "text/html; charset=utf-8")).title == "Noé ł"
    assert SOURCE.read_item(Page(URL, body, "text/html; charset=ascii")).title == "Noé ł"
    latin = '<html><script type="application/ld+json">{"@type": "Product", "name": "Noé"}</script>'.encode("latin-1")
    assert SOURCE.read_item(Page(URL, latin, "text/html; charset=iso-8859-1")).title == "Noé"


def hostile() -> dict[str, bytes]:
    scope = '<div itemscope itemtype="https://schema.org/Product">'
    return {
        "nested scopes": page(body=scope * 200 + "<b itemprop=name>x</b>" * 5000),
        "scopes without properties": page(body="<div itemscope>" * 240 + "<p>text</p>" * 5000),
        "flat properties": page(body=scope + "<b itemprop=name>x</b>" * 15_000),
        "references": page(
            body="<p id=a>" + "<b itemprop=name>x</b>" * 500 + (scope[:-1] + " itemref='a a a'></div>") * 2000
        ),
        "comments": page("{" + "/*" * 200_000),
        "quotes": page('{"' + '\\"' * 200_000),
        "spaces": page("{" + " " * 500_000 + "x"),
        "offers": page(
            json.dumps(
                {
                    "@type": "ItemList",
                    "itemListElement": [
                        {"@type": "Product", "name": "x", "url": f"/{n}", "offers": {"@id": "#o"}} for n in range(2000)
                    ],
                }
            ),
            json.dumps({"@id": "#o", "offers": [{"price": n} for n in range(2000)]}),
        ),
        "a circle": page(
            '{"@graph": [{"@id": "a", "@type": "Product", "name": "x", "hasVariant": [{"@id": "a"}], '
            '"offers": {"@id": "b"}, "image": {"@id": "a"}}, '
            '{"@id": "b", "offers": [{"@id": "b"}, {"@id": "b"}], "image": {"@id": "b"}}]}'
        ),
        "a long price": page(product(offers={"price": "1" + ",1" * 100_000})),
        "a long number": page('{"@type": "Product", "name": "x", "offers": {"price": ' + "9" * 10_000 + "}}"),
        "odd addresses": page(
            product(image=["http://[::1", "//", "http://", "javascript:x", 5, None, [], {}], url="http://[")
        ),
        "control characters": page(
            body=scope + '<b itemprop="name">a\x07b\x0c</b><i itemprop="brand">\ufffe</i></div>'
        ),
    }


@pytest.mark.parametrize("name", sorted(hostile()))
def test_hostile_pages_end_in_bounded_work_and_raise_nothing_else(name: str) -> None:
    for read in (SOURCE.read_item, SOURCE.read_results):
        try:
            read(Page(URL, hostile()[name]))
        except PageNotUnderstood as error:
            assert error.reason


TAGS = st.sampled_from(
    """
    <div itemscope itemtype='http://schema.org/Product'>
    <b itemprop='name offers price image url brand'>
    </b>
    </div>
    <div itemprop=offers itemscope>
    <img itemprop=image srcset='a 1x, b'>
    <a href='/x'>
    text €5
    <meta property='og:image' content='x'>
    <meta property='product:price:amount' content='1.2.3'>
    <script type='application/ld+json'>
    {"@type":"Product","name":
    "x"
    [
    ]
    }
    {
    </script>
    <html>
    """.splitlines()
)


def assert_sound(found: Listing | Results) -> None:
    """Whatever was read, a table can hold it."""
    for listing in [found] if isinstance(found, Listing) else found.listings:
        assert listing.title.strip()
        assert listing.price is None or 0 <= listing.price < math.inf
        assert listing.currency is None or len(listing.currency) == 3
        assert all(url.startswith(("http://", "https://")) for url in listing.image_urls)
    repr(found).encode()


@given(st.binary(max_size=300), st.text(max_size=200), st.lists(TAGS, max_size=30))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_parser(junk: bytes, text: str, tags: list[str]) -> None:
    bodies = (
        junk,
        b"<html>" + junk,
        page(text),
        page(json.dumps({"@type": "Product", "name": text, "image": text, "offers": {"price": text}, "gtin": text})),
        page(body="".join(tags)),
        ("<html>" + "".join(tags)).encode(),
    )
    for body in bodies:
        for read in (SOURCE.read_item, SOURCE.read_results):
            try:
                found = read(Page(URL, body))
            except PageNotUnderstood:
                continue
            assert_sound(found)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["@id", "@type", "@value", "name", "url", "image", "offers", "price", "hasVariant", "brand", "item"]
            )
            | st.sampled_from(
                ["itemListElement", "priceSpecification", "seller", "gtin", "contentUrl", "numberOfItems"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.sampled_from(["Product", "ItemList", "ProductGroup", "Offer"]))
@settings(max_examples=200, deadline=None)
def test_no_json_breaks_the_reader(value: object, kind: str) -> None:
    node = (
        value if isinstance(value, dict) else {"name": value, "offers": value, "itemListElement": value, "image": value}
    )
    body = page(json.dumps({**node, "@type": kind}))
    for read in (SOURCE.read_item, SOURCE.read_results):
        try:
            found = read(Page(URL, body))
        except PageNotUnderstood:
            continue
        assert_sound(found)


def test_what_is_wrong_with_a_block_is_said_and_nodes_are_found_by_their_names() -> None:
    data = read_json_ld(["{", '{"@graph": [{"@id": "x", "name": "X"}, {"@id": "x"}]}', "   "])
    assert len(data.errors) == 1
    assert data.ids["x"]["name"] == "X"


# ------------------------------------------------------------------ real pages


def number(value: str) -> float:
    """A price of the ground truth: `23.450` groups, `19.50` does not."""
    whole, dot, part = value.strip().rpartition(".")
    return float(whole + part) if dot and len(part) == 3 else float(value)


@pytest.mark.skipif(not SHOPS.is_dir(), reason="the shared shop pages are not here")
def test_real_shop_pages_yield_what_their_structured_data_carry() -> None:
    folder = SHOPS / "product-extraction-benchmark"
    truth = json.loads((folder / "ground-truth.json").read_text())
    found, carried = 0, 0
    for path in sorted((folder / "html").glob("*.html.gz")):
        expected, body = truth[path.name.split(".")[0]], gzip.decompress(path.read_bytes())
        try:
            read = SOURCE.read_item(Page(expected["url"], body))
        except PageNotUnderstood as error:
            assert error.reason
            continue
        pairs = [("sku", {read.sku, read.listing_id}), ("gtin", {read.gtin}), ("availability", {read.availability})]
        for name, values in pairs:
            # only what the page's own data say can be found: where they are silent, there is nothing to compare
            if name in expected and any(values):
                carried += 1
                found += bool(values & set(expected[name]))
        if "price" in expected and read.price is not None:
            carried += 1
            found += read.price == number(expected["price"][0])
        assert read.title
    assert carried > 50
    assert found >= 0.8 * carried


@pytest.mark.skipif(not SHOPS.is_dir(), reason="the shared shop pages are not here")
def test_odd_real_pages_are_read_or_refused_with_a_reason() -> None:
    for path in sorted([*(SHOPS / "misc").glob("*.html"), *(SHOPS / "custom.invalid").glob("*.html")]):
        try:
            assert SOURCE.read_item(Page(URL, path.read_bytes())).title
        except PageNotUnderstood as error:
            assert error.reason == "no_product"
