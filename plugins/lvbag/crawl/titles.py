"""Which product a listing's title names. The query that found a listing is no label; its title is, if it is clear.

In this order: a style code; all of a product's name, size and material; its name or an alias. A title that says
something that a product is not (another material, size, colour or variant) does not name that product, and a title
that fits two products or none stays unlabelled, with the reason. Nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from lvbag.catalog import Catalog, Product

_WORD = re.compile(r"[a-z0-9]+")
# a capital and five digits, as the maker writes bags' codes: a title that carries one is about that product
_CODE = re.compile(r"[a-z]\d{5}")

_FILLERS = frozenset({"canvas", "leather", "coated", "one", "size", "toile", "cuir"})
"""Words of catalog columns that titles rarely repeat and that tell no product from another."""

_MATERIALS = """
    monogram damier ebene azur graphite epi empreinte vernis multicolor multicolore multicolour mahina taiga denim
    eclipse reverse giant idylle suhali infini macassar cerises graffiti nomade antheia utah taurillon galaxy
    watercolor cobalt mini lin perforated shearling velvet quilted malletage taigarama aquagarden tuffetage
"""
_VARIANTS = """
    bandouliere petit petite nano micro maxi multi grande limited limitee limitees limite edition editions jungle
    city souple soft trunk vivienne supreme murakami kusama
"""
_OTHERS = frozenset((_MATERIALS + _VARIANTS).split())
"""Materials and variants: a title that says one of them names no product that is not of it."""
_COLOUR_WORDS = """
    red blue green yellow orange pink purple violet black white grey gray navy fuchsia turquoise burgundy khaki
    beige cream ivory plum rouge noir bleu vert jaune blanc rose
"""
_COLOURS = frozenset(_COLOUR_WORDS.split())
_LETTER_SIZES = frozenset({"pm", "mm", "gm", "bb", "nano", "xs", "xl"})
_ACCESSORIES = frozenset(
    {"insert", "organizer", "organiser", "shaper", "liner", "replacement", "compatible", "inspired", "replica", "dupe"}
)
# French model sizes, translated by some shops
_SIZE_PHRASES = {
    ("small", "model"): "pm",
    ("medium", "model"): "mm",
    ("large", "model"): "gm",
    ("petit", "modele"): "pm",
    ("moyen", "modele"): "mm",
    ("grand", "modele"): "gm",
}

_BY_CODE, _BY_ALL_WORDS, _BY_NAME = 1.0, 0.9, 0.7


@dataclass(frozen=True)
class Match:
    """`style_code` is None when the title is not clear; `line` is the line it names, if it names one."""

    style_code: str | None
    line: str | None
    confidence: float  # 1.0 style code, 0.9 name with size and material, 0.7 name or alias, 0.0 unlabelled
    reason: str


def match_title(catalog: Catalog, title: str) -> Match:
    """Find the one product that a title names; accents and case do not count."""
    index = _index(catalog)
    words = _title_words(title)
    line = _line(index, words)
    codes = sorted({index.codes[code] for code in _codes(words) if code in index.codes} | _lettered(index, title))
    if len(codes) == 1:
        product = catalog.get(codes[0])
        return Match(codes[0], product.line if product else line, _BY_CODE, f"style code {codes[0]}")
    if codes:
        return Match(None, line, 0.0, f"two style codes: {', '.join(codes)}")
    foreign = [code.upper() for code in _codes(words) if _CODE.fullmatch(code)]
    if foreign:
        return Match(None, line, 0.0, f"style code {foreign[0]} is not in the catalog")
    if accessories := sorted(_ACCESSORIES & set(words)):
        return Match(None, line, 0.0, f"accessory: the title says {accessories[0]}")
    return _match_words(index, words, line)


@dataclass(frozen=True)
class _Entry:
    """A product as word sets."""

    product: Product
    name: frozenset[str]
    all_words: frozenset[str]  # that must stand in a title for a full match
    own: frozenset[str]  # that a title may use for it
    sizes: frozenset[str]
    aliases: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Index:
    entries: tuple[_Entry, ...]
    codes: dict[str, str]  # lower case, with older codes given as aliases, to style code
    lettered: dict[str, str]  # codes without a digit, which only count in capitals
    lines: tuple[tuple[str, ...], ...]  # longest first
    line_names: dict[tuple[str, ...], str]


@dataclass(frozen=True)
class _Candidate:
    style_code: str
    evidence: frozenset[str]
    confidence: float


@lru_cache(maxsize=8)
def _index(catalog: Catalog) -> _Index:
    codes: dict[str, str] = {}
    lettered: dict[str, str] = {}
    for product in catalog.products:
        has_digit = any(c.isdigit() for c in product.style_code)
        (codes if has_digit else lettered)[product.style_code.lower()] = product.style_code
    for product in catalog.products:
        for alias in product.aliases:
            if _CODE.fullmatch(alias.lower()):
                codes.setdefault(alias.lower(), product.style_code)
    line_names = {_words(product.line): product.line for product in catalog.products}
    lines = tuple(sorted(line_names, key=lambda words: (-len(words), words)))
    return _Index(tuple(_entry(product) for product in catalog.products), codes, lettered, lines, line_names)


def _entry(product: Product) -> _Entry:
    name = frozenset(_words(product.name))
    described = frozenset(_words(product.size)) | frozenset(_words(product.material))
    sizes = frozenset(_words(product.size)) - _FILLERS
    aliases = tuple(_words(alias) for alias in product.aliases)
    line = frozenset(_words(product.line))
    own = name | described | line | frozenset(word for alias in aliases for word in alias)
    return _Entry(product, name, name | (described - _FILLERS), own, sizes, aliases)


def _match_words(index: _Index, words: tuple[str, ...], line: str | None) -> Match:
    present = frozenset(words)
    candidates = []
    against: list[str] = []
    for entry in index.entries:
        candidate = _candidate(entry, words, present)
        if candidate is None:
            continue
        if why := _contradiction(entry, present, index):
            against.append(f"{entry.product.style_code} is not {why}")
        else:
            candidates.append(candidate)
    # "Petit Noé" also says "Noé": who explains less of the title gives way
    best = [c for c in candidates if not any(c.evidence < other.evidence for other in candidates)]
    if len(best) == 1:
        kind = "name, size and material" if best[0].confidence == _BY_ALL_WORDS else "name or alias"
        return Match(best[0].style_code, line, best[0].confidence, f"{kind}: {' '.join(sorted(best[0].evidence))}")
    if best:
        named = ", ".join(sorted(c.style_code for c in best)[:4])
        return Match(None, line, 0.0, f"{len(best)} products fit: {named}")
    if against:
        return Match(None, line, 0.0, f"another product: {against[0]}")
    return Match(None, line, 0.0, f"names the line {line} but no product of it" if line else "names no product")


def _candidate(entry: _Entry, words: tuple[str, ...], present: frozenset[str]) -> _Candidate | None:
    code = entry.product.style_code
    described = entry.own & present
    if entry.all_words <= present:
        return _Candidate(code, described, _BY_ALL_WORDS)
    if entry.name <= present:
        return _Candidate(code, described, _BY_NAME)
    phrases = [alias for alias in entry.aliases if alias and _contains(words, alias)]
    if phrases and (not entry.sizes or entry.sizes <= present):
        return _Candidate(code, described, _BY_NAME)
    return None


def _contradiction(entry: _Entry, present: frozenset[str], index: _Index) -> str | None:
    """A word of the title that the product is not, or None."""
    foreign = sorted((present & _OTHERS) - entry.own)
    if foreign:
        return foreign[0]
    sizes = present & (_LETTER_SIZES | _sizes_of_line(index, entry.product.line))
    if sizes - entry.own and not (entry.sizes and entry.sizes & sizes):
        return sorted(sizes - entry.own)[0]
    colours = present & _COLOURS
    if colours and entry.own & _COLOURS and not colours & entry.own:
        return sorted(colours)[0]
    return None


def _sizes_of_line(index: _Index, line: str) -> frozenset[str]:
    return frozenset(size for entry in index.entries if entry.product.line == line for size in entry.sizes)


def _line(index: _Index, words: tuple[str, ...]) -> str | None:
    """The line that the title names; longer names first, and None when it names two."""
    rest = words
    found = []
    for line in index.lines:
        at = _find(rest, line)
        if line and at is not None:
            found.append(index.line_names[line])
            rest = (*rest[:at], "", *rest[at + len(line) :])
    return found[0] if len(found) == 1 else None


def _title_words(title: str) -> tuple[str, ...]:
    words = _words(title)
    sizes = tuple(size for phrase, size in _SIZE_PHRASES.items() if _contains(words, phrase))
    if not sizes:
        return words
    # "petit modèle" is a size and not the variant "petit"
    kept = [w for w in words if w not in ("petit", "moyen", "grand", "modele")]
    return (*kept, *sizes)


def _words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case without accents."""
    plain = unicodedata.normalize("NFKD", text).casefold().replace("œ", "oe")
    return tuple(_WORD.findall("".join(c for c in plain if not unicodedata.combining(c))))


def _codes(words: tuple[str, ...]) -> list[str]:
    """Every word, and neighbours that make a code together (`M 41108`)."""
    pairs = (a + b for a, b in pairwise(words) if len(a) == 1)
    return [*words, *pairs]


def _lettered(index: _Index, title: str) -> set[str]:
    return {index.lettered[word.lower()] for word in re.findall(r"[A-Z]+", title) if word.lower() in index.lettered}


def _contains(words: tuple[str, ...], phrase: Iterable[str]) -> bool:
    return _find(words, tuple(phrase)) is not None


def _find(words: tuple[str, ...], phrase: tuple[str, ...]) -> int | None:
    """Where a phrase starts in the words, or None."""
    return next((at for at in range(len(words) - len(phrase) + 1) if words[at : at + len(phrase)] == phrase), None)
