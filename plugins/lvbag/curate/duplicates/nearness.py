"""When two pictures are near-duplicates: the rule, on fingerprints alone.

**Proposed** is a pair whose 64-bit hashes differ in few bits, or whose layouts do: which of a thumbnail's cells are
lighter than the cells around them. The hash sees the whole picture in every bit, so that a shop's plate in a corner
changes many; of a layout it changes the few cells that it covers.

**Confirmed** is a proposed pair by its 256-bit hashes and its thumbnails (`differences`), in one of two ways: the
shapes are as good as the same, then light and colours may differ as far as editing goes; or the colours are as good as
the same and no edges moved, then the hashes may differ as far as a mark that was laid over the picture makes them.
Hashes alone cannot tell: they are grey, and bags of one shape in two colours are as near in them as copies are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lvbag.curate.duplicates.prints import CELLS, TURNED_CELLS
from lvbag.images.fingerprints import THUMB_SHAPE
from lvbag.images.thumbs import THUMB_UNITS
from lvbag.settings import CurateSettings

Colours = NDArray[np.float32]

_UNITS = np.array(THUMB_UNITS, dtype=np.float32)
_MOST_SHIFT = np.array((8.0, 4.0, 4.0), dtype=np.float32)
"""Of L, a and b: so far the light of a whole picture may differ without counting."""

_COVERED = 8
"""Cells of 64 that a mark may cover: they do not count, however different they are."""

_COVERED_OF_FIGURE = 4
"""At most one in so many of the cells that show something: of a small bag less may be covered."""

_BACKGROUND = 6.0
"""A cell farther than this from its picture's median colour shows something."""

_LIGHTER = 20
"""In steps of a thumbnail's L, over four neighbours: 2.5 L more than around them on average."""

_AT_ONCE = 1 << 14
"""Thumbnails that are looked at at a time: some ten MB."""


@dataclass(frozen=True)
class Marked:
    """The largest distances of a picture and its copy with a mark on it: all of them hold."""

    bits256: int
    colour: float
    moved: float


@dataclass(frozen=True)
class Limits:
    """The largest distances of near-duplicates.

    `bits64` or `layout` (None: not looked at) propose; `bits256` and `colour` together confirm, or `marked`.
    """

    bits64: int
    bits256: int
    colour: float
    layout: int | None = None
    marked: Marked | None = None

    @property
    def most_bits256(self) -> int:
        """Beyond which nothing is near."""
        return self.bits256 if self.marked is None else max(self.bits256, self.marked.bits256)


@dataclass(frozen=True)
class Differences:
    """What thumbnails differ by, pair by pair, in CIELAB as CIE94 weighs it.

    First what they differ by as a whole is taken off, at most 8 in L and 4 in a and b: the median over the cells.

    `colour`, the colour distance: what no cell differs by more than, once the most different cells are left out: a
    quarter of those that show more than background, and 8 at most. A mark covers no more.

    `moved`: the lightness by which two cells or more became lighter and two or more darker. In another size or pose
    edges move and do both; a mark lays on ink.
    """

    colour: NDArray[np.float32]
    moved: NDArray[np.float32]


def near_limits(settings: CurateSettings) -> Limits:
    """The limits for whole pictures."""
    return Limits(
        settings.near_max_distance64,
        settings.near_max_distance256,
        settings.near_max_colour,
        settings.near_max_layout,
        Marked(settings.near_marked_distance256, settings.near_marked_colour, settings.near_marked_moved),
    )


def crop_limits(settings: CurateSettings) -> Limits:
    """The limits for crops. No two are cut quite alike, which moves a hash as a mark does: there is but that way."""
    marked = Marked(settings.crop_max_distance256, settings.crop_max_colour, settings.crop_max_moved)
    return Limits(settings.crop_max_distance64, -1, -1.0, settings.near_max_layout, marked)


def layouts(thumbs: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Thumbnails (n, CELLS, 3) as codes of 64 bits (n,): which cells are lighter than those around them."""
    starts = range(0, max(1, len(thumbs)), _AT_ONCE)
    return np.concatenate([_layouts(thumbs[start : start + _AT_ONCE, :, 0]) for start in starts])


def turned_layouts(thumbs: NDArray[np.int8], views: int) -> NDArray[np.uint64]:
    """The codes (n, views) that `layouts` gives for the pictures in their first views."""
    return np.stack([layouts(thumbs[:, TURNED_CELLS[view]]) for view in range(views)], axis=1)


def proposed(bits64: NDArray[np.uint8], layout: NDArray[np.uint8], limits: Limits) -> NDArray[np.bool_]:
    """Which pairs at these distances are worth a closer look."""
    near = bits64 <= limits.bits64
    return near if limits.layout is None else near | (layout <= limits.layout)


def confirmed(bits256: NDArray[np.int64], thumbs: Differences, limits: Limits) -> NDArray[np.bool_]:
    """Which proposed pairs at these distances are near-duplicates."""
    near = (bits256 <= limits.bits256) & (thumbs.colour <= limits.colour)
    if (most := limits.marked) is not None:
        near |= (bits256 <= most.bits256) & (thumbs.colour <= most.colour) & (thumbs.moved <= most.moved)
    return near


def differences(one: NDArray[np.int8], other: NDArray[np.int8]) -> Differences:
    """Of pairs of thumbnails, (n, CELLS, 3) each."""
    starts = range(0, max(1, len(one)), _AT_ONCE)
    parts = [_differences(one[start : start + _AT_ONCE], other[start : start + _AT_ONCE]) for start in starts]
    return Differences(np.concatenate([part.colour for part in parts]), np.concatenate([part.moved for part in parts]))


def may_be_confirmed(
    bits256: NDArray[np.int64], one: NDArray[np.int8], other: NDArray[np.int8], limits: Limits
) -> NDArray[np.bool_]:
    """False only for pairs that `confirmed` surely turns down: a first look at lightness alone, several times cheaper.

    A colour distance is no smaller than the one in lightness, and at most `_COVERED` cells are left out.
    """
    parts = []
    for start in range(0, max(1, len(one)), _AT_ONCE):
        at = slice(start, start + _AT_ONCE)
        moved, apart = _in_lightness(one[at, :, 0], other[at, :, 0])
        parts.append(confirmed(bits256[at], Differences(apart, moved), limits))
    return np.concatenate(parts)


def _layouts(lightness: NDArray[np.int8]) -> NDArray[np.uint64]:
    rows, columns, _ = THUMB_SHAPE
    grid = lightness.reshape(-1, rows, columns).astype(np.int16)
    wide = np.pad(grid, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
    lighter = (4 * grid - around > _LIGHTER).reshape(-1, CELLS)
    return np.ascontiguousarray(np.packbits(lighter, axis=1)).view(">u8").ravel().astype(np.uint64)


def _in_lightness(one: NDArray[np.int8], other: NDArray[np.int8]) -> tuple[Colours, Colours]:
    """Of pairs of thumbnails' lightness (n, CELLS): what moved, and what all cells but `_COVERED` differ by at most."""
    steps = np.sort(other.astype(np.int16) - one, axis=1)  # whole steps sort several times as fast as shares
    middle = (steps[:, CELLS // 2 - 1] + steps[:, CELLS // 2]) * np.float32(0.5)
    most = _MOST_SHIFT[0] / _UNITS[0]
    shift = np.clip(middle, -most, most)
    low, high = steps[:, : _COVERED + 1] - shift[:, None], steps[:, -_COVERED - 1 :] - shift[:, None]
    # the cells left out lie at both ends: so many of the lowest and the rest of the highest
    apart = np.maximum(-low, high).min(axis=1).clip(min=0) * _UNITS[0]
    moved = np.minimum(high[:, -2], -low[:, 1]).clip(min=0) * _UNITS[0]
    return moved.astype(np.float32), apart.astype(np.float32)


def _differences(one: NDArray[np.int8], other: NDArray[np.int8]) -> Differences:
    first, second = one * _UNITS, other * _UNITS
    difference = second - first
    difference -= np.clip(_median(difference), -_MOST_SHIFT, _MOST_SHIFT)
    apart = np.sort((difference**2).sum(axis=2), axis=1)
    figure = (_shows(first) | _shows(second)).sum(axis=1)
    counted = CELLS - 1 - np.minimum(_COVERED, figure // _COVERED_OF_FIGURE)
    lightness = np.sort(difference[:, :, 0], axis=1)
    return Differences(
        colour=np.sqrt(apart[np.arange(len(apart)), counted]),
        moved=np.minimum(lightness[:, -2], -lightness[:, 1]).clip(min=0),
    )


def _shows(colours: Colours) -> NDArray[np.bool_]:
    """Which cells (n, CELLS) show something else than the picture's median colour."""
    apart = ((colours - _median(colours)) ** 2).sum(axis=2)
    shows: NDArray[np.bool_] = apart > _BACKGROUND**2
    return shows


def _median(values: Colours) -> Colours:
    """Over the cells, (n, 1, 3); for rows as short as these sorting is faster than `np.median`."""
    ordered = np.sort(values, axis=1)
    half = CELLS // 2
    middle: Colours = (ordered[:, half - 1 : half] + ordered[:, half : half + 1]) * np.float32(0.5)
    return middle
