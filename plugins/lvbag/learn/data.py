"""A snapshot in memory: every crop as the square that the classifier sees, with its row of the manifest.

The crops come from the snapshot's tars, one after the other; each is checked against the digest in the manifest. At
224 pixels 130,000 crops take 20 GB: no decoding and no waiting for the store during training. What was taken down since
the snapshot was built is neither expected nor used, also while it is being taken out.
"""

from __future__ import annotations

import hashlib
import logging
import tarfile
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lvbag import schemas
from lvbag.images import ImageRefused, decode, square
from lvbag.learn.errors import LearnError
from lvbag.settings import ImageSettings
from lvbag.store import CorruptObject, ObjectMissing, Store, keys
from lvbag.store.tables import read_table
from lvbag.tombstones import read_holes

log = logging.getLogger(__name__)

DECODED_AT_ONCE = 256


@dataclass(frozen=True)
class Snapshot:
    """What is trained on or measured: `rows` fits `schemas.MANIFEST`, `images` is uint8 (rows, side, side, 3).

    A product of which everything was taken down keeps its label and has no row.
    """

    name: str
    products: tuple[str, ...]  # style codes in the order of the labels
    rows: pl.DataFrame
    images: npt.NDArray[np.uint8]

    def indices(self, split: str) -> npt.NDArray[np.int64]:
        """Positions of the rows of a split."""
        return np.flatnonzero((self.rows["split"] == split).to_numpy())

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Label of each row, as an index of `products`."""
        return self.rows["label"].to_numpy().astype(np.int64)


def read_snapshot(
    store: Store, snapshot: str, side_px: int, limits: ImageSettings, splits: tuple[str, ...] = ("train", "val", "test")
) -> Snapshot:
    """Read the splits of a snapshot; raises `LearnError` when there is none or it has no image, `CorruptObject`."""
    ref = keys.snapshot(snapshot, "manifest.parquet")
    try:
        manifest = read_table(store, ref, schemas.MANIFEST)
    except ObjectMissing:
        raise LearnError(f"there is no snapshot {snapshot!r} ({store.uri(ref)}); curate a night first") from None
    products = _products(manifest, store.uri(ref))
    rows = _without(manifest.filter(pl.col("split").is_in(list(splits))), read_holes(store, snapshot))
    if rows.is_empty():
        raise LearnError(f"snapshot {snapshot} has no image in {', '.join(splits)}; curate.test_share divides them")
    position = {sha256: index for index, sha256 in enumerate(rows["sha256"])}
    digests = dict(zip(rows["sha256"], rows["crop_sha256"], strict=True))
    images = np.empty((len(rows), side_px, side_px, 3), np.uint8)
    limits = limits.model_copy(update={"min_side_px": 1})  # a rule for photos; a crop of a slim bag may be narrower
    done: set[str] = set()
    for number in sorted(set(rows["shard"])):
        shard = keys.snapshot_shard(snapshot, number)
        for sha256, pixels in _decoded(store, shard, digests, side_px, limits):
            images[position[sha256]] = pixels
            done.add(sha256)
    left = rows if len(done) == len(rows) else _without(rows, read_holes(store, snapshot))  # taken down meanwhile?
    if not done >= set(left["sha256"]):
        raise CorruptObject(f"snapshot {snapshot}: the shards hold {len(done)} of {len(rows)} crops of the manifest")
    if len(left) < len(rows):
        images = images[[position[sha256] for sha256 in left["sha256"]]]
        rows = left
    log.info("train.read snapshot=%s images=%d side=%d MB=%d", snapshot, len(rows), side_px, images.nbytes // 2**20)
    return Snapshot(snapshot, products, rows, images)


def _without(rows: pl.DataFrame, holes: Collection[str]) -> pl.DataFrame:
    """The rows whose images still stand."""
    return rows.filter(~pl.col("sha256").is_in(pl.Series(list(holes), dtype=pl.String).implode())) if holes else rows


def _products(manifest: pl.DataFrame, uri: str) -> tuple[str, ...]:
    """Style codes by label; the manifest carries both, so that no second file must agree with it."""
    pairs = manifest.select("label", "style_code").unique().sort("label")
    if pairs["label"].to_list() != list(range(len(pairs))):
        raise CorruptObject(f"{uri}: labels and style codes do not match one to one")
    return tuple(pairs["style_code"])


def _decoded(
    store: Store, shard: keys.Ref, digests: dict[str, str], side_px: int, limits: ImageSettings
) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Squares of one tar by the sha256 of their originals, decoded by as many threads as there are cores."""

    def prepare(member: tuple[str, bytes]) -> tuple[str, npt.NDArray[np.uint8]]:
        sha256, data = member
        if hashlib.sha256(data).hexdigest() != digests[sha256]:
            raise CorruptObject(f"{store.uri(shard)}: the crop of {sha256} is not the one in the manifest")
        try:
            return sha256, square(decode(data, limits), side_px)
        except ImageRefused as error:
            raise CorruptObject(f"{store.uri(shard)}: the crop of {sha256} does not decode: {error}") from None

    with tempfile.TemporaryDirectory(prefix="lvbag-shard-") as folder, ThreadPoolExecutor() as threads:
        members = _members(store.download(shard, Path(folder) / "shard.tar"), digests)
        while batch := list(islice(members, DECODED_AT_ONCE)):
            yield from threads.map(prepare, batch)


def _members(path: Path, wanted: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """The crops of a tar that are wanted, as sha256 of the original and bytes."""
    with tarfile.open(path) as tar:
        for member in tar:
            sha256, _, suffix = member.name.rpartition(".")
            file = tar.extractfile(member) if suffix == "jpg" and sha256 in wanted else None
            if file is not None:
                yield sha256, file.read()
