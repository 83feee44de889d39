"""Titles that name a bag without offering it: another maker's, an imitation, something for a bag, a wallet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lvbag.crawl.titles.lines import NamedLine
from lvbag.crawl.titles.reading import Reading, Span
from lvbag.crawl.titles.vocabulary import Kind, Vocabulary

_LEAD_IN = (Kind.BRAND, Kind.MATERIAL, Kind.COLOUR, Kind.FILLER, Kind.SIZE)
_SOLD_WITH_POUCH = frozenset({"neverfull", "carryall"})
"""Lines whose pouch is also sold alone, under the bag's name."""


@dataclass(frozen=True)
class NoBag:
    """Why a title is of no product; `decisive`: even if it names a style code, for it is made for that product."""

    reason: str
    decisive: bool


def another_brand(vocabulary: Vocabulary, reading: Reading, brand: str | None) -> str | None:
    """The other maker that the title names alone or first, or that the listing's own `brand` field names."""
    own, other = reading.first(Kind.BRAND), reading.first(Kind.OTHER_BRAND)
    if other is not None and (own is None or other < own):
        sense = reading.spans[other].sense(Kind.OTHER_BRAND)
        return sense.value if sense else None
    senses = vocabulary.senses_of(brand) if brand else ()
    return next((sense.value for sense in senses if sense.kind is Kind.OTHER_BRAND), None)


def why_no_bag(reading: Reading, named: NamedLine) -> NoBag | None:
    """The reason why this is no bag, or None."""
    spans = reading.spans
    for at, span in enumerate(spans):
        if (sense := span.sense(Kind.IMITATION)) is not None:
            return NoBag(f"imitation: the title says {span.raw.lower()}", decisive=True)
        if (sense := span.sense(Kind.ACCESSORY)) is not None and not _comes_along(spans, at):
            return NoBag(f"accessory: {sense.value}", decisive=True)
    if _made_for(spans):
        return NoBag("accessory: made for a bag", decisive=True)
    for at, span in enumerate(spans):
        if (sense := span.sense(Kind.PART)) is not None and _alone(spans, at):
            return NoBag(f"accessory: {sense.value}", decisive=True)
        if (sense := span.sense(Kind.THING)) is not None and not _comes_along(spans, at):
            return NoBag(f"accessory: {sense.value}", decisive=False)
        if named.line in _SOLD_WITH_POUCH and _is_pouch(span) and not _comes_along(spans, at):
            return NoBag(f"accessory: pouch of a {named.line}", decisive=False)
    return NoBag(f"accessory: {named.line} is a line of small things", decisive=False) if named.small else None


def _comes_along(spans: Sequence[Span], at: int) -> bool:
    """Whether it is an extra: after `with`, after `+` or `&`, or before 付き."""
    joined = at > 0 and spans[at - 1].may_be(Kind.AND, Kind.WITH)
    after = at + 1 < len(spans) and spans[at + 1].may_be(Kind.WITH) and not spans[at + 1].text.isascii()
    return joined or after or any(span.may_be(Kind.WITH) for span in spans[:at])


def _made_for(spans: Sequence[Span]) -> bool:
    """`Chain for Louis Vuitton Speedy`, `LV chain for Speedy`; what an artist makes for the brand is a bag."""
    for at, span in enumerate(spans[:-1]):
        after = spans[at + 1]
        if span.may_be(Kind.FOR) and after.may_be(Kind.BRAND, Kind.LINE):
            no_item = (Kind.EDITION, Kind.LINE, *((Kind.BRAND,) if after.may_be(Kind.BRAND) else ()))
            return at > 0 and not any(other.may_be(*no_item) for other in spans[:at])
    return False


def _alone(spans: Sequence[Span], at: int) -> bool:
    """Whether a part is what is offered: `only` beside it, `for` after it, or the first thing that is named."""
    beside = (*spans[max(0, at - 1) : at], *spans[at + 1 : at + 2])
    if any(span.may_be(Kind.ONLY) for span in beside):
        return True
    if any(span.may_be(Kind.FOR) for span in spans[at + 1 : at + 3]):
        return True
    if at + 1 < len(spans) and spans[at + 1].may_be(Kind.TYPE):  # "Box shoulder bag" is a bag
        return False
    return all(span.may_be(*_LEAD_IN) or span.text in ("empty", "vide", "leer") for span in spans[:at])


def _is_pouch(span: Span) -> bool:
    kind = span.sense(Kind.TYPE)
    line = span.sense(Kind.LINE)
    return (kind is not None and kind.value in ("pouch", "wristlet")) or (line is not None and line.value == "pochette")
