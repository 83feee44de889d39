"""What the words of titles mean: `lines.csv` (models) and `words.csv` (everything else), both editable.

A spelling is written as people write it; case, accents, spaces and hyphens make no difference. It may mean several
things (`mahina` is a leather and a line), and `lvbag.crawl.titles` decides which one counts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path

from lvbag.crawl.titles import spelling
from lvbag.errors import LvbagError

_HERE = Path(__file__).parent


class VocabularyError(LvbagError):
    """A file of the vocabulary contradicts itself."""


class Kind(StrEnum):
    """What a word tells. The values are the first column of `words.csv`."""

    LINE = "line"
    BRAND = "brand"
    OTHER_BRAND = "other_brand"
    MATERIAL = "material"
    SIZE = "size"
    VARIANT = "variant"
    EDITION = "edition"  # artists and limited series: another bag than the usual one
    COLOUR = "colour"
    TYPE = "type"  # handbag, tote, backpack
    FILLER = "filler"
    WITH = "with"  # what follows comes along
    FOR = "for"  # what stands before is made for what follows
    AND = "and"
    ONLY = "only"
    ACCESSORY = "accessory"  # made for a bag: an organizer for a Neverfull is no Neverfull, whatever code it names
    THING = "thing"  # no bag: a wallet, shoes
    PART = "part"  # comes along with bags, and is sold alone: dust bag, strap
    IMITATION = "imitation"


class Use(StrEnum):
    """How freely a line's spelling names the line."""

    NAME = "name"  # wherever it stands
    WORD = "word"  # also an ordinary word: only where a model's name is expected
    EDITION = "edition"  # a series more than a model: only if no model is named


@dataclass(frozen=True)
class Sense:
    """One meaning of a spelling. `model`, `use` and `small` belong to lines."""

    kind: Kind
    value: str
    model: str = ""  # the model within the line, such as `musette salsa`
    use: Use = Use.NAME
    small: bool = False  # a line of wallets and the like


@dataclass(frozen=True)
class Vocabulary:
    """Spellings as `spelling.key` writes them, and for each material the vaguer ones that it makes superfluous."""

    senses: Mapping[str, tuple[Sense, ...]]
    swallows: Mapping[str, frozenset[str]]

    @cached_property
    def longest(self) -> int:
        """Characters of the longest Japanese or Korean spelling."""
        return max((len(word) for word in self.senses if not word.isascii()), default=0)

    @cached_property
    def line_names(self) -> tuple[str, ...]:
        """Every line once, sorted."""
        return tuple(sorted({sense.value for found in self.senses.values() for sense in found if _is_line(sense)}))

    @cached_property
    def names_by_letter(self) -> Mapping[str, tuple[tuple[str, Sense], ...]]:
        """By first letter, the spellings of lines with what they mean: to mend one letter."""
        found: dict[str, list[tuple[str, Sense]]] = {}
        for word, senses in self.senses.items():
            for sense in senses:
                if _is_line(sense) and sense.use is not Use.EDITION and word.isascii():
                    found.setdefault(word[0], []).append((word, sense))
        return {letter: tuple(names) for letter, names in found.items()}

    def senses_of(self, text: str) -> tuple[Sense, ...]:
        """What a whole text means; empty: nothing that is known."""
        return self.senses.get(spelling.key(text), ())

    def line_of(self, name: str) -> str:
        """The line that a spelling names, or the spelling itself."""
        return next((sense.value for sense in self.senses_of(name) if _is_line(sense)), name)

    def extended(self, extra: Iterable[tuple[str, Sense]]) -> Vocabulary:
        """With further spellings; those that mean something of that kind already stay as they are."""
        senses = dict(self.senses)
        for written, sense in extra:
            word = spelling.key(written)
            known = senses.get(word, ())
            if word and all(other.kind is not sense.kind for other in known):
                senses[word] = (*known, sense)
        return Vocabulary(senses, self.swallows)


@lru_cache(maxsize=1)
def default_vocabulary() -> Vocabulary:
    """The vocabulary of the two files."""
    senses: dict[str, tuple[Sense, ...]] = {}
    for where, written, sense in (*_lines(), *_words()):
        word = spelling.key(written)
        if not word:
            raise VocabularyError(f"{where}: spelling {written!r} has no letter; write it with letters or digits")
        known = {other.kind: other for other in senses.get(word, ())}
        other = known.get(sense.kind, sense)
        if other.value != sense.value:
            raise VocabularyError(f"{where}: {written!r} means {sense.value!r} here and {other.value!r} elsewhere")
        # in two rows of one line the spelling that counts everywhere is meant
        known[sense.kind] = sense if sense.use is Use.NAME else other
        senses[word] = tuple(known.values())
    return Vocabulary(senses, _swallows())


def _is_line(sense: Sense) -> bool:
    return sense.kind is Kind.LINE


def _lines() -> Iterator[tuple[str, str, Sense]]:
    """The spellings of `lines.csv`: line, use, also, models (`|` separates, `=` joins spellings of one model)."""
    for where, row in _rows("lines.csv"):
        flags = set(row["use"].split())
        use = Use.WORD if "word" in flags else Use.EDITION if "edition" in flags else Use.NAME
        small = "small" in flags
        # "spelled": the line's own name does not count in this row, only the spellings that are given
        own = [] if "spelled" in flags else [row["line"]]
        for written in (*own, *_list(row["also"])):
            yield where, written, Sense(Kind.LINE, row["line"], use=use, small=small)
        for model in _list(row["models"]):
            spellings = model.split("=")
            for written in spellings:
                yield where, written, Sense(Kind.LINE, row["line"], model=spellings[0], use=use, small=small)


def _words() -> Iterator[tuple[str, str, Sense]]:
    """The spellings of `words.csv`: kind, value, also, swallows."""
    for where, row in _rows("words.csv"):
        for written in dict.fromkeys((row["value"], *_list(row["also"]))):
            yield where, written, Sense(Kind(row["kind"]), row["value"])


def _swallows() -> dict[str, frozenset[str]]:
    return {row["value"]: frozenset(_list(row["swallows"])) for _, row in _rows("words.csv") if row["swallows"]}


def _rows(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield f"{name}:{reader.line_num}", {column: value or "" for column, value in row.items()}


def _list(cell: str) -> list[str]:
    return [item for item in cell.split("|") if item]
