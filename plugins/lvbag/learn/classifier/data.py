"""A snapshot's pictures: every crop as the square that the classifier sees, with its row of the manifest.

The crops come from the snapshot's tars, one after the other; each is checked against the digest in the manifest, and
decoded once: with a cache the squares stand in a file that is mapped into memory, so that a million of them (150 GB at
224 pixels) need no memory of their own, and the next training of the same side waits for nothing. What was taken down
since the snapshot was built is neither expected nor used, also while it is being taken out, and is wiped in the cache.
"""

from __future__ import annotations

import hashlib
import logging
import tarfile
import tempfile
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
import polars as pl

from lvbag import schemas
from lvbag.images import ImageRefused, decode, square
from lvbag.learn.errors import LearnError
from lvbag.learn.local_cache import LocalCache, reserve
from lvbag.settings import ImageSettings
from lvbag.store import CorruptObject, ObjectInfo, ObjectMissing, Ref, Store, keys
from lvbag.store.tables import read_table
from lvbag.tombstones import read_holes

log = logging.getLogger(__name__)

DECODED_AT_ONCE = 256
DECODER = f"1, Pillow {PIL.__version__}"
"""What squares in the cache were decoded by; another release may give other pixels."""
SPLITS = ("train", "val", "test")
PROGRESS_S = 30.0
"""Between two lines about a long reading."""


@dataclass(frozen=True)
class Pictures:
    """Squares, uint8 (n, side, side, 3), in an array or a mapped file that may hold others as well.

    Rows are taken by a position, a slice, positions or a mask, as from an array; what is taken is a copy.
    """

    array: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int64]  # of each of the n squares in the array

    def __getitem__(self, rows: int | slice | npt.NDArray[np.integer | np.bool_]) -> npt.NDArray[np.uint8]:
        return np.asarray(self.array[self.places[rows]])

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, side, side, 3)."""
        return (len(self), *self.array.shape[1:])

    @property
    def nbytes(self) -> int:
        """Of the n squares."""
        return len(self) * int(np.prod(self.array.shape[1:]))


@dataclass(frozen=True)
class Snapshot:
    """What is trained on or measured: `rows` fits `schemas.MANIFEST`, `images` is uint8 (rows, side, side, 3).

    A product of which everything was taken down keeps its label and has no row.
    """

    name: str
    products: tuple[str, ...]  # style codes in the order of the labels
    rows: pl.DataFrame
    images: Pictures | npt.NDArray[np.uint8]

    def indices(self, split: str) -> npt.NDArray[np.int64]:
        """Positions of the rows of a split."""
        return np.flatnonzero((self.rows["split"] == split).to_numpy())

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Label of each row, as an index of `products`."""
        return self.rows["label"].to_numpy().astype(np.int64)


def read_snapshot(
    store: Store,
    snapshot: str,
    side_px: int,
    limits: ImageSettings,
    splits: tuple[str, ...] = SPLITS,
    *,
    cache: LocalCache | None = None,
) -> Snapshot:
    """Read the splits of a snapshot, into memory or, with a cache, into a mapped file.

    Raises `LearnError` when there is none, it has no image, or it goes away meanwhile, `CorruptObject` when it is not
    what was written.
    """
    ref = keys.snapshot(snapshot, "manifest.parquet")
    try:
        manifest = read_table(store, ref, schemas.MANIFEST)
    except ObjectMissing:
        raise LearnError(f"there is no snapshot {snapshot!r} ({store.uri(ref)}); curate a night first") from None
    products = _products(manifest, store.uri(ref))
    holes = read_holes(store, snapshot)
    if _without(manifest.filter(pl.col("split").is_in(list(splits))), holes).is_empty():
        raise LearnError(f"snapshot {snapshot} has no image in {', '.join(splits)}; curate.test_share divides them")
    source = _Source(store, snapshot, side_px, limits.model_copy(update={"min_side_px": 1}), cache)
    kept, array = _read(source, manifest, splits)
    after = read_holes(store, snapshot)  # what was taken down meanwhile is among them
    place = {sha256: index for index, sha256 in enumerate(kept["sha256"])}
    _wipe(array, [place[sha256] for sha256 in after if sha256 in place])
    if after:
        _drop_old_shards(source, kept)
    rows = _without(kept.filter(pl.col("split").is_in(list(splits))), after)
    places = np.array([place[sha256] for sha256 in rows["sha256"]], np.int64)
    images = Pictures(array, places)
    log.info("train.read snapshot=%s images=%d side=%d MB=%d", snapshot, len(rows), side_px, images.nbytes // 2**20)
    return Snapshot(snapshot, products, rows, images)


@dataclass(frozen=True)
class _Source:
    """Where squares come from; `limits` hold for photos, of which a crop of a slim bag may be narrower."""

    store: Store
    snapshot: str
    side_px: int
    limits: ImageSettings
    cache: LocalCache | None


def _read(
    source: _Source, manifest: pl.DataFrame, splits: tuple[str, ...]
) -> tuple[pl.DataFrame, npt.NDArray[np.uint8]]:
    """Rows of the manifest and their squares; in the cache there may be those of more splits than were asked for."""
    shape = (source.side_px, source.side_px, 3)
    if source.cache is None:
        rows = manifest.filter(pl.col("split").is_in(list(splits)))
        array = np.empty((len(rows), *shape), np.uint8)
        _fill(source, rows, array)
        return rows, array
    if source.cache.find("squares", _name(manifest, source.side_px)) is None:
        manifest = manifest.filter(pl.col("split").is_in(list(splits)))

    def make(path: Path) -> None:
        reserve(path, len(manifest) * int(np.prod(shape)))
        squares = np.memmap(path, np.uint8, "r+", shape=(len(manifest), *shape))
        _fill(source, manifest, squares)
        squares.flush()

    size = len(manifest) * int(np.prod(shape))
    path = source.cache.obtain("squares", _name(manifest, source.side_px), size, make)
    return manifest, np.memmap(path, np.uint8, "r+", shape=(len(manifest), *shape))


def _name(rows: pl.DataFrame, side_px: int) -> str:
    """Of an entry of the cache: it depends on the crops and their order, the side, and what decodes."""
    digest = hashlib.sha256(f"{DECODER} {side_px}".encode())
    for one in rows.select("sha256", "crop_sha256").iter_rows():
        digest.update(bytes.fromhex("".join(one)))
    return digest.hexdigest()[:32]


def _wipe(array: npt.NDArray[np.uint8], places: list[int]) -> None:
    """White instead of what was taken down, also where an earlier reading put it into a file."""
    for place in places:
        array[place] = 255


def _fill(source: _Source, rows: pl.DataFrame, array: npt.NDArray[np.uint8]) -> None:
    """Decode the rows' crops into the array, shard by shard; raises `CorruptObject` where one is not there."""
    place = {sha256: index for index, sha256 in enumerate(rows["sha256"])}
    digests = dict(zip(rows["sha256"], rows["crop_sha256"], strict=True))
    done: set[str] = set()
    said = time.monotonic()
    for number in sorted(set(rows["shard"])):
        shard = keys.snapshot_shard(source.snapshot, number)
        for sha256, pixels in _squares(source, shard, digests):
            array[place[sha256]] = pixels
            done.add(sha256)
            if time.monotonic() - said > PROGRESS_S:
                log.info("train.decode snapshot=%s %d of %d", source.snapshot, len(done), len(rows))
                said = time.monotonic()
    if len(done) < len(rows):
        left = _without(rows, read_holes(source.store, source.snapshot))  # taken down before or meanwhile?
        if not done >= set(left["sha256"]):
            raise CorruptObject(
                f"snapshot {source.snapshot}: the shards hold {len(done)} of {len(rows)} crops of the manifest"
            )


def _without(rows: pl.DataFrame, holes: Collection[str]) -> pl.DataFrame:
    """The rows whose images still stand."""
    return rows.filter(~pl.col("sha256").is_in(pl.Series(list(holes), dtype=pl.String).implode())) if holes else rows


def _products(manifest: pl.DataFrame, uri: str) -> tuple[str, ...]:
    """Style codes by label; the manifest carries both, so that no second file must agree with it."""
    pairs = manifest.select("label", "style_code").unique().sort("label")
    if pairs["label"].to_list() != list(range(len(pairs))):
        raise CorruptObject(f"{uri}: labels and style codes do not match one to one")
    return tuple(pairs["style_code"])


def _squares(source: _Source, shard: Ref, digests: dict[str, str]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Squares of one tar; a copy on this machine that was damaged is fetched again."""
    try:
        yield from _decoded(source, shard, digests)
        return
    except CorruptObject as error:
        if source.cache is None:
            raise
        log.warning("train.fetch again: %s", error)
    source.cache.drop("shards", f"{_whose(source, shard)}-*")
    yield from _decoded(source, shard, digests)


def _decoded(source: _Source, shard: Ref, digests: dict[str, str]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Squares of one tar by the sha256 of their originals, decoded by as many threads as there are cores."""
    uri = source.store.uri(shard)

    def prepare(member: tuple[str, bytes]) -> tuple[str, npt.NDArray[np.uint8]]:
        sha256, data = member
        if hashlib.sha256(data).hexdigest() != digests[sha256]:
            raise CorruptObject(f"{uri}: the crop of {sha256} is not the one in the manifest")
        try:
            return sha256, square(decode(data, source.limits), source.side_px)
        except ImageRefused as error:
            raise CorruptObject(f"{uri}: the crop of {sha256} does not decode: {error}") from None

    with ExitStack() as stack:
        path = _fetched(source, shard, stack)
        threads = stack.enter_context(ThreadPoolExecutor())
        members = _members(path, digests)
        while batch := list(islice(members, DECODED_AT_ONCE)):
            yield from threads.map(prepare, batch)


def _fetched(source: _Source, shard: Ref, stack: ExitStack) -> Path:
    """A tar on this machine; in the cache by its key and its content, so that one that was changed is fetched anew."""
    info = source.store.head(shard)
    if info is None:
        raise LearnError(
            f"{source.store.uri(shard)} is gone: snapshot {source.snapshot} was removed while it was read; train on "
            "the newest one (lvbag dataset list)"
        )
    if source.cache is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lvbag-shard-"))
        return source.store.download(shard, Path(folder) / "shard.tar")
    name = _tar_name(source, info)
    source.cache.drop("shards", f"{_whose(source, shard)}-*", name)
    return source.cache.obtain("shards", name, info.size, lambda path: _download(source.store, shard, path))


def _drop_old_shards(source: _Source, rows: pl.DataFrame) -> None:
    """Remove copies of shards that were written again since: they hold what was taken out of them."""
    if source.cache is None:
        return
    for number in set(rows["shard"]):
        shard = keys.snapshot_shard(source.snapshot, number)
        info = source.store.head(shard)
        source.cache.drop("shards", f"{_whose(source, shard)}-*", _tar_name(source, info) if info else "")


def _whose(source: _Source, shard: Ref) -> str:
    return hashlib.sha256(source.store.uri(shard).encode()).hexdigest()[:16]


def _tar_name(source: _Source, info: ObjectInfo) -> str:
    return f"{_whose(source, info.ref)}-{hashlib.sha256(f'{info.etag} {info.size}'.encode()).hexdigest()[:16]}.tar"


def _download(store: Store, shard: Ref, path: Path) -> None:
    store.download(shard, path)


def _members(path: Path, wanted: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """The crops of a tar that are wanted, as sha256 of the original and bytes."""
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                sha256, _, suffix = member.name.rpartition(".")
                file = tar.extractfile(member) if suffix == "jpg" and sha256 in wanted else None
                if file is not None:
                    yield sha256, file.read()
    except tarfile.TarError as error:
        raise CorruptObject(f"{path} is no sound tar of a snapshot: {error}") from None
