from __future__ import annotations

from pathlib import Path

import pytest

from lvbag.catalog import COLUMNS, CatalogError, load_catalog
from lvbag.settings import PROJECT_ROOT

HEAD = ",".join(COLUMNS) + "\n"


def test_a_row_becomes_a_product(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text(
        HEAD + "M41108,Speedy 30,Speedy,Monogram Canvas,30, speedy 30 | Speedy trente \n"
    )
    catalog = load_catalog(tmp_path)
    product = catalog.get("M41108")
    assert product is not None
    assert (product.line, product.aliases) == ("speedy", ("speedy 30", "Speedy trente"))
    assert catalog.get("M00000") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'style_code' is missing"),
        ("style_code,name\nM1,x\n", "column 'line' is missing"),
        (HEAD, "is empty: it lists no product"),
        (HEAD + "m41108,Speedy,speedy,,,\n", r"catalog\.csv:2: style_code 'm41108' must be a capital"),
        (HEAD + "M41108,,speedy,,,\n", r"catalog\.csv:2: name of M41108 is empty"),
        (HEAD + "M41108,a,b,,,\nM41109,a,b,,,\nM41108,a,b,,,\n", r"catalog\.csv:4: style code M41108 .* line 2"),
    ],
)
def test_a_wrong_catalog_is_refused_with_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "catalog.csv").write_text(text)
    with pytest.raises(CatalogError, match=message):
        load_catalog(tmp_path)


def test_a_missing_catalog_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="does not exist; it lists the products"):
        load_catalog(tmp_path)


def test_the_projects_own_catalog_loads() -> None:
    assert len(load_catalog(PROJECT_ROOT / "config").products) >= 20
