"""The catalog: rows, identities, what is refused, and what its check finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lvbag.catalog import COLUMNS, Catalog, CatalogError, Product, identity, load_catalog
from lvbag.commands.catalog import catalog_app
from lvbag.crawl.catalog_check import check_catalog
from lvbag.settings import PROJECT_ROOT

HEAD = ",".join(COLUMNS) + "\n"


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load_catalog(PROJECT_ROOT / "config")


def read(folder: Path, rows: str) -> Catalog:
    (folder / "catalog.csv").write_text(HEAD + rows, encoding="utf-8")
    return load_catalog(folder)


def test_a_row_becomes_a_product(tmp_path: Path) -> None:
    catalog = read(tmp_path, "M41108,Speedy 30,Speedy,Monogram Canvas,30, speedy 30 | Speedy trente \n")
    product = catalog.get("M41108")
    assert product is not None
    assert (product.line, product.aliases, product.official) == ("speedy", ("speedy 30", "Speedy trente"), True)
    assert catalog.get("M00000") is None


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (",Speedy 30,speedy,Epi,30,", "speedy-30-epi"),
        (",Noé,noe,Damier Ebène,,", "noe-damier-ebene"),
        (",Sac à Dos,sac,,GM,", "sac-a-dos-gm"),  # the name does not say the size
        ("speedy-30-epi,Speedy 30,speedy,Epi,30,", "speedy-30-epi"),  # as the demo writes a catalog back
    ],
)
def test_a_product_without_a_code_is_named_by_what_it_is(tmp_path: Path, row: str, named: str) -> None:
    (product,) = read(tmp_path, row + "\n").products
    assert (product.style_code, product.official) == (named, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'style_code' is missing"),
        ("style_code,name\nM1,x\n", "column 'line' is missing"),
        (HEAD, "is empty: it lists no product"),
        (HEAD + "m41108,Speedy,speedy,,,\n", r"catalog\.csv:2: style_code 'm41108' must be a capital"),
        (HEAD + "speedy-35,Speedy 30,speedy,,30,\n", r"catalog\.csv:2: style_code 'speedy-35' must be"),
        (HEAD + "M41108,,speedy,,,\n", r"catalog\.csv:2: name of M41108 is empty"),
        (HEAD + ",,speedy,,,\n", r"catalog\.csv:2: name of this row is empty"),
        (HEAD + ",Speedy,,,,\n", r"catalog\.csv:2: line of Speedy is empty"),
        (HEAD + ",!!!,speedy,,,\n", r"catalog\.csv:2: name '!!!' has no letter"),
        (HEAD + "M41108,a,b,,,\nM41109,a,b,,,\nM41108,a,b,,,\n", r"catalog\.csv:4: style code M41108 .* line 2"),
        (HEAD + ",Noé,noe,Epi,,\n\n,NOE,noe,Epi,,\n", r"catalog\.csv:4: the product noe-epi .* line 2"),
    ],
)
def test_a_wrong_catalog_is_refused_with_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "catalog.csv").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=message):
        load_catalog(tmp_path)


def test_a_missing_catalog_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="does not exist; it lists the products"):
        load_catalog(tmp_path)


@pytest.mark.parametrize(
    ("code", "aliases", "words"),
    [
        ("M41108", ("speedy 30 monogram", "M41526"), ("M41108", "speedy 30 monogram", "M41526")),
        ("speedy-30-monogram", ("Speedy 30 monogram", "mini"), ("Speedy 30 Monogram", "mini")),
        ("speedy-30-monogram", ("a", "b", "A"), ("Speedy 30 Monogram", "a", "b")),
    ],
)
def test_a_product_is_searched_by_its_code_or_else_by_its_name(
    code: str, aliases: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert Product(code, "Speedy 30", "speedy", "Monogram", "30", aliases).search_words == words


def test_equal_catalogs_are_one_key_and_others_are_not(shipped: Catalog) -> None:
    again = load_catalog(PROJECT_ROOT / "config")
    assert {shipped: 1}[again] == 1
    assert again != Catalog(shipped.products[1:])


# ------------------------------------------------------------------ the shipped catalog


def test_the_shipped_catalog_has_nothing_to_mend(shipped: Catalog) -> None:
    assert check_catalog(shipped) == ()


def test_the_shipped_catalog_is_broad(shipped: Catalog) -> None:
    assert len(shipped.products) >= 424
    told = {(product.name, product.material, product.size) for product in shipped.products}
    assert len(told) == len(shipped.products)
    assert len({product.line for product in shipped.products}) >= 200
    assert sum(product.official for product in shipped.products) >= 150


def test_codes_of_the_shipped_catalog_are_such_as_the_maker_writes(shipped: Catalog) -> None:
    for product in shipped.products:
        if product.official:
            assert product.style_code[0] in "MN" and product.style_code[1:].isdigit(), product
            # canvases with squares have an N, others an M
            assert (product.style_code[0] == "N") == product.material.startswith("Damier"), product
        else:
            assert product.style_code == identity(product.name, product.material, product.size)


# ------------------------------------------------------------------ the check


def product(code: str, name: str, line: str = "speedy", size: str = "", aliases: tuple[str, ...] = ()) -> Product:
    return Product(code, name, line, "Monogram", size, aliases)


def rules(*products: Product) -> list[tuple[str, str]]:
    return [(finding.style_code, finding.rule) for finding in check_catalog(Catalog(products))]


def test_twins_are_found() -> None:
    found = rules(product("M41108", "Speedy 30", size="30"), product("M41526", "SPEEDY 30", size="30"))
    assert ("M41526", "twin") in found


def test_an_alias_of_two_products_is_found() -> None:
    one = product("M41108", "Speedy 30", size="30", aliases=("hand purse",))
    other = product("M41107", "Speedy 35", size="35", aliases=("Hand Purse",))
    assert ("M41107", "alias_twice") in rules(one, other)


def test_an_alias_that_is_another_products_code_is_found() -> None:
    one = product("M41108", "Speedy 30", size="30", aliases=("m41107",))
    assert rules(one, product("M41107", "Speedy 35", size="35")) == [("M41108", "alias_twice")]


def test_an_alias_that_always_leads_elsewhere_is_found() -> None:
    one = product("M42224", "Noé", "noe", aliases=("petit noe monogram",))
    finding, other = check_catalog(Catalog((one, product("M42226", "Petit Noé", "noe"))))
    assert (finding.style_code, finding.rule) == ("M42224", "alias_shadowed")
    assert "'petit noe monogram'" in finding.finding
    assert (other.style_code, other.rule) == ("M42226", "not_found")  # whose own title the alias makes unclear
    assert finding.remedy


def test_an_alias_may_leave_out_the_size() -> None:
    assert rules(product("M41108", "Speedy 30", size="30", aliases=("speedy monogram",))) == []


def test_a_product_that_its_own_title_does_not_find_is_found() -> None:
    assert rules(product("X1234", "Speedy key ring"), product("M41108", "Speedy 30")) == [("X1234", "not_found")]


# ------------------------------------------------------------------ the command

app = typer.Typer()
app.add_typer(catalog_app, name="catalog")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(tmp_path))
    return tmp_path


def test_the_check_prints_a_finding_a_line_and_fails(config: Path) -> None:
    read(config, "M41108,Speedy 30,speedy,Monogram,30,m41107\nM41107,Speedy 35,speedy,Monogram,35,\n")
    shown = CliRunner().invoke(app, ["catalog", "check"])
    assert shown.exit_code == 1
    assert shown.output.startswith("M41108: alias_twice: alias 'm41107' is the identity of M41107 -> delete")
    row = json.loads(CliRunner().invoke(app, ["catalog", "check", "--json"]).output)
    assert set(row) == {"style_code", "rule", "finding", "remedy"}


def test_the_check_of_a_sound_catalog_says_so(config: Path) -> None:
    read(config, "M41108,Speedy 30,speedy,Monogram,30,\n,Speedy 35,speedy,Epi,35,\n")
    shown = CliRunner().invoke(app, ["catalog", "check"])
    assert (shown.exit_code, shown.output) == (0, "2 products, 1 of them with a style code: nothing to mend\n")
    assert CliRunner().invoke(app, ["catalog", "check", "--json"]).output == ""
