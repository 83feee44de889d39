"""Very many 64-bit codes grouped by the value of a few of their bits: what `hash_index` looks up.

A table gives for a query all codes whose value is a few flips away from the query's. It knows nothing of how far the
whole codes are apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Found:
    """Where in a table's order the codes stand that b queries meet by p look-ups: `starts` and `counts` (b, p).

    `flips` is how many bits of the table's the codes may differ in.
    """

    flips: int
    starts: NDArray[np.int32]
    counts: NDArray[np.int32]

    def met(self) -> NDArray[np.int64]:
        """How many codes each query meets."""
        total: NDArray[np.int64] = self.counts.sum(axis=1, dtype=np.int64)
        return total

    def expand(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each query of a range beside each code it meets: the query's number, the code's place in the order."""
        counts = self.counts[first:last]
        full = np.flatnonzero(counts)
        many = counts.ravel()[full].astype(np.int64)
        ends = np.cumsum(many)
        total = int(many.sum())
        places = np.repeat(self.starts[first:last].ravel()[full] - (ends - many), many) + np.arange(total)
        return np.repeat(full // counts.shape[1] + first, many), places


@dataclass(frozen=True)
class Table:
    """n codes grouped by the value of some bits (0 the lowest; `mask` has them set).

    `order` (n,) numbers of the codes by group, `codes` (n,) the codes in that order, so that a group is read in one
    go; `offsets` where each value's group begins, one more than there are values.
    """

    bits: tuple[int, ...]
    mask: np.uint64
    order: NDArray[np.uint32]
    codes: NDArray[np.uint64]
    offsets: NDArray[np.int32]

    @classmethod
    def of(cls, codes: NDArray[np.uint64], bits: tuple[int, ...]) -> Table:
        """Group codes by some of their bits; fewer than 2 ** 31 codes."""
        values = _values(codes, bits)
        offsets = np.zeros((1 << len(bits)) + 1, dtype=np.int32)
        np.cumsum(np.bincount(values.view(np.int64), minlength=1 << len(bits)), out=offsets[1:])
        # value and number in one word: sorting words is several times faster than sorting places by their values
        values <<= np.uint64(32)
        values |= np.arange(len(codes), dtype=np.uint64)
        values.sort()
        order = values.astype(np.uint32)
        return cls(bits, np.uint64(sum(1 << bit for bit in bits)), order, codes[order], offsets)

    def look_up(self, queries: NDArray[np.uint64], flips: int) -> Found:
        """The codes whose value is at most so many flips away from a query's."""
        values = _values(queries, self.bits).view(np.int64)[:, None] ^ _flipped(len(self.bits), flips)
        starts = self.offsets.take(values)
        values += 1
        return Found(flips, starts, self.offsets.take(values) - starts)

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return self.order.nbytes + self.codes.nbytes + self.offsets.nbytes


def look_ups(bits: int, flips: int) -> int:
    """How many values of so many bits are at most so many flips away from one."""
    return sum(comb(bits, count) for count in range(flips + 1))


@cache
def _flipped(bits: int, most: int) -> NDArray[np.int64]:
    """Every value of so many bits of which at most so many are set."""
    return np.array(
        [sum(1 << bit for bit in some) for count in range(most + 1) for some in combinations(range(bits), count)],
        dtype=np.int64,
    )


def _values(codes: NDArray[np.uint64], bits: tuple[int, ...]) -> NDArray[np.uint64]:
    """Some bits of each code side by side, the first one lowest."""
    values = np.zeros(len(codes), dtype=np.uint64)
    for byte, spread in enumerate(_spread(bits)):
        values |= spread[(codes >> np.uint64(8 * byte)).astype(np.uint8)]
    return values


@cache
def _spread(bits: tuple[int, ...]) -> NDArray[np.uint64]:
    """(8, 256): where the bits of each value of each byte go."""
    spread = np.zeros((8, 256), dtype=np.uint64)
    for place, bit in enumerate(bits):
        byte, within = divmod(bit, 8)
        spread[byte] |= (np.arange(256, dtype=np.uint64) >> np.uint64(within) & np.uint64(1)) << np.uint64(place)
    return spread
