"""Sitemaps as sources of item pages."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.sources import NOT_UNDERSTOOD, Page, PageNotUnderstood, Query, Results
from lvbag.crawl.sources.schema_org import SchemaOrgSource
from lvbag.crawl.sources.sitemaps import MAX_BYTES, since_of, with_since
from lvbag.errors import LvbagError
from lvbag.source_settings import SchemaOrgSettings

PAGES = Path(__file__).parent / "pages"
MAP = "https://bags.example/sitemap.xml"
SINCE = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
SOURCE = SchemaOrgSource(SchemaOrgSettings(sitemap_url=MAP, sitemap_pattern="/p/"))


def read(body: bytes, url: str = MAP, source: SchemaOrgSource = SOURCE, kind: str = "application/xml") -> Results:
    return source.read_results(Page(url, body, kind))


def urlset(*addresses: str) -> bytes:
    return ("<urlset>" + "".join(f"<url><loc>{a}</loc></url>" for a in addresses) + "</urlset>").encode()


def test_a_source_with_a_sitemap_and_no_search_is_read_whole() -> None:
    assert SOURCE.whole
    assert SOURCE.first_url(Query("")) == MAP
    assert SOURCE.first_url(Query("", SINCE)) == f"{MAP}#since=2026-11-20T00:00:00+00:00"
    search = SchemaOrgSource(SchemaOrgSettings(search_url="https://bags.example/?q={query}"))
    assert not search.whole
    assert search.first_url(Query("x")) == "https://bags.example/?q=x"


def test_the_time_since_which_changes_are_wanted_travels_in_the_fragment() -> None:
    assert since_of(with_since(MAP, SINCE)) == SINCE
    assert since_of(with_since(MAP, dt.datetime(2026, 1, 1))) == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # noqa: DTZ001
    assert (since_of(MAP), since_of(MAP + "#since=soon"), since_of(MAP + "#x")) == (None, None, None)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda body: gzip.compress(gzip.compress(body))])
def test_item_pages_are_those_of_the_shop_with_the_pattern_that_changed_since(pack) -> None:
    body = pack((PAGES / "shop_sitemap.xml").read_bytes())
    items = (
        "https://www.bags.example/p/1?a=1&b=2",
        "https://bags.example/p/2",
        "https://bags.example/p/3",
        "https://bags.example/p/4",
    )
    assert read(body) == Results(links=items, dropped={"other_page": 1, "other_shop": 1, NOT_UNDERSTOOD: 1})
    changed = read(body, with_since(MAP, SINCE))
    assert changed.links == (items[0], *items[2:])
    assert changed.dropped["older"] == 1


def test_the_sitemaps_of_an_index_are_further_pages_those_of_products_first() -> None:
    body = (PAGES / "shop_sitemap_index.xml").read_bytes()
    found = read(body)
    assert found.links == ()
    assert found.more == (
        "https://bags.example/sitemap-products-1.xml.gz",
        "https://bags.example/sitemap-products-0.xml.gz",
        "https://bags.example/sitemap-pages.xml",
    )
    later = read(body, with_since(MAP, SINCE))
    assert later.more == (
        "https://bags.example/sitemap-products-1.xml.gz#since=2026-11-20T00:00:00+00:00",
        "https://bags.example/sitemap-pages.xml#since=2026-11-20T00:00:00+00:00",
    )
    assert since_of(later.more[0]) == SINCE


def test_a_plain_list_of_addresses_is_a_sitemap_too() -> None:
    body = b"https://bags.example/p/1\r\nhttps://bags.example/about\n\nhttps://bags.example/p/2\n"
    assert read(body, kind="text/plain").links == ("https://bags.example/p/1", "https://bags.example/p/2")


def test_a_sitemap_with_junk_at_its_end_is_read_up_to_there() -> None:
    assert read(urlset("https://bags.example/p/1")[:-9] + b"<url><loc>https").links == ("https://bags.example/p/1",)


def test_entities_are_never_expanded() -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;">'
        b'<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>https://bags.example/p/&b;&f;</loc></url></urlset>'
    )
    bodies = (bomb, gzip.compress(bomb), bomb.replace(b"<!DOCTYPE", b"<!doctype"))
    for body in bodies:
        with pytest.raises(PageNotUnderstood, match="sitemap_doctype"):
            read(body)


def test_a_gzip_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(PageNotUnderstood, match="sitemap_too_large: unpacks to more than"):
        read(gzip.compress(b" " * (MAX_BYTES + 2)))
    with pytest.raises(PageNotUnderstood, match="sitemap_broken"):
        read(b"\x1f\x8b" + b"junk" * 10)
    with pytest.raises(PageNotUnderstood, match="sitemap_too_large: gzipped again"):
        read(gzip.compress(gzip.compress(gzip.compress(b"x"))))


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(LvbagError, match=r"sitemap_pattern.*\(p"):
        SchemaOrgSource(SchemaOrgSettings.model_construct(sitemap_url=MAP, search_url="", sitemap_pattern="(p"))


def test_a_page_that_only_talks_of_sitemaps_is_none() -> None:
    page = b"<!doctype html><html><body><pre>&lt;urlset&gt;</pre><code><urlset></code></body></html>"
    assert read(page, kind="text/html") == Results()


@given(st.binary(max_size=200), st.text(max_size=60), st.sampled_from(["loc", "lastmod", "url", "x"]))
@settings(max_examples=150, deadline=None)
def test_no_sitemap_breaks_the_reader(junk: bytes, text: str, name: str) -> None:
    inside = f"<url><{name}>{text}</{name}><loc>https://bags.example/p/1</loc></url>".encode()
    for body in (b"<urlset>" + junk, b"<urlset>" + inside + junk + b"</urlset>", b"<sitemapindex>" + inside):
        try:
            found = read(body)
        except PageNotUnderstood:
            continue
        assert all(link.startswith("https://bags.example/") for link in (*found.links, *found.more))
