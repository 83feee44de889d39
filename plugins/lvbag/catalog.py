"""The products that the classifier tells apart: `config/catalog.csv`.

Columns: `style_code,name,line,material,size,aliases`; aliases are search words separated by `|`. A style code is the
maker's own (such as `M41108`) and names the product everywhere: in queries, labels and folders.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from lvbag.errors import LvbagError

COLUMNS = ("style_code", "name", "line", "material", "size", "aliases")
_STYLE_CODE = re.compile(r"[A-Z][A-Z0-9]{2,15}")


class CatalogError(LvbagError):
    """The catalog is missing, empty, or a row of it is wrong."""


@dataclass(frozen=True)
class Product:
    """One product: `style_code` is its identity, `line` its family in lower case (such as `speedy`)."""

    style_code: str
    name: str
    line: str
    material: str
    size: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Catalog:
    """All products, in the file's order."""

    products: tuple[Product, ...]

    def get(self, style_code: str) -> Product | None:
        """The product of a style code, or None."""
        return next((product for product in self.products if product.style_code == style_code), None)


def load_catalog(config: Path) -> Catalog:
    """Read `catalog.csv` from the configuration folder; raises `CatalogError` with file, line and column."""
    path = config / "catalog.csv"
    if not path.is_file():
        raise CatalogError(f"{path} does not exist; it lists the products to crawl, one a line: {','.join(COLUMNS)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path} is not UTF-8: {error}") from None
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise CatalogError(f"{path}: column {missing[0]!r} is missing; the first line must be {','.join(COLUMNS)}")
    products = tuple(_product(row, f"{path}:{reader.line_num}") for row in reader)
    if not products:
        raise CatalogError(f"{path} is empty: it lists no product, so there is nothing to crawl; add at least one line")
    first: dict[str, int] = {}
    for number, product in enumerate(products, 2):
        if product.style_code in first:
            raise CatalogError(
                f"{path}:{number}: style code {product.style_code} stands already in line {first[product.style_code]}"
            )
        first[product.style_code] = number
    return Catalog(products)


def _product(row: dict[str, str | None], where: str) -> Product:
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if not _STYLE_CODE.fullmatch(values["style_code"]):
        raise CatalogError(
            f"{where}: style_code {values['style_code']!r} must be a capital letter and 2 to 15 capitals or digits"
        )
    for name in ("name", "line"):
        if not values[name]:
            raise CatalogError(f"{where}: {name} of {values['style_code']} is empty")
    return Product(
        style_code=values["style_code"],
        name=values["name"],
        line=values["line"].lower(),
        material=values["material"],
        size=values["size"],
        aliases=tuple(alias.strip() for alias in values["aliases"].split("|") if alias.strip()),
    )
