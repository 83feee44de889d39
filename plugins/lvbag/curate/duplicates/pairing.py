"""Pairs of pictures as arrays: proposed by indexes of codes, then confirmed a hundred thousand at a time.

One side is asked for in all its views, the other stands as it is. What is near is told by `nearness`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lvbag.curate.duplicates.hash_index import HashIndex
from lvbag.curate.duplicates.nearness import (
    Limits,
    confirmed,
    differences,
    layouts,
    may_be_confirmed,
    turned_layouts,
)
from lvbag.curate.duplicates.prints import TURNED_CELLS, Prints

Numbers = NDArray[np.int64]

_PAIRS = 1 << 17
"""Pairs that are looked at at a time: some ten MB."""


@dataclass(frozen=True)
class Uprights:
    """Fingerprints of n pictures as they stand: codes64 (n,), layouts (n,), codes256 (n, 4), thumbs (n, CELLS, 3)."""

    codes64: NDArray[np.uint64]
    layouts: NDArray[np.uint64]
    codes256: NDArray[np.uint64]
    thumbs: NDArray[np.int8]

    @staticmethod
    def of(prints: Prints) -> Uprights:
        """Of all pictures; nothing but the layouts is copied."""
        return Uprights(prints.views64[:, 0], layouts(prints.thumbs), _words(prints.views256)[:, 0], prints.thumbs)

    def __len__(self) -> int:
        return len(self.codes64)


class Asked:
    """The new pictures from place `start` to `end`, with their thumbnails (n, v, CELLS, 3) and layouts in all views."""

    def __init__(self, prints: Prints, start: int, end: int) -> None:
        self.start = start
        self.views = prints.views
        self.codes64 = prints.views64[start:end]
        self.codes256 = _words(prints.views256[start:end])
        thumbs = prints.thumbs[start:end]
        self.thumbs = np.stack([thumbs[:, TURNED_CELLS[view]] for view in range(self.views)], axis=1)
        self.layouts = turned_layouts(thumbs, self.views)

    def __len__(self) -> int:
        return len(self.codes64)


@dataclass(frozen=True)
class Pairs:
    """Pairs side by side: the place of a new picture, its view, and the number of another picture."""

    places: Numbers
    views: Numbers
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.places)

    def at(self, which: NDArray[np.bool_] | slice) -> Pairs:
        """Some of them."""
        return Pairs(self.places[which], self.views[which], self.numbers[which])


@dataclass(frozen=True)
class NearPairs:
    """Pairs that are near, and their distances, side by side."""

    places: Numbers
    views: Numbers
    numbers: Numbers
    bits64: Numbers
    bits256: Numbers
    colour: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.places)

    def at(self, which: Numbers) -> NearPairs:
        """Some of them, in this order."""
        return NearPairs(*(getattr(self, field.name)[which] for field in fields(self)))


class Shelf:
    """Pictures that new ones may be near to: those known from the start, and new ones that are added.

    A known picture's number is its place, a new one's follows on the last known one's.
    """

    def __init__(self, known: Prints, new: Prints, limits: Limits) -> None:
        self._known, self._new = Uprights.of(known), Uprights.of(new)
        self._limits = limits
        self._numbers = np.arange(len(known), dtype=np.int64)  # of what the indexes hold, in the order of adding
        self._by_hash = HashIndex(self._known.codes64)
        self._by_layout = None if limits.layout is None else HashIndex(self._known.layouts)

    def add(self, places: Numbers) -> None:
        """Add the new pictures at these places."""
        self._numbers = np.concatenate([self._numbers, places + len(self._known)])
        self._by_hash.add(self._new.codes64[places])
        if self._by_layout is not None:
            self._by_layout.add(self._new.layouts[places])

    def near(self, asked: Asked) -> Iterator[NearPairs]:
        """All pairs of an asked picture, in any view, and one on the shelf that are near; some come twice."""
        for view in range(asked.views):
            for places, entries in self._proposals(asked, view):
                for start in range(0, len(places), _PAIRS):
                    numbers = self._numbers[entries[start : start + _PAIRS]]
                    views = np.full(len(numbers), view, dtype=np.int64)
                    pairs = Pairs(places[start : start + _PAIRS], views, numbers)
                    old = numbers < len(self._known)
                    yield near(asked, pairs.at(old), self._known, self._limits)
                    if not old.all():
                        yield near(asked, pairs.at(~old), self._new, self._limits, first=len(self._known))

    def _proposals(self, asked: Asked, view: int) -> Iterator[tuple[Numbers, Numbers]]:
        yield from self._by_hash.search_chunks(asked.codes64[:, view], self._limits.bits64)
        if self._by_layout is not None and self._limits.layout is not None:
            yield from self._by_layout.search_chunks(asked.layouts[:, view], self._limits.layout)


def near(asked: Asked, pairs: Pairs, others: Uprights, limits: Limits, first: int = 0) -> NearPairs:
    """Those of some proposed pairs that are near; their numbers are places in `others`, whose first has number `first`.

    The places of `pairs` count from the first asked picture, those of the answer from the first new one.
    """
    at = pairs.numbers - first
    difference = asked.codes256[pairs.places, pairs.views] ^ others.codes256[at]
    bits256 = np.bitwise_count(difference).sum(axis=1, dtype=np.int64)
    left = np.flatnonzero(bits256 <= limits.most_bits256)
    thumbs, other_thumbs = asked.thumbs[pairs.places[left], pairs.views[left]], others.thumbs[at[left]]
    likely = may_be_confirmed(bits256[left], thumbs, other_thumbs, limits)
    left, thumbs, other_thumbs = left[likely], thumbs[likely], other_thumbs[likely]
    found = differences(thumbs, other_thumbs)
    sure = confirmed(bits256[left], found, limits)
    left = left[sure]
    places, views = pairs.places[left], pairs.views[left]
    bits64 = np.bitwise_count(asked.codes64[places, views] ^ others.codes64[at[left]]).astype(np.int64)
    return NearPairs(places + asked.start, views, pairs.numbers[left], bits64, bits256[left], found.colour[sure])


def _words(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of 32 bytes as four words each."""
    return codes.view(np.uint64)
