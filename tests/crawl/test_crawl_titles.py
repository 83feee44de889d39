"""Which product a title names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lvbag.catalog import Catalog, Product, load_catalog
from lvbag.crawl import match_title
from shared_data import SHARED_DATA

ROOT = Path(__file__).resolve().parents[2]
TITLES = SHARED_DATA / "titles" / "collectorsquare_louis_vuitton_dev.json"


@pytest.fixture(scope="module")
def real() -> Catalog:
    return load_catalog(ROOT / "config")


@pytest.mark.parametrize(
    ("title", "code", "confidence"),
    [
        ("LOUIS VUITTON M41108 Neverfull bag", "M41108", 1.0),
        ("sac louis vuitton m 41526 monogram", "M41108", 1.0),
        ("Louis Vuitton Speedy 30 handbag in brown Monogram canvas", "M41108", 0.9),
        ("LV Speedy 30 Damier Ébène", "N41364", 0.9),
        ("Louis Vuitton Speedy Bandoulière 30 Monogram", "M41112", 0.9),
        ("Louis Vuitton Neverfull medium model in azur damier canvas", "N51107", 0.9),
        ("Louis Vuitton Alma petit modèle Monogram", "M51130", 0.9),
        ("LOUIS VUITTON PETIT NOE MONOGRAM", "M42226", 0.9),
        ("Louis Vuitton Noé Monogram", "M42224", 0.9),
        ("Louis Vuitton Artsy MM hobo", "M40249", 0.7),
        ("Louis Vuitton Speedy 30 handbag", None, 0.0),
        ("Louis Vuitton Speedy handbag Monogram", None, 0.0),
        ("Louis Vuitton Speedy 30 empreinte Monogram", None, 0.0),
        ("Louis Vuitton Noe BB Monogram", None, 0.0),
        ("Louis Vuitton Speedy 30 Monogram and Artsy MM Monogram", None, 0.0),
        ("M41108 or N51105", None, 0.0),
        ("Louis Vuitton M99999 Speedy 30 Monogram", None, 0.0),
        ("Organizer insert for Neverfull MM Monogram", None, 0.0),
        ("Nike running shoes", None, 0.0),
        ("", None, 0.0),
    ],
)
def test_a_title_names_one_product_or_none(real: Catalog, title: str, code: str | None, confidence: float) -> None:
    match = match_title(real, title)
    assert (match.style_code, match.confidence) == (code, confidence), match
    assert match.reason


def test_a_colour_that_the_product_has_not_is_another_product() -> None:
    red = Product("M52147", "Alma PM", "alma", "Epi leather red", "PM", ("alma epi",))
    assert match_title(Catalog((red,)), "Louis Vuitton Alma PM red Epi").style_code == "M52147"
    assert match_title(Catalog((red,)), "Louis Vuitton Alma PM blue Epi").style_code is None


def test_a_code_of_letters_counts_only_in_capitals() -> None:
    tote = Product("TOTE", "Canvas shopper", "shopper", "", "", ())
    assert match_title(Catalog((tote,)), "TOTE by nobody").style_code == "TOTE"
    assert match_title(Catalog((tote,)), "a tote by nobody").style_code is None


def test_the_catalog_names_every_product_by_its_own_name(real: Catalog) -> None:
    for product in real.products:
        title = f"Louis Vuitton {product.name} {product.material}"
        assert match_title(real, title).style_code == product.style_code, title


@pytest.mark.skipif(not TITLES.is_file(), reason="the shared titles are not here")
def test_real_titles_name_the_line_that_the_shop_says(real: Catalog) -> None:
    lines = {product.line for product in real.products}
    rows = [row for row in json.loads(TITLES.read_text()) if row["collection"] in lines]
    named = [match_title(real, row["title"]) for row in rows]
    assert len(rows) >= 35
    assert [m.line for m in named] == [row["collection"] for row in rows]
    for row, match in zip(rows, named, strict=True):
        product = real.get(match.style_code) if match.style_code else None
        assert product is None or product.line == row["collection"], row["title"]
    assert sum(match.style_code is not None for match in named) >= 12
