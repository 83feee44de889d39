"""Which line a title names, if it names one: `Louis Vuitton City Keepall shoulder bag` is a keepall.

Names count wherever they stand; a spelling that is also an ordinary word (bucket, totally) only if no name is there,
and where shops write the model: before a size, right after the brand, or first of all. Between two names the one in
that place wins, unless the title joins them (`Speedy and Artsy`). After that a long name with one letter wrong, and
at last what a shop that writes `Louis Vuitton Xyz handbag in …` has written there, even if nobody has heard of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lvbag.crawl.titles.reading import Reading, Span
from lvbag.crawl.titles.vocabulary import Kind, Sense, Use, Vocabulary

_QUALIFIERS = (Kind.MATERIAL, Kind.COLOUR, Kind.VARIANT, Kind.EDITION, Kind.FILLER, Kind.SIZE, Kind.AND)
_LEAD_IN = (*_QUALIFIERS, Kind.TYPE, Kind.BRAND)
_SHORTEST_MISSPELT = 7
_LONGEST_MODEL_WORDS = 2
_PLAIN_TYPES = frozenset({"bag", "shoulder bag", "crossbody", "pouch", "box"})


@dataclass(frozen=True)
class NamedLine:
    """`line` is None when the title names none or two, and `seen` says which."""

    line: str | None
    seen: str
    small: bool = False  # a line of wallets and the like


def named_line(vocabulary: Vocabulary, reading: Reading) -> NamedLine:
    """The line of a title."""
    spans = reading.spans
    lines = [(at, sense) for at, span in enumerate(spans) if (sense := _line(span))]
    names = [(at, sense) for at, sense in lines if sense.use is Use.NAME]
    if names := names or [(at, sense) for at, sense in lines if sense.use is Use.WORD and _is_sized(spans, at)]:
        return _among_names(spans, names)
    if (sense := _expected_word(spans)) is not None:
        return NamedLine(sense.value, sense.value, sense.small)
    if (line := _misspelt(vocabulary, spans)) is not None:
        return NamedLine(line, f"{line}, misspelt")
    if (model := _unheard_of(reading)) is not None:
        return NamedLine(model, f"{model}, unheard of, where a model is named")
    return NamedLine(None, "nothing: no line is named")


def _among_names(spans: Sequence[Span], names: list[tuple[int, Sense]]) -> NamedLine:
    at, first = names[0]
    others = [(place, sense) for place, sense in names if sense.value != first.value]
    if not others:
        return NamedLine(first.value, first.value, first.small)
    two = NamedLine(None, f"two_lines: {', '.join(dict.fromkeys(sense.value for _, sense in names))}")
    place = others[0][0]
    if any(span.may_be(Kind.WITH) for span in spans[at:place]):
        return NamedLine(first.value, first.value, first.small)
    joined = any(span.may_be(Kind.AND) for span in spans[max(at, place - 2) : place])
    if joined or at not in _expected(spans) or len({sense.value for _, sense in others}) > 1:
        return two
    return NamedLine(first.value, first.value, first.small)


def _is_sized(spans: Sequence[Span], at: int) -> bool:
    """A size makes a name of an ordinary word (`Totally PM`)."""
    return at + 1 < len(spans) and (spans[at + 1].may_be(Kind.SIZE) or spans[at + 1].is_number)


def _expected_word(spans: Sequence[Span]) -> Sense | None:
    """A line where its name is expected, and rather one that is no material (`Mahina Solar`)."""
    found = [spans[at] for at in _expected(spans) if _line(spans[at])]
    best = next((span for span in found if not span.may_be(Kind.MATERIAL, Kind.COLOUR)), found[0] if found else None)
    return _line(best) if best else None


def _expected(spans: Sequence[Span]) -> tuple[int, ...]:
    """Where a model's name is expected, in order: after the brand, and at the start; qualifiers may come before."""
    brand = next((at for at, span in enumerate(spans) if span.may_be(Kind.BRAND)), None)
    places = [] if brand is None else _after(spans, brand + 1, _QUALIFIERS)
    at_start = [at for at in _after(spans, 0, _LEAD_IN) if not _goes_on(spans, at)]
    return tuple(dict.fromkeys((*places, *at_start)))


def _after(spans: Sequence[Span], start: int, skipped: tuple[Kind, ...]) -> list[int]:
    places = []
    for at in range(start, len(spans)):
        if _line(spans[at]):
            places.append(at)
        if not spans[at].may_be(*skipped):
            break
    return places


def _goes_on(spans: Sequence[Span], at: int) -> bool:
    """Whether an ordinary word follows, as in `Totally authentic`: then it is a sentence that starts here."""
    return at + 1 < len(spans) and spans[at + 1].may_be(Kind.FILLER)


def _misspelt(vocabulary: Vocabulary, spans: Sequence[Span]) -> str | None:
    """The one line of which an unknown word differs by a letter; ordinary words only right after the brand."""
    found: set[str] = set()
    for at, span in enumerate(spans):
        if span.senses or len(span.text) < _SHORTEST_MISSPELT:
            continue
        after_brand = at > 0 and spans[at - 1].may_be(Kind.BRAND)
        for name, sense in vocabulary.names_by_letter.get(span.text[0], ()):
            if (sense.use is Use.NAME or after_brand) and _one_slip(span.text, name):
                found.add(sense.value)
    return found.pop() if len(found) == 1 else None


def _one_slip(word: str, name: str) -> bool:
    """Whether one letter is wrong, missing or too many, or two neighbours are swapped."""
    if abs(len(word) - len(name)) > 1:
        return False
    same = next((at for at, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name)))
    left, right = word[same:], name[same:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return swapped or left[1:] == right[1:] or left == right[1:] or left[1:] == right


def _unheard_of(reading: Reading) -> str | None:
    """`Louis Vuitton Xyz [size] handbag`: capitals and small letters as in a catalogue, one or two unknown words."""
    spans = reading.spans
    brand = reading.first(Kind.BRAND)
    if brand is None or reading.shouted or any(_line(span) for span in spans):
        return None
    rest = spans[brand + 1 :]
    count = next((at for at, span in enumerate(rest) if not _is_name(span)), len(rest))
    if count == 0 and rest and _is_type_as_name(rest[0]):
        count = 1
    if not 1 <= count <= _LONGEST_MODEL_WORDS:
        return None
    after = [span for span in rest[count:] if not (span.may_be(Kind.SIZE, Kind.VARIANT) or span.is_number)]
    is_catalogue_style = bool(after) and after[0].may_be(Kind.TYPE) and after[0].raw.islower()
    return " ".join(span.raw for span in rest[:count]).casefold() if is_catalogue_style else None


def _is_name(span: Span) -> bool:
    return not span.senses and span.text.isascii() and span.text.isalpha() and span.raw.istitle() and len(span.text) > 3


def _is_type_as_name(span: Span) -> bool:
    """`Louis Vuitton Bowling handbag in …`: the type of bag that the model is called after, in capitals."""
    sense = span.sense(Kind.TYPE)
    return sense is not None and sense.value not in _PLAIN_TYPES and span.raw[:1].isupper()


def _line(span: Span) -> Sense | None:
    return span.sense(Kind.LINE)
