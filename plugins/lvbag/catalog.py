"""The products that the classifier tells apart: `config/catalog.csv`.

Columns: `style_code,name,line,material,size,aliases`; aliases are search words separated by `|`. A style code is the
maker's own (such as `M41108`), and names the product everywhere: in labels, plans and folders. Where it is not known
the cell is empty and the product is named by a slug of its name, size and material (`speedy-30-epi`).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lvbag.errors import LvbagError

COLUMNS = ("style_code", "name", "line", "material", "size", "aliases")
_ACCENTS = re.compile("[\u0300-\u036f]")
_LETTERS = re.compile(r"[^\W_]+")
_STYLE_CODE = re.compile(r"[A-Z][A-Z0-9]{2,15}")


class CatalogError(LvbagError):
    """The catalog is missing, empty, or a row of it is wrong."""


@dataclass(frozen=True)
class Product:
    """One product: `style_code` is its identity, `line` its family in lower case (such as `speedy`)."""

    style_code: str  # the maker's code, or a slug where it is not known
    name: str
    line: str
    material: str
    size: str
    aliases: tuple[str, ...]

    @property
    def official(self) -> bool:
        """Whether the identity is a style code of the maker."""
        return _STYLE_CODE.fullmatch(self.style_code) is not None

    @property
    def search_words(self) -> tuple[str, ...]:
        """What to search for: the maker's code, or else name and material; then the aliases."""
        first = self.style_code if self.official else f"{self.name} {self.material}".strip()
        found: dict[str, str] = {}
        for words in (first, *self.aliases):
            found.setdefault(slug(words), words)
        return tuple(found.values())


@dataclass(frozen=True)
class Catalog:
    """All products, in the file's order."""

    products: tuple[Product, ...]

    def __hash__(self) -> int:
        """Of the identities only: what is found out about a catalog is remembered by it, a thousand times a second."""
        return hash(tuple(self._by_identity))

    def get(self, style_code: str) -> Product | None:
        """The product of an identity, or None."""
        return self._by_identity.get(style_code)

    @cached_property
    def _by_identity(self) -> dict[str, Product]:
        return {product.style_code: product for product in self.products}


def load_catalog(config: Path) -> Catalog:
    """Read `catalog.csv` from the configuration folder; raises `CatalogError` with file, line and column."""
    path = config / "catalog.csv"
    if not path.is_file():
        raise CatalogError(f"{path} does not exist; it lists the products to crawl, one a line: {','.join(COLUMNS)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path} is not UTF-8: {error}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise CatalogError(f"{path}: column {missing[0]!r} is missing; the first line must be {','.join(COLUMNS)}")
    products: dict[str, Product] = {}
    lines: dict[str, int] = {}
    for row in reader:
        product = _product(row, f"{path}:{reader.line_num}")
        code = product.style_code
        if code in products:
            kind = "style code" if product.official else "the product"
            raise CatalogError(f"{path}:{reader.line_num}: {kind} {code} stands already in line {lines[code]}")
        products[code], lines[code] = product, reader.line_num
    if not products:
        raise CatalogError(f"{path} is empty: it lists no product, so there is nothing to crawl; add at least one line")
    return Catalog(tuple(products.values()))


def identity(name: str, material: str, size: str) -> str:
    """What names a product whose style code is not known; the size counts where the name does not say it."""
    said = f"-{slug(name)}-"
    return slug(f"{name} {'' if f'-{slug(size)}-' in said else size} {material}")


def slug(text: str) -> str:
    """Lower case, without accents, words joined by dashes."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    return "-".join(_LETTERS.findall(unicodedata.normalize("NFC", _ACCENTS.sub("", parts))))


def _product(row: dict[str, str | None], where: str) -> Product:
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    named = values["style_code"] or values["name"] or "this row"
    for name in ("name", "line"):
        if not values[name]:
            raise CatalogError(f"{where}: {name} of {named} is empty")
    own = identity(values["name"], values["material"], values["size"])
    if values["style_code"] not in ("", own) and not _STYLE_CODE.fullmatch(values["style_code"]):
        raise CatalogError(
            f"{where}: style_code {values['style_code']!r} must be a capital letter and 2 to 15 capitals or digits, "
            "or empty where the maker's code is not known"
        )
    if not own:
        raise CatalogError(f"{where}: name {values['name']!r} has no letter")
    return Product(
        style_code=values["style_code"] or own,
        name=values["name"],
        line=values["line"].lower(),
        material=values["material"],
        size=values["size"],
        aliases=tuple(alias.strip() for alias in values["aliases"].split("|") if alias.strip()),
    )
