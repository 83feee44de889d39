"""A snapshot's pictures on the device that trains: in its memory where they fit, else fetched one batch ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lvbag.learn.classifier.data import Snapshot

if TYPE_CHECKING:
    import torch
    from torch import Tensor

RESIDENT_SHARE = 0.5
"""Of a CUDA device's free memory, up to which the pictures are kept there."""
COPIED_AT_ONCE = 2048


class Pool:
    """The pictures of some splits as uint8 (n, side, side, 3) and their labels, batch after batch."""

    def __init__(self, snapshot: Snapshot, device: torch.device, splits: Sequence[str] = ("train", "val")) -> None:
        import torch

        self._images = snapshot.images
        self._device = device
        self._labels = torch.from_numpy(snapshot.labels)
        self._on_device: Tensor | None = None
        rows = np.concatenate([snapshot.indices(split) for split in splits])
        self._position = np.full(len(snapshot.rows), -1, np.int64)
        self._position[rows] = np.arange(len(rows))
        if device.type == "cuda" and self._fits(len(rows)):
            self._on_device = self._copied(rows)
            self._labels = self._labels.to(device)

    @property
    def is_resident(self) -> bool:
        """Whether the pictures are in the device's own memory."""
        return self._on_device is not None

    def in_turn(self, batches: Sequence[npt.NDArray[np.int64]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures and labels of each batch of rows, on the device."""
        if self._on_device is not None:
            return self._resident(batches, self._on_device)
        if self._device.type == "cuda":
            return self._ahead(batches)
        return (self._fetched(rows) for rows in batches)

    def _resident(self, batches: Sequence[npt.NDArray[np.int64]], images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        import torch

        if not batches:
            return
        # the whole order goes to the device at once: a copy in each step would wait for the step before
        rows = torch.from_numpy(np.concatenate(batches)).to(self._device)
        places = torch.from_numpy(self._position[np.concatenate(batches)]).to(self._device)
        sizes = [len(batch) for batch in batches]
        for own, place in zip(torch.split(rows, sizes), torch.split(places, sizes), strict=True):
            yield images[place], self._labels[own]

    def _ahead(self, batches: Sequence[npt.NDArray[np.int64]]) -> Iterator[tuple[Tensor, Tensor]]:
        """The next batch is read from the disk while the device works on this one."""
        with ThreadPoolExecutor(1, "pictures") as thread:
            coming = thread.submit(self._fetched, batches[0]) if batches else None
            for number in range(len(batches)):
                ready = coming.result() if coming else self._fetched(batches[number])
                coming = thread.submit(self._fetched, batches[number + 1]) if number + 1 < len(batches) else None
                yield ready

    def _fetched(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        import torch

        images, labels = torch.from_numpy(self._images[rows]), self._labels[torch.from_numpy(rows)]
        if self._device.type == "cuda":
            images, labels = images.pin_memory(), labels.pin_memory()
        return images.to(self._device, non_blocking=True), labels.to(self._device, non_blocking=True)

    def _fits(self, count: int) -> bool:
        import torch

        size = count * int(np.prod(self._images.shape[1:]))
        return size < RESIDENT_SHARE * torch.cuda.mem_get_info(self._device)[0]

    def _copied(self, rows: npt.NDArray[np.int64]) -> Tensor:
        import torch

        held = torch.empty((len(rows), *self._images.shape[1:]), dtype=torch.uint8, device=self._device)
        for start in range(0, len(rows), COPIED_AT_ONCE):
            part = rows[start : start + COPIED_AT_ONCE]
            held[start : start + len(part)] = torch.from_numpy(self._images[part]).to(self._device)
        return held
