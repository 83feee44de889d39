"""Pairs of pictures as arrays: proposed by indexes of codes, then confirmed a hundred thousand at a time.

One side is asked for in all its views, the other stands as it is. What is near is told by `nearness`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lvbag.curate.hash_index import HashIndex
from lvbag.curate.nearness import Limits, confirmed, differences, layouts, may_be_near_in_colour, turned_layouts
from lvbag.curate.prints import TURNED_CELLS, Prints

Numbers = NDArray[np.int64]

_PAIRS = 1 << 17
"""Pairs that are looked at at a time: some ten MB."""


@dataclass(frozen=True)
class Uprights:
    """Fingerprints of n pictures as they stand: codes64 (n,), layouts (n,), codes256 (n, 32), thumbs (n, CELLS, 3)."""

    codes64: NDArray[np.uint64]
    layouts: NDArray[np.uint64]
    codes256: NDArray[np.uint8]
    thumbs: NDArray[np.int8]

    @staticmethod
    def of(prints: Prints) -> Uprights:
        """Of all pictures; nothing but the layouts is copied."""
        return Uprights(prints.views64[:, 0], layouts(prints.thumbs), prints.views256[:, 0], prints.thumbs)

    def __len__(self) -> int:
        return len(self.codes64)

    def at(self, numbers: Numbers) -> Uprights:
        """Those with these numbers, in their order."""
        return Uprights(self.codes64[numbers], self.layouts[numbers], self.codes256[numbers], self.thumbs[numbers])


class Asked:
    """The new pictures from place `start` to `end`, with their layouts in all views."""

    def __init__(self, prints: Prints, start: int, end: int) -> None:
        self.start = start
        self.views = prints.views
        self.codes64 = prints.views64[start:end]
        self.codes256 = prints.views256[start:end]
        self.thumbs = prints.thumbs[start:end]
        self.layouts = turned_layouts(self.thumbs, self.views)

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
        added = self._new.at(places)
        self._numbers = np.concatenate([self._numbers, places + len(self._known)])
        self._by_hash.add(added.codes64)
        if self._by_layout is not None:
            self._by_layout.add(added.layouts)

    def near(self, asked: Asked) -> Iterator[NearPairs]:
        """All pairs of an asked picture, in any view, and one on the shelf that are near; some come twice."""
        for view in range(asked.views):
            for places, entries in self._proposals(asked, view):
                for start in range(0, len(places), _PAIRS):
                    some = slice(start, start + _PAIRS)
                    numbers = self._numbers[entries[some]]
                    views = np.full(len(numbers), view, dtype=np.int64)
                    yield near(asked, Pairs(places[some], views, numbers), self._at(numbers), self._limits)

    def _proposals(self, asked: Asked, view: int) -> Iterator[tuple[Numbers, Numbers]]:
        yield from self._by_hash.search_chunks(asked.codes64[:, view], self._limits.bits64)
        if self._by_layout is not None and self._limits.layout is not None:
            yield from self._by_layout.search_chunks(asked.layouts[:, view], self._limits.layout)

    def _at(self, numbers: Numbers) -> Uprights:
        known = len(self._known)
        old = numbers < known
        if old.all():
            return self._known.at(numbers)
        both = [self._known.at(numbers[old]), self._new.at(numbers[~old] - known)]
        order = np.argsort(np.argsort(~old, kind="stable"), kind="stable")
        return Uprights(
            *(np.concatenate([getattr(part, field.name) for part in both])[order] for field in fields(Uprights))
        )


def near(asked: Asked, pairs: Pairs, others: Uprights, limits: Limits) -> NearPairs:
    """Those of some proposed pairs that are near; `others` holds their other pictures, side by side with them.

    The places of `pairs` count from the first asked picture, those of the answer from the first new one.
    """
    own256 = asked.codes256[pairs.places, pairs.views]
    bits256 = np.bitwise_count(own256 ^ others.codes256).sum(axis=1, dtype=np.int64)
    left = np.flatnonzero(bits256 <= limits.most_bits256)
    thumbs, other_thumbs = _turned(asked, pairs, left), others.thumbs[left]
    likely = may_be_near_in_colour(thumbs, other_thumbs, limits.most_colour)
    left, thumbs, other_thumbs = left[likely], thumbs[likely], other_thumbs[likely]
    found = differences(thumbs, other_thumbs)
    sure = confirmed(bits256[left], found, limits)
    left = left[sure]
    places, views = pairs.places[left], pairs.views[left]
    bits64 = np.bitwise_count(asked.codes64[places, views] ^ others.codes64[left]).astype(np.int64)
    return NearPairs(places + asked.start, views, pairs.numbers[left], bits64, bits256[left], found.colour[sure])


def _turned(asked: Asked, pairs: Pairs, which: Numbers) -> NDArray[np.int8]:
    """The thumbnails of some pairs' new pictures, in the pairs' views."""
    cells = TURNED_CELLS[pairs.views[which]]
    turned: NDArray[np.int8] = np.take_along_axis(asked.thumbs[pairs.places[which]], cells[:, :, None], axis=1)
    return turned
