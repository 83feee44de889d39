"""What a text says of a bag apart from its line: sizes, materials, colours, variants, and words nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lvbag.crawl.titles.reading import Reading, Span
from lvbag.crawl.titles.vocabulary import Kind, Vocabulary

STRAP = "strap"
_BESIDE_CANVAS = (Kind.AND, Kind.COLOUR, Kind.FILLER)
# monogram and ebene are brown, azur is white and blue: another colour written before them is another canvas
_CANVAS_COLOURS: Mapping[str, frozenset[str]] = {
    "monogram": frozenset({"brown", "beige", "camel", "cream", "gold", "dark"}),
    "damier": frozenset({"brown", "beige", "dark"}),
    "damier ebene": frozenset({"brown", "beige", "dark"}),
    "damier azur": frozenset({"white", "blue", "cream", "beige", "grey"}),
}


@dataclass(frozen=True)
class Features:
    """What a text says of a bag."""

    tokens: frozenset[str]  # sizes, variants, editions, models, types, and words that nothing is known of
    sizes: frozenset[str]
    materials: frozenset[str]
    colours: frozenset[str]
    special: frozenset[str]  # variants and editions: what has them not is another product
    tinted: str  # "blue monogram" where a colour stands before a canvas that has not that colour


def features(vocabulary: Vocabulary, reading: Reading, line: str | None) -> Features:
    """What a reading says of a bag of this line."""
    spans = reading.spans
    materials = _values(spans, Kind.MATERIAL)
    vague = frozenset(other for material in materials for other in vocabulary.swallows.get(material, ()))
    return Features(
        tokens=frozenset(token for span in spans for token in _tokens(span, line)),
        sizes=_sizes(spans),
        materials=frozenset(materials) - vague,
        colours=frozenset(_values(spans, Kind.COLOUR)),
        special=frozenset((*_values(spans, Kind.VARIANT), *_values(spans, Kind.EDITION))) - {STRAP},
        tinted=_tinted(spans),
    )


def _tokens(span: Span, line: str | None) -> tuple[str, ...]:
    if (sense := span.sense(Kind.LINE)) is not None:
        words = () if sense.value == line else (sense.value,)
        return (*words, sense.model) if sense.model else words
    for kind in (Kind.SIZE, Kind.VARIANT, Kind.EDITION, Kind.TYPE):
        if (sense := span.sense(kind)) is not None:
            return (sense.value,)
    return () if span.senses else (span.text,)


def _sizes(spans: Sequence[Span]) -> frozenset[str]:
    """Letter sizes, and the number after the line's name, or else every number of two digits."""
    numbers = [span.text for span in spans if span.is_number]
    beside = [
        span.text
        for at, span in enumerate(spans)
        if span.is_number and any(other.may_be(Kind.LINE) for other in spans[max(0, at - 2) : at])
    ]
    return frozenset((*_values(spans, Kind.SIZE), *(beside[:1] or numbers)))


def _tinted(spans: Sequence[Span]) -> str:
    """A colour before a canvas (`red and white monogram canvas`) that this canvas has not."""
    for at, span in enumerate(spans):
        canvas = span.sense(Kind.MATERIAL)
        if canvas is None or canvas.value not in _CANVAS_COLOURS:
            continue
        for other in reversed(spans[:at]):
            colour = other.sense(Kind.COLOUR)
            if colour is not None and colour.value not in _CANVAS_COLOURS[canvas.value]:
                return f"{colour.value} {canvas.value}"
            if not other.may_be(*_BESIDE_CANVAS):
                break
    return ""


def _values(spans: Sequence[Span], kind: Kind) -> list[str]:
    return [sense.value for span in spans if (sense := span.sense(kind)) is not None]
