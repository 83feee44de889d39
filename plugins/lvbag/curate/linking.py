"""Which pictures are near-duplicates of which: the decision, on fingerprints alone.

64 bits propose, 256 bits and colour confirm. A picture is linked to a cluster's representative directly, never to one
of its members: chains of small distances would run together into one heap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lvbag.images.fingerprints import VIEWS, Fingerprint
from lvbag.settings import CurateSettings

@dataclass(frozen=True)
class Limits:
    """The largest distances of near-duplicates: bits of 64, bits of 256, mean CIELAB distance."""

    bits64: int
    bits256: int
    colour: float


@dataclass(frozen=True)
class Prints:
    """Fingerprints of n pictures, each seen in v of `fingerprints.VIEWS` (1, 2 or 8, the upright one first).

    views64 (n, v) uint64, views256 (n, v, 32) uint8, thumbs (n, 64, 3) int8 CIELAB of the upright picture.
    """

    views64: NDArray[np.uint64]
    views256: NDArray[np.uint8]
    thumbs: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.views64)


@dataclass(frozen=True)
class Link:
    """A picture's representative, by its number among the known and then the new ones, and the distances to it.

    `rule` is None for a picture that represents itself, `near` for a copy, `near_<view>` for one that was turned.
    """

    representative: int
    distance64: int
    distance256: int
    colour: float
    rule: str | None


def near_limits(settings: CurateSettings) -> Limits:
    """The limits for whole pictures."""
    return Limits(settings.near_max_distance64, settings.near_max_distance256, settings.near_max_colour)


def crop_limits(settings: CurateSettings) -> Limits:
    """The limits for crops."""
    return Limits(settings.crop_max_distance64, settings.crop_max_distance256, settings.crop_max_colour)


def pack(prints: Sequence[Fingerprint]) -> Prints:
    """Fingerprints as `lvbag.images` makes them, with all their views."""
    return Prints(
        np.array([one.views64 for one in prints], dtype=np.uint64).reshape(len(prints), len(VIEWS)),
        np.frombuffer(b"".join(view for one in prints for view in one.views256), dtype=np.uint8).reshape(
            len(prints), len(VIEWS), 32
        ),
        _thumbs([one.thumb for one in prints]),
    )


def pack_columns(
    phash64: pl.Series,
    phash256: pl.Series,
    thumbs: pl.Series,
    flip64: pl.Series | None = None,
    flip256: pl.Series | None = None,
) -> Prints:
    """Fingerprints as columns of tables hold them: upright, and mirrored where these columns are given. No nulls."""
    views64, views256 = [phash64.to_numpy()], [_bytes(phash256)]
    if flip64 is not None and flip256 is not None:
        views64.append(flip64.to_numpy())
        views256.append(_bytes(flip256))
    return Prints(
        np.stack(views64, axis=1).astype(np.uint64), np.stack(views256, axis=1), _thumbs(thumbs.to_list())
    )


def take(prints: Prints, numbers: Sequence[int]) -> Prints:
    """Some of the pictures, in this order."""
    at = np.asarray(numbers, dtype=np.int64)
    return Prints(prints.views64[at], prints.views256[at], prints.thumbs[at])


def join(one: Prints, other: Prints) -> Prints:
    """The pictures of both, with the views that both have."""
    views = min(one.views64.shape[1], other.views64.shape[1])
    return Prints(
        np.concatenate([one.views64[:, :views], other.views64[:, :views]]),
        np.concatenate([one.views256[:, :views], other.views256[:, :views]]),
        np.concatenate([one.thumbs, other.thumbs]),
    )


def compare(new: Prints, number: int, known: Prints, other: int, limits: Limits) -> Link | None:
    """How one picture is directly near another, in the view that is nearest; None where it is not.

    The link's `representative` is `other`.
    """
    return _nearest(new, number, known, np.array([other], dtype=np.int64), limits)


def link(new: Prints, known: Prints, limits: Limits) -> list[Link]:
    """Link each new picture, in the order given, to a known representative or to an earlier new one.

    A picture near to several goes to the nearest. One that is near to none represents itself: its link has its own
    number (`len(known)` + its place), distances of 0 and no rule.
    """
    everything = join(known, new)
    representatives = list(range(len(known)))
    links: list[Link] = []
    for place in range(len(new)):
        proposed = np.array(representatives, dtype=np.int64)
        codes = everything.views64[proposed, 0]
        near = (np.bitwise_count(codes[:, None] ^ new.views64[place][None, :]) <= limits.bits64).any(axis=1)
        best = _nearest(new, place, everything, proposed[near], limits)
        if best is None:
            representatives.append(len(known) + place)
        links.append(best or Link(len(known) + place, 0, 0, 0.0, None))
    return links


def near_pairs(new: Prints, others: Prints, limits: Limits) -> list[tuple[int, int]]:
    """All confirmed pairs of a new picture and another one, by their numbers, in order; equal pictures included."""
    pairs: list[tuple[int, int]] = []
    for place in range(len(new)):
        codes = others.views64[:, 0]
        near = (np.bitwise_count(codes[:, None] ^ new.views64[place][None, :]) <= limits.bits64).any(axis=1)
        pairs += [
            (place, int(other))
            for other in np.flatnonzero(near)
            if compare(new, place, others, int(other), limits) is not None
        ]
    return pairs


def _nearest(new: Prints, number: int, known: Prints, proposed: NDArray[np.int64], limits: Limits) -> Link | None:
    """The nearest of the proposed pictures that all distances confirm, over all views; of equals the first number."""
    found: list[tuple[int, float, int, int, int]] = []
    for view in range(new.views64.shape[1]):
        bits64 = np.bitwise_count(known.views64[proposed, 0] ^ new.views64[number, view])
        bits256 = np.bitwise_count(known.views256[proposed, 0] ^ new.views256[number, view]).sum(axis=1, dtype=np.int64)
        thumb = turned(new.thumbs[number], view)
        difference = known.thumbs[proposed].astype(np.float32) - thumb.astype(np.float32)
        colour = np.sqrt((difference**2).sum(axis=2)).mean(axis=1)
        near = (bits64 <= limits.bits64) & (bits256 <= limits.bits256) & (colour <= limits.colour)
        found += [
            (int(bits256[at]), float(colour[at]), view, int(proposed[at]), int(bits64[at])) for at in np.flatnonzero(near)
        ]
    if not found:
        return None
    bits, difference_of_colour, view, other, small = min(found)
    return Link(other, small, bits, round(difference_of_colour, 3), f"near_{VIEWS[view]}" if view else "near")


def turned(thumb: NDArray[np.int8], view: int) -> NDArray[np.int8]:
    """A thumbnail (64, 3) as it would be of the picture in one of `VIEWS`."""
    square = thumb.reshape(8, 8, 3)
    turns = (
        square,
        square[:, ::-1],
        np.rot90(square),
        np.rot90(square, 2),
        np.rot90(square, 3),
        square[::-1],
        square.transpose(1, 0, 2),
        np.rot90(square, 2).transpose(1, 0, 2),
    )
    return turns[view].reshape(64, 3)


def _thumbs(thumbs: Sequence[bytes]) -> NDArray[np.int8]:
    return np.frombuffer(b"".join(thumbs), dtype=np.int8).reshape(-1, 64, 3)


def _bytes(column: pl.Series) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(column.to_list()), dtype=np.uint8).reshape(-1, 32)
