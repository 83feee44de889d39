"""What is wrong with a catalog that its reader cannot see row by row: twins, and names that lead to another product.

The titles' matcher itself is asked, so that a finding is what would happen to a listing. What makes a catalog
unreadable (a broken row, an identity twice) is a `CatalogError` of `load_catalog` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lvbag.catalog import Catalog, Product, slug
from lvbag.crawl.titles import Match, match_title
from lvbag.crawl.titles.codes import is_code

_BRAND = "Louis Vuitton"


@dataclass(frozen=True)
class Finding:
    """One thing to mend: `rule` names its kind, `remedy` says what to do."""

    style_code: str  # of the product whose row to change
    rule: str
    finding: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.style_code}: {self.rule}: {self.finding} -> {self.remedy}"


def check_catalog(catalog: Catalog) -> tuple[Finding, ...]:
    """Everything to mend, in the catalog's order of rows within each kind."""
    shared = tuple(_shared_aliases(catalog))
    told = {(finding.style_code, finding.rule) for finding in shared}
    shadowed = (item for item in _shadowed(catalog) if (item.style_code, "alias_twice") not in told)
    return (*_twins(catalog), *shared, *shadowed, *_unfindable(catalog))


def _twins(catalog: Catalog) -> Iterator[Finding]:
    """Products of the same name, material and size under two identities."""
    first: dict[tuple[str, str, str], Product] = {}
    for product in catalog.products:
        told = (slug(product.name), slug(product.material), slug(product.size))
        twin = first.setdefault(told, product)
        if twin is not product:
            yield Finding(
                product.style_code,
                "twin",
                f"has the name, material and size of {twin.style_code}",
                f"delete one of the two rows and add its style code to the other's aliases ({twin.style_code})",
            )


def _shared_aliases(catalog: Catalog) -> Iterator[Finding]:
    """An alias that two products have, or that is another product's identity."""
    first: dict[str, Product] = {}
    for product in catalog.products:
        for alias in product.aliases:
            owner = catalog.get(alias.upper()) or catalog.get(slug(alias)) or first.setdefault(slug(alias), product)
            if owner is not product:
                what = "is the identity" if slug(alias) == slug(owner.style_code) else "is also an alias"
                yield Finding(
                    product.style_code,
                    "alias_twice",
                    f"alias {alias!r} {what} of {owner.style_code}",
                    "delete the alias from one of the two rows",
                )


def _shadowed(catalog: Catalog) -> Iterator[Finding]:
    """An alias that, as a title, leads to another product or to none."""
    for product in catalog.products:
        for alias in product.aliases:
            size = "" if is_code(alias) else product.size  # an alias may leave it out
            match = match_title(catalog, f"{_BRAND} {alias} {size}".strip())
            if match.style_code != product.style_code:
                yield Finding(
                    product.style_code,
                    "alias_shadowed",
                    f"a title that says {alias!r} {_goes(match)}",
                    "make the alias say more (size, material), or delete it",
                )


def _unfindable(catalog: Catalog) -> Iterator[Finding]:
    """A product that its own name, material and size do not find."""
    for product in catalog.products:
        title = " ".join(part for part in (_BRAND, product.name, product.material, product.size) if part)
        match = match_title(catalog, title)
        if match.style_code != product.style_code:
            yield Finding(
                product.style_code,
                "not_found",
                f"its own title {title!r} {_goes(match)}",
                "correct line, name, material or size so that they name this product and no other",
            )


def _goes(match: Match) -> str:
    return f"goes to {match.style_code}" if match.style_code else f"stays unlabelled ({match.reason})"
