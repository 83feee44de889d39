"""Which of very many 64-bit codes lie within a few bits of others: an exact index, in memory bounded by the codes.

Multi-index hashing (Norouzi, Punjani and Fleet, 2012): the bits are dealt into three chunks, and codes that differ in
at most r bits differ in at most about r / 3 bits of one of them. Each chunk has a table of its values; a query looks up
its own value and those a few flips away, and only what stands there is compared in full. However the codes are
distributed the answer is the same and the work bounded: a query that would meet too many that way is compared with
every code in turn. Nothing is decided here: what is near in 64 bits is a proposal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lvbag.curate.duplicates.hash_tables import Found, Table, look_ups
from lvbag.curate.errors import CurateError

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Numbers of queries and of codes, side by side."""

_CHUNKS = (tuple(range(1, 64, 3)), tuple(range(2, 64, 3)), tuple(range(0, 64, 3)))
"""Every third bit: neighbours in a perceptual hash are correlated, and a chunk's values should spread."""

_FEW = 32_768
"""So many codes are compared in turn as fast as looked up; also how many newcomers wait until they are indexed."""

_LOOK_UP_COST, _MET_COST = 24, 16
"""Looking up a value, and comparing a code met there, take as long as comparing so many codes in turn."""

_LOOK_UPS = 1 << 19
"""Values looked up at a time: some ten MB."""

_MET = 1 << 20
"""Codes met that are compared at a time, and the most pairs in a piece: some ten MB."""

_IN_TURN = 1 << 17
"""Pairs compared in turn at a time: about 1 MB, so that the processor's cache holds them."""


class HashIndex:
    """Codes to be searched for those within a distance; a code's number is its place in the order of adding."""

    def __init__(self, codes: NDArray[np.uint64]) -> None:
        self._room = np.empty(0, dtype=np.uint64)  # the codes, and room for more
        self._count = 0
        self._indexed = 0  # the codes behind these wait to be indexed and are compared in turn
        self._tables: tuple[Table, ...] = ()
        self.add(codes)

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Memory that it holds: 44 bytes a code, one more as room to grow, and 32 MB of tables where there are many."""
        return self._room.nbytes + sum(table.nbytes for table in self._tables)

    def add(self, codes: NDArray[np.uint64]) -> None:
        """Add codes; they get the next numbers. Cheap for a few thousand: the tables are renewed only after many."""
        codes = _checked(codes)
        count = self._count + len(codes)
        if count > len(self._room):
            room = np.empty(count + (count // 8 if self._count else 0), dtype=np.uint64)
            room[: self._count] = self._codes
            self._room = room
        self._room[self._count : count] = codes
        self._count = count
        if count - self._indexed > max(_FEW, self._indexed // 32):
            self._tables = tuple(Table.of(self._codes, bits) for bits in _CHUNKS)
            self._indexed = count

    def search(self, queries: NDArray[np.uint64], radius: int) -> Pairs:
        """All pairs of a query and a code at most `radius` bits apart, ordered by query and then by code.

        However many pairs there are, all stand in memory at once: see `search_chunks`.
        """
        pieces = list(self.search_chunks(queries, radius))
        return _joined([queries for queries, _ in pieces]), _joined([codes for _, codes in pieces])

    def search_chunks(self, queries: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
        """The same pairs in the same order, in pieces of at most about a million; none is empty."""
        if radius < 0:
            raise CurateError(f"cannot search within {radius} bits: give a radius of 0 or more")
        queries = _checked(queries)
        flips = _flips(radius)
        work = sum(look_ups(len(bits), most) for bits, most in zip(_CHUNKS, flips, strict=True))
        if work * _LOOK_UP_COST > self._indexed:
            yield from _in_turn(queries, self._codes, radius)
            return
        step = max(1, _LOOK_UPS // work)
        for start in range(0, len(queries), step):
            yield from _numbered(self._look_up(queries[start : start + step], radius, flips), start)

    @property
    def _codes(self) -> NDArray[np.uint64]:
        return self._room[: self._count]

    def _look_up(self, queries: NDArray[np.uint64], radius: int, flips: tuple[int, ...]) -> Iterator[Pairs]:
        found = [table.look_up(queries, most) for table, most in zip(self._tables, flips, strict=True)]
        met = sum((one.met() for one in found), np.zeros(len(queries), dtype=np.int64))
        too_many = met > self._indexed // _MET_COST
        for start, end in _pieces(met + (self._count - self._indexed), too_many):
            if too_many[start]:
                yield from _numbered(_in_turn(queries[start:end], self._codes, radius), start)
                continue
            one, other = self._compare(queries, start, end, found, radius)
            if len(one):
                yield one, other

    def _compare(self, queries: NDArray[np.uint64], start: int, end: int, found: list[Found], radius: int) -> Pairs:
        """The pairs of a range of queries: among what they met, and among the codes that wait."""
        waiting = _in_turn(queries[start:end], self._codes[self._indexed :], radius)
        packed = [(one + start) << 32 | (other + self._indexed) for one, other in waiting]
        for number, (table, one) in enumerate(zip(self._tables, found, strict=True)):
            who, places = one.expand(start, end)
            difference = queries[who] ^ table.codes[places]
            near = np.flatnonzero(np.bitwise_count(difference) <= radius)
            for earlier, before in zip(self._tables[:number], found[:number], strict=True):
                # what an earlier table has met stands there already
                near = near[np.bitwise_count(difference[near] & earlier.mask) > before.flips]
            packed.append(who[near] << 32 | table.order[places[near]].astype(np.int64))
        pairs = np.sort(_joined(packed))
        return pairs >> 32, pairs & 0xFFFFFFFF


def _flips(radius: int) -> tuple[int, ...]:
    """How many flips in each chunk suffice: codes that differ in more in every chunk differ in more than the radius."""
    spare = max(0, radius - (len(_CHUNKS) - 1))
    return tuple((spare + len(_CHUNKS) - 1 - chunk) // len(_CHUNKS) for chunk in range(len(_CHUNKS)))


def _pieces(work: NDArray[np.int64], alone: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Cut a row of queries where their work sums up to `_MET`, and around each that stands alone."""
    start, so_far = 0, 0
    for end in range(len(work)):
        if end > start and (alone[end] or alone[end - 1] or so_far + work[end] > _MET):
            yield start, end
            start, so_far = end, 0
        so_far += work[end]
    if start < len(work):
        yield start, len(work)


def _in_turn(queries: NDArray[np.uint64], codes: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
    """Compare each query with each code, in order."""
    if not len(codes):
        return
    rows = max(1, _IN_TURN // len(codes))
    for row in range(0, len(queries), rows):
        some = queries[row : row + rows, None]
        for column in range(0, len(codes), _IN_TURN):
            near = np.bitwise_count(some ^ codes[column : column + _IN_TURN]) <= radius
            places = np.flatnonzero(near)
            if len(places):
                one, other = np.divmod(places, near.shape[1])
                yield one + row, other + column


def _numbered(pieces: Iterator[Pairs], first: int) -> Iterator[Pairs]:
    return ((one + first, other) for one, other in pieces)


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def _checked(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    if codes.dtype != np.uint64 or codes.ndim != 1:
        raise CurateError(f"the index takes a row of 64-bit codes (uint64), not {codes.dtype} of shape {codes.shape}")
    return codes
