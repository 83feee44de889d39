"""A title's product, in this order: is a bag of this maker offered, a style code, the line, the product of the line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lvbag.catalog import Catalog
from lvbag.crawl.titles.codes import Codes, codes_of, find_codes, is_code
from lvbag.crawl.titles.features import features
from lvbag.crawl.titles.lines import NamedLine, named_line
from lvbag.crawl.titles.no_bag import another_brand, why_no_bag
from lvbag.crawl.titles.products import Choice, Entry, Line, choose, entry_of, line_of_entries
from lvbag.crawl.titles.reading import Reading, read
from lvbag.crawl.titles.vocabulary import Kind, Sense, Vocabulary, default_vocabulary

BY_CODE, BY_ALL_WORDS, BY_NAME = 1.0, 0.9, 0.7
_NAMED_AT_MOST = 4
_LONGEST_TITLE = 500
"""Characters that are read; shops stop at 80 to 200, and what comes after them names other bags."""


@dataclass(frozen=True)
class Match:
    """`style_code` is the product's identity, None when the title is not clear; `line` is the line it names, if any."""

    style_code: str | None
    line: str | None
    confidence: float  # 1.0 style code, 0.9 name with size and material, 0.7 name or alias, 0.0 unlabelled
    reason: str  # `<rule>: <what was seen>`


def match_title(catalog: Catalog, title: str, brand: str | None = None) -> Match:
    """Find the one product that a title names; `brand` is what the listing itself calls its maker, if it does."""
    index = _index(catalog)
    title = title[:_LONGEST_TITLE]
    reading = read(index.vocabulary, title)
    if other := another_brand(index.vocabulary, reading, brand):
        return Match(None, None, 0.0, f"another_brand: {other}")
    named = named_line(index.vocabulary, reading)
    no_bag = why_no_bag(reading, named)
    if no_bag is not None and no_bag.decisive:
        return Match(None, named.line, 0.0, no_bag.reason)
    codes = find_codes(index.codes, title)
    if len(codes.products) == 1:
        product = catalog.get(codes.products[0])
        line = product.line if product else named.line
        return Match(codes.products[0], line, BY_CODE, f"style_code: {codes.products[0]}")
    if codes.products:
        return Match(None, named.line, 0.0, f"two_style_codes: {', '.join(codes.products)}")
    if no_bag is not None:
        return Match(None, named.line, 0.0, no_bag.reason)
    return _match_words(index, reading, named, codes.unknown)


@dataclass(frozen=True)
class _Index:
    vocabulary: Vocabulary  # with the catalog's own lines
    lines: dict[str, Line]
    codes: Codes


@lru_cache(maxsize=8)
def _index(catalog: Catalog) -> _Index:
    vocabulary = _with_own_words(default_vocabulary(), catalog)
    lines: dict[str, list[Entry]] = {}
    for product in catalog.products:
        entry = entry_of(vocabulary, product)
        lines.setdefault(entry.line, []).append(entry)
    return _Index(
        vocabulary, {line: line_of_entries(found) for line, found in lines.items()}, codes_of(catalog.products)
    )


def _with_own_words(vocabulary: Vocabulary, catalog: Catalog) -> Vocabulary:
    """With lines that only this catalog knows, and with names and aliases that would not lead to their line."""
    own = vocabulary.extended(
        (product.line, Sense(Kind.LINE, product.line))
        for product in catalog.products
        if product.line not in vocabulary.line_names
    )
    return own.extended(
        (text, Sense(Kind.LINE, own.line_of(product.line), model=text))
        for product in catalog.products
        for text in (product.name, *product.aliases)
        if not is_code(text) and not _leads_to(own, text, own.line_of(product.line))
    )


def _leads_to(vocabulary: Vocabulary, text: str, line: str) -> bool:
    senses = [span.sense(Kind.LINE) for span in read(vocabulary, text).spans]
    return any(sense is not None and sense.value == line for sense in senses)


def _match_words(index: _Index, reading: Reading, named: NamedLine, unknown_code: str | None) -> Match:
    if named.line is None:
        return Match(None, None, 0.0, named.seen)
    line = index.lines.get(named.line)
    if line is None:
        return Match(None, named.line, 0.0, f"line_only: {named.seen}; the catalog has no product of it")
    choice = choose(line, features(index.vocabulary, reading, named.line), unknown_code)
    if len(choice.best) == 1:
        best = choice.best[0]
        product = best.entry.product
        rule = "name_size_material" if best.full else "name"
        seen = " ".join(sorted(best.evidence)) or product.line
        return Match(product.style_code, product.line, BY_ALL_WORDS if best.full else BY_NAME, f"{rule}: {seen}")
    no_code = f"; style code {unknown_code} is not in the catalog" if unknown_code else ""
    return Match(None, named.line, 0.0, f"{_unclear(choice, named)}{no_code}")


def _unclear(choice: Choice, named: NamedLine) -> str:
    if choice.best:
        codes = sorted(fit.entry.product.style_code for fit in choice.best)
        more = ", …" if len(codes) > _NAMED_AT_MOST else ""
        return f"several: {len(codes)} products fit: {', '.join(codes[:_NAMED_AT_MOST])}{more}"
    if choice.against is not None:
        return f"another_product: {choice.against}"
    return f"line_only: {named.seen}; name, size and material fit no product of it"
