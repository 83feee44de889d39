"""Which product and line a title names."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.catalog import Catalog, Product, load_catalog
from lvbag.crawl import match_title
from shared_data import SHARED_DATA

ROOT = Path(__file__).resolve().parents[2]
SHOP_TITLES = SHARED_DATA / "titles" / "collectorsquare_louis_vuitton_dev.json"
OWN_TITLES = json.loads((Path(__file__).parent / "pages" / "titles.json").read_text(encoding="utf-8"))
REAL = load_catalog(ROOT / "config")


@pytest.mark.parametrize("row", OWN_TITLES, ids=lambda row: row["title"][:60])
def test_an_invented_listing_of_some_shop_goes_where_it_belongs(row: dict[str, str | None]) -> None:
    match = match_title(REAL, row["title"] or "")
    assert (match.line, match.style_code) == (row["line"], row["product"]), match.reason


def test_the_invented_listings_are_of_many_kinds() -> None:
    assert len(OWN_TITLES) >= 150
    assert sum(row["product"] is None for row in OWN_TITLES) >= 40
    assert sum(not row["title"].isascii() for row in OWN_TITLES) >= 30


@pytest.mark.parametrize(
    ("title", "code", "confidence", "reason"),
    [
        ("LOUIS VUITTON M41108 Neverfull bag", "M41108", 1.0, "style_code: M41108"),
        ("Louis Vuitton Speedy 30 Monogram", "M41108", 0.9, "name_size_material: 30 monogram"),
        ("Louis Vuitton Trevi PM tote", "N51997", 0.7, "name: pm"),
        ("Louis Vuitton M41108 N51105", None, 0.0, "two_style_codes: M41108, N51105"),
        ("Louis Vuitton Speedy 30", None, 0.0, "several: 8 products fit: M41108, N41364, N41370, speedy-30-epi, …"),
        ("Louis Vuitton Speedy 30 Suhali", None, 0.0, "another_product: M41108 is not suhali"),
        ("Louis Vuitton Speedy bag", None, 0.0, "line_only: speedy; name, size and material fit no product of it"),
        ("Louis Vuitton Priscilla", None, 0.0, "line_only: priscilla; the catalog has no product of it"),
        ("Louis Vuitton Alma and Artsy", None, 0.0, "two_lines: alma, artsy"),
        ("Louis Vuitton handbag", None, 0.0, "nothing: no line is named"),
        ("Gucci handbag", None, 0.0, "another_brand: gucci"),
        ("Organizer for Speedy 30 Monogram", None, 0.0, "accessory: organizer"),
        ("Louis Vuitton Speedy 30 Monogram replica", None, 0.0, "imitation: the title says replica"),
        ("Louis Vuitton Sarah Monogram", None, 0.0, "accessory: sarah is a line of small things"),
    ],
)
def test_every_answer_says_why(title: str, code: str | None, confidence: float, reason: str) -> None:
    match = match_title(REAL, title)
    assert (match.style_code, match.confidence, match.reason) == (code, confidence, reason)


def test_the_brand_of_a_listing_counts_where_the_title_names_none() -> None:
    title = "Speedy 30 Monogram"
    assert match_title(REAL, title, "Louis Vuitton").style_code == "M41108"
    assert match_title(REAL, title, "Unbranded").style_code == "M41108"
    assert match_title(REAL, title, "Gucci").reason == "another_brand: gucci"


def test_a_style_code_does_not_make_a_bag_of_what_is_made_for_it() -> None:
    assert match_title(REAL, "Base shaper fits Louis Vuitton Speedy 30 M41108").style_code is None
    assert match_title(REAL, "Louis Vuitton M41108 handbag not wallet").style_code == "M41108"


def test_an_unknown_code_speaks_against_products_whose_code_is_known() -> None:
    match = match_title(REAL, "Louis Vuitton M99999 Speedy 30 Monogram")
    assert (match.style_code, match.line) == (None, "speedy")
    assert match.reason == "another_product: M41108 is not M99999; style code M99999 is not in the catalog"
    assert match_title(REAL, "Louis Vuitton M99999 Speedy 30 Epi").style_code == "speedy-30-epi"
    assert match_title(REAL, "Louis Vuitton M99999 Soufflot MM").style_code is None  # no material, so not in full


def test_a_colour_that_the_product_has_not_is_another_product() -> None:
    red = Product("M52147", "Alma PM", "alma", "Epi leather red", "PM", ("alma epi",))
    assert match_title(Catalog((red,)), "Louis Vuitton Alma PM red Epi").style_code == "M52147"
    assert match_title(Catalog((red,)), "Louis Vuitton Alma PM blue Epi").style_code is None
    assert match_title(Catalog((red,)), "Louis Vuitton Alma PM Epi").style_code == "M52147"


def test_a_code_of_letters_counts_only_in_capitals() -> None:
    tote = Product("TOTE", "Canvas shopper", "shopper", "", "", ())
    assert match_title(Catalog((tote,)), "TOTE by nobody").style_code == "TOTE"
    assert match_title(Catalog((tote,)), "a tote by nobody").style_code is None


def test_a_catalog_may_have_lines_and_aliases_that_nobody_knows() -> None:
    own = Product("own-thing", "Zanzibar Tote", "zanzibar", "Monogram", "", ("market carrier",))
    catalog = Catalog((own,))
    assert match_title(catalog, "Louis Vuitton Zanzibar tote in monogram canvas").line == "zanzibar"
    assert match_title(catalog, "Louis Vuitton Zanzibar tote in monogram canvas").style_code == "own-thing"
    assert match_title(catalog, "Louis Vuitton Market Carrier").confidence == 0.7
    assert match_title(catalog, "Louis Vuitton carrier").style_code is None


def test_only_the_beginning_of_an_endless_title_is_read() -> None:
    assert match_title(REAL, "Louis Vuitton Speedy 30 Monogram " + "Gucci Alma key " * 100_000).line != "alma"


def test_the_catalog_names_every_product_by_its_own_name() -> None:
    for product in REAL.products:
        for title in (
            f"Louis Vuitton {product.name} {product.material}",
            f"LOUIS VUITTON {product.material} {product.name}".upper(),
            f"louis vuitton {unicodedata.normalize('NFD', product.name)} {product.material}".lower(),
        ):
            assert match_title(REAL, title).style_code == product.style_code, title


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=120) | st.lists(st.sampled_from([r["title"] for r in OWN_TITLES]), max_size=4).map(" ".join))
def test_any_text_gets_an_answer(title: str) -> None:
    match = match_title(REAL, title)
    assert (match.style_code is None) == (match.confidence == 0.0)
    assert re.match(r"[a-z_]+: \S", match.reason)
    assert match.style_code is None or REAL.get(match.style_code) is not None


_SAID = "speedy keepall neverfull alma monogram epi damier ebene azur 25 30 mm pm bandouliere with and for red bag"
WORDS = st.sampled_from(tuple(_SAID.split(" ")))


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, max_size=9))
def test_case_accents_and_width_make_no_difference(words: list[str]) -> None:
    title = " ".join(["louis vuitton", *words])
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in title)
    accented = title.replace("e", "e\u0301")
    assert match_title(REAL, title) == match_title(REAL, wide) == match_title(REAL, accented)


# ------------------------------------------------------------------ the shop of the shared titles


def normal(text: str | None) -> str:
    return re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKD", (text or "").lower()))


# the shop calls the same titles "trunk" and "soft trunk", and the same series a model or an edition
EITHER = {("softtrunk", "trunk"), ("speedy", "editionslimitees"), ("keepall", "editionslimitees")}


@pytest.mark.skipif(not SHOP_TITLES.is_file(), reason="the shared titles are not here")
def test_real_titles_name_the_line_that_the_shop_says() -> None:
    rows = json.loads(SHOP_TITLES.read_text(encoding="utf-8"))
    named = [(normal(match_title(REAL, row["title"]).line), normal(row["collection"])) for row in rows]
    right = sum(line == said or (line, said) in EITHER for line, said in named)
    wrong = [(line, said) for line, said in named if line and line != said and (line, said) not in EITHER]
    assert wrong == []
    assert right >= 0.95 * len(rows)


@pytest.mark.skipif(not SHOP_TITLES.is_file(), reason="the shared titles are not here")
def test_real_titles_go_to_products_of_their_own_line() -> None:
    rows = json.loads(SHOP_TITLES.read_text(encoding="utf-8"))
    found = [(row, match) for row in rows if (match := match_title(REAL, row["title"])).style_code]
    assert len(found) >= 35
    for row, match in found:
        line, said = normal(match.line), normal(row["collection"])
        assert line == said or (line, said) in EITHER, row["title"]
