"""Fingerprints of many pictures as arrays, and how a thumbnail looks when its picture is turned. Nothing is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lvbag.images.fingerprints import THUMB_SHAPE, VIEWS, Fingerprint

_ROWS, _COLUMNS, _CHANNELS = THUMB_SHAPE
CELLS = _ROWS * _COLUMNS


def _turned_cells() -> NDArray[np.intp]:
    """(8, CELLS): which cell of a thumbnail stands at each place in each of `VIEWS`."""
    grid = np.arange(CELLS).reshape(_ROWS, _COLUMNS)
    half = np.rot90(grid, 2)
    turns = (grid, grid[:, ::-1], np.rot90(grid), half, np.rot90(grid, 3), grid[::-1], grid.T, half.T)
    return np.stack([turn.ravel() for turn in turns])


TURNED_CELLS = _turned_cells()


@dataclass(frozen=True)
class Prints:
    """Fingerprints of n pictures, each seen in v of `fingerprints.VIEWS` (1, 2 or 8, the upright one first).

    views64 (n, v) uint64, views256 (n, v, 32) uint8, thumbs (n, CELLS, 3) int8 (`lvbag.images.thumbs`) of the upright
    picture.
    """

    views64: NDArray[np.uint64]
    views256: NDArray[np.uint8]
    thumbs: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.views64)

    @property
    def views(self) -> int:
        """In how many views they are seen."""
        return int(self.views64.shape[1])


def pack(prints: Sequence[Fingerprint]) -> Prints:
    """Fingerprints as `lvbag.images` makes them, with all their views."""
    count = len(prints)
    return Prints(
        np.array([one.views64 for one in prints], dtype=np.uint64).reshape(count, len(VIEWS)),
        _rows([view for one in prints for view in one.views256], 32).reshape(count, len(VIEWS), 32),
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
    views64, views256 = [phash64.to_numpy()], [_rows(phash256.to_list(), 32)]
    if flip64 is not None and flip256 is not None:
        views64.append(flip64.to_numpy())
        views256.append(_rows(flip256.to_list(), 32))
    return Prints(np.stack(views64, axis=1).astype(np.uint64), np.stack(views256, axis=1), _thumbs(thumbs.to_list()))


def take(prints: Prints, numbers: Sequence[int]) -> Prints:
    """Some of the pictures, in this order."""
    at = np.asarray(numbers, dtype=np.int64)
    return Prints(prints.views64[at], prints.views256[at], prints.thumbs[at])


def join(one: Prints, other: Prints) -> Prints:
    """The pictures of both, with the views that both have."""
    views = min(one.views, other.views)
    return Prints(
        np.concatenate([one.views64[:, :views], other.views64[:, :views]]),
        np.concatenate([one.views256[:, :views], other.views256[:, :views]]),
        np.concatenate([one.thumbs, other.thumbs]),
    )


def _thumbs(thumbs: Sequence[bytes]) -> NDArray[np.int8]:
    return _rows(thumbs, CELLS * _CHANNELS).view(np.int8).reshape(-1, CELLS, _CHANNELS)


def _rows(values: Sequence[bytes], length: int) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(-1, length)
