"""Which product of a line a title describes: all that its name says must stand there, and nothing against it.

A title that says something which a product is not (another material, size, colour, variant or edition) does not name
that product. Two products that fit equally well leave it open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lvbag.catalog import Product
from lvbag.crawl.titles.features import STRAP, Features, features
from lvbag.crawl.titles.reading import read
from lvbag.crawl.titles.vocabulary import Vocabulary

_VAGUE_TYPES = frozenset({"bag", "shoulder bag", "crossbody", "travel bag", "pouch"})
"""Types that a product's name may carry and titles rarely repeat."""
_ALSO_SAID = {"nano": frozenset({"mini"})}
"""What people call a variant besides its name."""
_BANDOULIERE = frozenset({"bandouliere"})


@dataclass(frozen=True)
class Entry:
    """A product with what its row says."""

    product: Product
    line: str  # as the vocabulary calls it
    required: frozenset[str]  # what its name says
    own: frozenset[str]  # what a title may say of it
    sizes: frozenset[str]
    materials: frozenset[str]
    colours: frozenset[str]
    aliases: tuple[Features, ...]


@dataclass(frozen=True)
class Line:
    """The entries of a line, and what tells them apart."""

    entries: tuple[Entry, ...]
    sizes: frozenset[str]
    telling: frozenset[str]
    strapped: frozenset[tuple[frozenset[str], frozenset[str]]]  # name without "bandouliere", materials


@dataclass(frozen=True)
class Fit:
    """A product that a title fits; `full`: name, size and material are all there."""

    entry: Entry
    full: bool
    evidence: frozenset[str]


@dataclass(frozen=True)
class Choice:
    """The products that fit best, and why the closest of those that the title names does not, if any."""

    best: tuple[Fit, ...]
    against: str | None


def entry_of(vocabulary: Vocabulary, product: Product) -> Entry:
    """Read a product's row as titles are read."""
    line = vocabulary.line_of(product.line)

    name, size, material, *aliases = (
        features(vocabulary, read(vocabulary, text), line)
        for text in (product.name, product.size, product.material, *product.aliases)
    )
    return Entry(
        product=product,
        line=line,
        required=name.tokens - _VAGUE_TYPES,
        own=frozenset(
            word for text in (name, size, material, *aliases) for token in text.tokens for word in _own(token)
        ),
        sizes=name.sizes | size.sizes,
        materials=name.materials | material.materials,
        colours=name.colours | material.colours,
        aliases=tuple(aliases),
    )


def line_of_entries(entries: Sequence[Entry]) -> Line:
    """What the products of one line have in common."""
    return Line(
        entries=tuple(entries),
        sizes=frozenset(size for entry in entries for size in entry.sizes),
        telling=frozenset(token for entry in entries for token in entry.required - entry.sizes),
        strapped=frozenset(
            (entry.required - _BANDOULIERE, entry.materials) for entry in entries if entry.required >= _BANDOULIERE
        ),
    )


def choose(line: Line, title: Features, unknown_code: str | None) -> Choice:
    """The best fits of a title among the products of its line.

    `unknown_code`: a style code of the title that no product has. It speaks against products whose own code is known,
    and against those that the title does not describe in full.
    """
    fits: list[Fit] = []
    against: list[tuple[int, str]] = []
    for entry in line.entries:
        fit = _fit(entry, title)
        if fit is None:
            continue
        why = _contradiction(entry, line, title)
        if why is None and unknown_code and (entry.product.official or not fit.full):
            why = unknown_code
        if why is None:
            fits.append(fit)
        else:
            against.append((len(fit.evidence), f"{entry.product.style_code} is not {why}"))
    # "Petit Noé" also says "Noé": who explains less of the title gives way
    best = tuple(fit for fit in fits if not any(fit.evidence < other.evidence for other in fits))
    closest = max(against, key=lambda found: found[0], default=None)  # the first of equals
    return Choice(best, closest[1] if closest else None)


def _own(token: str) -> frozenset[str]:
    return frozenset({token}) | _ALSO_SAID.get(token, frozenset())


def _fit(entry: Entry, title: Features) -> Fit | None:
    named = entry.required <= title.tokens
    if not named and not any(_says(title, alias) and entry.sizes <= title.sizes for alias in entry.aliases):
        return None
    full = named and entry.sizes <= title.sizes and entry.materials <= title.materials
    return Fit(entry, full, (entry.own & title.tokens) | (entry.materials & title.materials))


def _says(title: Features, alias: Features) -> bool:
    return alias.tokens <= title.tokens and alias.materials <= title.materials and alias.colours <= title.colours


def _contradiction(entry: Entry, line: Line, title: Features) -> str | None:
    """What the title says that the product is not, or None."""
    said = title.special | (title.tokens & line.telling)
    return (
        _first(said - entry.own)
        or _material_against(entry, title)
        or _size_against(entry, line, title)
        or _colour_against(entry, title)
        or _strap_against(entry, line, title)
    )


def _material_against(entry: Entry, title: Features) -> str | None:
    others = title.materials - entry.materials
    if any(material.startswith("damier") for material in entry.materials):
        others -= {"damier"}  # says only that it is some damier
    return _first(others) or (title.tinted if entry.materials and not entry.colours else None) or None


def _size_against(entry: Entry, line: Line, title: Features) -> str | None:
    letters = frozenset(size for size in title.sizes if not size.isdigit())
    said = (title.sizes & line.sizes) | letters
    return None if entry.sizes & said else _first(said - entry.own)


def _colour_against(entry: Entry, title: Features) -> str | None:
    if not entry.colours or not title.colours or entry.colours & title.colours:
        return None
    return _first(title.colours)


def _strap_against(entry: Entry, line: Line, title: Features) -> str | None:
    """A strap may be that of the Bandoulière, if there is one of this size and material."""
    if STRAP in title.tokens and (entry.required, entry.materials) in line.strapped:
        return "the one with a strap"
    return None


def _first(words: frozenset[str]) -> str | None:
    return min(words, default=None)
