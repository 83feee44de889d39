"""A text cut into the longest spellings that a vocabulary knows, each with what it may mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from lvbag.crawl.titles.spelling import Word, split
from lvbag.crawl.titles.vocabulary import Kind, Sense, Vocabulary

_MOST_WORDS = 6
_SHORT = 3
"""Letters of Japanese or Korean that many longer words contain by chance."""
_BANDOULIERE = (Sense(Kind.VARIANT, "bandouliere"),)
_WITH_BANDOULIERE = frozenset({"speedy", "keepall"})
_LETTER_SIZES = ("pm", "mm", "gm", "bb")
# what sellers write for the two canvases; "de" and "da" are also words of French, Italian and Spanish
_CANVASES = {"DE": (Sense(Kind.MATERIAL, "damier ebene"),), "DA": (Sense(Kind.MATERIAL, "damier azur"),)}


@dataclass(frozen=True)
class Span:
    """One or more words that mean something together; no senses: an unknown word."""

    text: str  # plain, joined
    raw: str
    senses: tuple[Sense, ...] = ()

    def sense(self, kind: Kind) -> Sense | None:
        """What it means as this kind, or None."""
        return next((sense for sense in self.senses if sense.kind is kind), None)

    def may_be(self, *kinds: Kind) -> bool:
        """Whether it may mean something of one of these kinds."""
        return any(sense.kind in kinds for sense in self.senses)

    @property
    def is_number(self) -> bool:
        """Two digits, as the sizes in centimetres are written."""
        return len(self.text) == 2 and self.text.isdigit()


@dataclass(frozen=True)
class Reading:
    """The spans of a text in order."""

    spans: tuple[Span, ...]

    @cached_property
    def shouted(self) -> bool:
        """Whether there is no small Latin letter, so that capitals say nothing."""
        return not any(letter.islower() and letter.isascii() for span in self.spans for letter in span.raw)

    def first(self, kind: Kind) -> int | None:
        """The position of the first span that may be of a kind, or None."""
        return next((at for at, span in enumerate(self.spans) if span.may_be(kind)), None)


def read(vocabulary: Vocabulary, text: str) -> Reading:
    """Read a title or a name from left to right, the longest spelling first."""
    words = tuple(_cut(vocabulary, split(text)))
    spans: list[Span] = []
    at = 0
    while at < len(words):
        taken, span = _longest(vocabulary, words, at)
        spans.extend(_sized(vocabulary, span))
        at += taken
    return _canvas(Reading(tuple(_strapped(spans))))


def _longest(vocabulary: Vocabulary, words: tuple[Word, ...], at: int) -> tuple[int, Span]:
    for count in range(min(_MOST_WORDS, len(words) - at), 0, -1):
        text = "".join(word.text for word in words[at : at + count])
        if count > 1 and words[at + count - 1].text == "s":  # "Monogram S Lock" says no monograms
            continue
        if (senses := vocabulary.senses.get(text)) is not None:
            return count, Span(text, " ".join(word.raw for word in words[at : at + count]), senses)
    return 1, Span(words[at].text, words[at].raw)


def _cut(vocabulary: Vocabulary, words: tuple[Word, ...]) -> Iterator[Word]:
    """Runs of Japanese and Korean cut into known words."""
    for word in words:
        if not word.cjk:
            yield word
            continue
        pieces = _pieces(vocabulary, word.text)
        for at, (text, known) in enumerate(pieces):
            # a short one means something only between others that are understood: エピ, but not in エピソード
            beside = all(other for _, other in pieces[max(0, at - 1) : at + 2])
            if beside or not known or len(text) > _SHORT:
                yield Word(text, text, cjk=True)


def _pieces(vocabulary: Vocabulary, run: str) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    at, unknown = 0, 0
    while at < len(run):
        most = min(vocabulary.longest, len(run) - at)
        length = next((n for n in range(most, 0, -1) if run[at : at + n] in vocabulary.senses), 0)
        if length:
            if unknown < at:
                pieces.append((run[unknown:at], False))
            pieces.append((run[at : at + length], True))
            unknown = at + length
        at += length or 1
    if unknown < len(run):
        pieces.append((run[unknown:], False))
    return pieces


def _sized(vocabulary: Vocabulary, span: Span) -> tuple[Span, ...]:
    """A line and a size written as one are two: `neverfullmm`, and spellings such as `cite mm` and `toiletry 26`."""
    name, size = span.text[:-2], span.text[-2:]
    senses = span.senses or vocabulary.senses.get(name, ())
    last = span.raw.split()[-1].casefold()
    line = next((sense for sense in senses if sense.kind is Kind.LINE), None)
    is_size = size in _LETTER_SIZES or size.isdigit()
    if line is None or not is_size or line.value.endswith(size) or (span.senses and last != size):
        return (span,)
    return Span(name, span.raw[:-2].strip(), senses), Span(size, span.raw[-2:], vocabulary.senses.get(size, ()))


def _strapped(spans: list[Span]) -> Iterator[Span]:
    """`Speedy B 25`, `Keepall 55 B`: a lone b beside the name or its size is the version with a strap."""
    for at, span in enumerate(spans):
        before = [other for other in spans[max(0, at - 2) : at] if not other.is_number]
        line = before[-1].sense(Kind.LINE) if before else None
        beside = span.text == "b" and line is not None and line.value in _WITH_BANDOULIERE
        yield replace(span, senses=_BANDOULIERE) if beside else span


def _canvas(reading: Reading) -> Reading:
    """`Neverfull MM DE`: in a title with small letters that names a line and no material."""
    spans = reading.spans
    if reading.shouted or reading.first(Kind.MATERIAL) is not None or reading.first(Kind.LINE) is None:
        return reading
    return Reading(tuple(replace(span, senses=_CANVASES.get(span.raw, span.senses)) for span in spans))
