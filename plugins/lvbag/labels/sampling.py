"""Some of the pictures of a label set, whatever its size: those whose digests are the smallest, so always the same."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lvbag.labels.grouping import Print
from lvbag.labels.yolo import Row

SAMPLE = 600
"""Pictures, at 12 KB each."""

Seen = tuple[Print, list[Row], NDArray[np.uint8]]


@dataclass
class Sample:
    """Takes pictures with boxes one after the other and keeps the `SAMPLE` with the smallest digests."""

    _heap: list[tuple[int, int, Seen]] = field(default_factory=list)
    _offered: int = 0

    def offer(self, print_: Print, rows: list[Row], pixels: Callable[[], NDArray[np.uint8]]) -> None:
        """A picture; its small pixels are asked for only when it is kept."""
        self._offered += 1  # equal digests are equal pictures: the first one stays
        rank = -int(print_.sha256, 16)
        if len(self._heap) < SAMPLE:
            heapq.heappush(self._heap, (rank, -self._offered, (print_, rows, pixels())))
        elif rank > self._heap[0][0]:
            heapq.heapreplace(self._heap, (rank, -self._offered, (print_, rows, pixels())))

    def pictures(self) -> list[Seen]:
        """Those that are kept, sorted by digest."""
        return [seen for _, _, seen in sorted(self._heap, key=lambda item: (-item[0], -item[1]))]
