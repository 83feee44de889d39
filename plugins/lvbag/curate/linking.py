"""Which pictures are near-duplicates of which: the decision, on fingerprints alone.

64 bits propose, 256 bits and colour confirm. A picture is linked to a cluster's representative directly, never to one
of its members: chains of small distances would run together into one heap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lvbag.settings import CurateSettings

_CHUNK = 1024
"""Pictures compared with one another at a time: bounds memory to a few MB however alike the pictures are."""


@dataclass(frozen=True)
class Limits:
    """The largest distances of near-duplicates: bits of 64, bits of 256, mean CIELAB distance."""

    bits64: int
    bits256: int
    colour: float


@dataclass(frozen=True)
class Prints:
    """Fingerprints of n pictures: phash64 (n,) uint64, phash256 (n, 32) uint8, thumbs (n, 64, 3) int8 CIELAB."""

    phash64: NDArray[np.uint64]
    phash256: NDArray[np.uint8]
    thumbs: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.phash64)


@dataclass(frozen=True)
class Link:
    """A picture's representative, by its number among the known and then the new ones, and the distances to it."""

    representative: int
    distance64: int
    distance256: int
    colour: float


def near_limits(settings: CurateSettings) -> Limits:
    """The limits that the settings give."""
    return Limits(settings.near_max_distance64, settings.near_max_distance256, settings.near_max_colour)


def pack(phash64: list[int], phash256: list[bytes], thumbs: list[bytes]) -> Prints:
    """Fingerprints as columns of tables hold them, packed for comparison."""
    return Prints(
        np.array(phash64, dtype=np.uint64),
        np.frombuffer(b"".join(phash256), dtype=np.uint8).reshape(-1, 32),
        np.frombuffer(b"".join(thumbs), dtype=np.int8).reshape(-1, 64, 3),
    )


def link(new: Prints, known: Prints, limits: Limits) -> list[Link]:
    """Link each new picture, in the order given, to a known representative or to an earlier new one.

    A picture near to several goes to the nearest. One that is near to none represents itself: its link has its own
    number (`len(known)` + its place) and distances of 0.
    """
    import faiss

    everything = _join(known, new)
    index = faiss.IndexBinaryFlat(64)
    index.add(_codes(known.phash64))
    numbers = list(range(len(known)))  # of the representatives, in the order in which the index holds them
    links: list[Link] = []
    for start in range(0, len(new), _CHUNK):
        chunk = new.phash64[start : start + _CHUNK]
        # range_search is strict: it gives distances below the radius
        bounds, _, found = index.range_search(_codes(chunk), limits.bits64 + 1)
        near = np.bitwise_count(chunk[:, None] ^ chunk[None, :]) <= limits.bits64
        fresh: list[int] = []  # places in the chunk that became representatives
        for place in range(len(chunk)):
            own = len(known) + start + place
            proposed = [numbers[at] for at in found[bounds[place] : bounds[place + 1]]]
            proposed += [len(known) + start + other for other in fresh if near[place, other]]
            best = _nearest(everything, own, np.array(sorted(proposed), dtype=np.int64), limits)
            if best is None:
                fresh.append(place)
            links.append(best or Link(own, 0, 0, 0.0))
        index.add(_codes(chunk[fresh]))
        numbers += [len(known) + start + place for place in fresh]
    return links


def near_pairs(new: Prints, others: Prints, limits: Limits) -> list[tuple[int, int]]:
    """All confirmed pairs of a new picture and another one, by their numbers, in order; equal pictures included."""
    import faiss

    index = faiss.IndexBinaryFlat(64)
    index.add(_codes(others.phash64))
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(new), _CHUNK):
        bounds, _, found = index.range_search(_codes(new.phash64[start : start + _CHUNK]), limits.bits64 + 1)
        for place in range(len(bounds) - 1):
            proposed = np.sort(found[bounds[place] : bounds[place + 1]])
            bits, colour = _distances(others, proposed, new, start + place)
            near = proposed[(bits <= limits.bits256) & (colour <= limits.colour)]
            pairs += [(start + place, int(other)) for other in near]
    return pairs


def _nearest(prints: Prints, own: int, proposed: NDArray[np.int64], limits: Limits) -> Link | None:
    """The nearest of the proposed representatives that 256 bits and colour confirm; of equals the first number."""
    if not len(proposed):
        return None
    bits, colour = _distances(prints, proposed, prints, own)
    confirmed = np.flatnonzero((bits <= limits.bits256) & (colour <= limits.colour))
    if not len(confirmed):
        return None
    best = min(confirmed, key=lambda at: (bits[at], colour[at], proposed[at]))
    number = int(proposed[best])
    bits64 = int(np.bitwise_count(prints.phash64[number] ^ prints.phash64[own]))
    return Link(number, bits64, int(bits[best]), round(float(colour[best]), 3))


def _distances(
    prints: Prints, places: NDArray[np.int64], others: Prints, own: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Bits of 256 and colour between some pictures and one other."""
    bits = np.bitwise_count(prints.phash256[places] ^ others.phash256[own]).sum(axis=1, dtype=np.int64)
    difference = prints.thumbs[places].astype(np.float32) - others.thumbs[own].astype(np.float32)
    return bits, np.sqrt((difference**2).sum(axis=2)).mean(axis=1)


def _codes(phash64: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(phash64).view(np.uint8).reshape(-1, 8)


def _join(one: Prints, other: Prints) -> Prints:
    return Prints(
        np.concatenate([one.phash64, other.phash64]),
        np.concatenate([one.phash256, other.phash256]),
        np.concatenate([one.thumbs, other.thumbs]),
    )
