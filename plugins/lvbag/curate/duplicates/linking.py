"""Which pictures are near-duplicates of which: the search, on fingerprints alone; the rule stands in `nearness`.

A picture is linked to a cluster's representative directly, never to one of its members: chains of small distances would
run together into one heap. Memory is bounded by the fingerprints, however alike the pictures are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lvbag.curate.duplicates.nearness import Limits, crop_limits, near_limits, proposed
from lvbag.curate.duplicates.pairing import Asked, NearPairs, Numbers, Pairs, Shelf, Uprights, near
from lvbag.curate.duplicates.prints import Prints, join, pack, pack_columns, take
from lvbag.images.fingerprints import VIEWS

__all__ = [
    "Limits",
    "Link",
    "Prints",
    "compare",
    "crop_limits",
    "join",
    "link",
    "near_limits",
    "near_pairs",
    "pack",
    "pack_columns",
    "take",
]

_CHUNK = 1024
"""New pictures that are linked at a time."""


@dataclass(frozen=True)
class Link:
    """A picture's representative, by its number among the known and then the new ones, and the distances to it.

    `colour` is that of `nearness.Differences`. `rule` is None for a picture that represents itself, `near` for a copy,
    and `near_<view>` for one that has to be turned, as `fingerprints.VIEWS` says, to look like its representative.
    """

    representative: int
    distance64: int
    distance256: int
    colour: float
    rule: str | None


def link(new: Prints, known: Prints, limits: Limits) -> list[Link]:
    """Link each new picture, in the order given, to a known representative or to an earlier new one.

    A picture near to several goes to the nearest (by 256 bits, then colour, view and number). One that is near to none
    represents itself: its link has its own number (`len(known)` + its place), distances of 0 and no rule. Known
    pictures are seen as they stand, new ones in all the views that they have.
    """
    shelf = Shelf(known, new, limits)
    nearest = _Nearest(len(new))
    for start in range(0, len(new), _CHUNK):
        asked = Asked(new, start, min(start + _CHUNK, len(new)))
        for pairs in shelf.near(asked):
            nearest.take(pairs)
        shelf.add(_link_within(asked, new, nearest, len(known), limits))
    return [nearest.link(place) or Link(len(known) + place, 0, 0, 0.0, None) for place in range(len(new))]


def compare(new: Prints, number: int, known: Prints, other: int, limits: Limits) -> Link | None:
    """How one picture is directly near another, in the view that is nearest; None where it is not.

    The link's `representative` is `other`.
    """
    nearest = _Nearest(1)
    asked = Asked(take(new, [number]), 0, 1)
    nearest.take(_near_to(_Target(Uprights.of(take(known, [other])), 0, other), asked, 0, limits))
    return nearest.link(0)


def near_pairs(new: Prints, others: Prints, limits: Limits) -> list[tuple[int, int]]:
    """All pairs of a new picture, in any of its views, and another one that are near, by their numbers, in order.

    Everything is near to itself.
    """
    shelf = Shelf(others, take(new, []), limits)
    found: list[tuple[int, int]] = []
    for start in range(0, len(new), _CHUNK):
        asked = Asked(new, start, min(start + _CHUNK, len(new)))
        pairs = [np.stack([some.places, some.numbers], axis=1) for some in shelf.near(asked)]
        if pairs:
            found += [(int(one), int(other)) for one, other in np.unique(np.concatenate(pairs), axis=0)]
    return found


# ------------------------------------------------------------------ linking


class _Nearest:
    """What is nearest so far to each of n new pictures."""

    def __init__(self, count: int) -> None:
        self._number = np.full(count, -1, dtype=np.int64)
        self._view = np.zeros(count, dtype=np.int64)
        self._bits64 = np.zeros(count, dtype=np.int64)
        self._bits256 = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
        self._colour = np.zeros(count, dtype=np.float32)

    def take(self, found: NearPairs) -> None:
        """Keep what is nearer than before; what is near as it stands does not count as turned."""
        if not len(found):
            return
        pairs = found.places << 32 | found.numbers
        upright = found.views == 0
        found = found.at(np.flatnonzero(upright | ~np.isin(pairs, pairs[upright])))
        order = np.lexsort((found.numbers, found.views, found.colour, found.bits256, found.places))
        ordered = found.at(order)
        _, first = np.unique(ordered.places, return_index=True)
        best = ordered.at(first)
        best = best.at(np.flatnonzero(self._is_nearer(best)))
        at = best.places
        self._number[at], self._view[at] = best.numbers, best.views
        self._bits64[at], self._bits256[at], self._colour[at] = best.bits64, best.bits256, best.colour

    def has(self, place: int) -> bool:
        """Whether anything is near to it."""
        return bool(self._number[place] >= 0)

    def link(self, place: int) -> Link | None:
        """To what is nearest; None where nothing is near."""
        if not self.has(place):
            return None
        view = VIEWS[self._view[place]]
        return Link(
            representative=int(self._number[place]),
            distance64=int(self._bits64[place]),
            distance256=int(self._bits256[place]),
            colour=round(float(self._colour[place]), 3),
            rule=f"near_{view}" if view else "near",
        )

    def _is_nearer(self, found: NearPairs) -> NDArray[np.bool_]:
        at = found.places
        nearer = np.zeros(len(at), dtype=bool)
        tied = (found.numbers != self._number[at]) | (self._view[at] != 0)  # else it is the same one, turned
        for theirs, ours in (
            (found.bits256, self._bits256[at]),
            (found.colour, self._colour[at]),
            (found.views, self._view[at]),
            (found.numbers, self._number[at]),
        ):
            nearer |= tied & (theirs < ours)
            tied &= theirs == ours
        return nearer


@dataclass(frozen=True)
class _Target:
    """One picture to compare others with: its place among some, the first of which has the number `first`."""

    among: Uprights
    place: int
    first: int


def _link_within(asked: Asked, new: Prints, nearest: _Nearest, known: int, limits: Limits) -> Numbers:
    """Link the asked pictures among themselves; returns the places of those that represent themselves.

    One after the other: what nothing is near to by its turn represents itself, and later ones may be near to it.
    """
    fresh = []
    uprights = Uprights.of(take(new, range(asked.start, asked.start + len(asked))))
    for place in range(len(asked)):
        if nearest.has(asked.start + place):
            continue
        fresh.append(asked.start + place)
        nearest.take(_near_to(_Target(uprights, place, known + asked.start), asked, place + 1, limits))
    return np.array(fresh, dtype=np.int64)


def _near_to(target: _Target, asked: Asked, start: int, limits: Limits) -> NearPairs:
    """Which of the asked pictures, from a place on, are near to one other picture."""
    bits64 = np.bitwise_count(asked.codes64[start:] ^ target.among.codes64[target.place])
    layout = np.bitwise_count(asked.layouts[start:] ^ target.among.layouts[target.place])
    places, views = np.nonzero(proposed(bits64, layout, limits))
    numbers = np.full(len(places), target.place + target.first, dtype=np.int64)
    return near(asked, Pairs(places + start, views, numbers), target.among, limits, target.first)
