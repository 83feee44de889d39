"""Crops out of the shards of an earlier snapshot: a few large objects instead of one request a crop.

Nearly all of a snapshot stood in the one before it. Both are sorted by sha256, so its shards are read once, side by
side with the rows that are written. What is not there, or not as it was recorded, is fetched as ever.
"""

from __future__ import annotations

import hashlib
import logging
import tarfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from lvbag.store import ObjectMissing, Store, keys

log = logging.getLogger(__name__)


class EarlierCrops:
    """Ask for crops in the order of their sha256; `folder` has room for one shard."""

    def __init__(self, store: Store, snapshot: str, manifest: pl.DataFrame, folder: Path) -> None:
        self._members = _read(store, snapshot, manifest["shard"].unique().sort().to_list(), folder)
        self._next: tuple[str, bytes] | None = next(self._members, None)
        self.found = 0

    def crop(self, sha256: str, crop_sha256: str) -> bytes | None:
        """The crop's bytes if they stand there as recorded, else None."""
        while self._next is not None and self._next[0] < sha256:
            self._next = next(self._members, None)
        if self._next is None or self._next[0] != sha256:
            return None
        if hashlib.sha256(self._next[1]).hexdigest() != crop_sha256:
            return None  # cut anew since
        self.found += 1
        return self._next[1]


def _read(store: Store, snapshot: str, numbers: list[int], folder: Path) -> Iterator[tuple[str, bytes]]:
    """sha256 and crop of every member, shards in order; ends early where a shard is gone or is no tar."""
    for number in numbers:
        ref = keys.snapshot_shard(snapshot, number)
        try:
            with tarfile.open(store.download(ref, folder / "earlier.tar")) as tar:
                while (member := tar.next()) is not None:
                    sha256, _, kind = member.name.partition(".")
                    file = tar.extractfile(member) if kind == "jpg" else None
                    if file is not None:
                        yield sha256, file.read()
        except (ObjectMissing, tarfile.TarError, EOFError) as error:
            log.warning("curate.snapshot earlier crops are fetched one by one shard=%s why=%s", store.uri(ref), error)
            return
