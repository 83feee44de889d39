"""The check that a written snapshot leaks nothing: it is read back, and what must not straddle is looked for anew.

Independent of what built the snapshot: near-duplicates are searched among the fingerprints of all its pictures and
crops with a plain comparison of everything in val and test with everything, and groups, clusters and listings are read
off the tables as they stand in the store. Nothing is written, and nothing is put right.
"""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lvbag.curate.duplicates.linking import Limits, crop_limits, near_limits, pack_columns, take
from lvbag.curate.duplicates.pairing import Asked, Pairs, Uprights, near
from lvbag.curate.errors import CurateError
from lvbag.curate.snapshots.changes import read_manifest
from lvbag.curate.snapshots.material import PRINTS, current_prints, read_images
from lvbag.curate.snapshots.places import night_pointers, read_places, read_splits, snapshot_before
from lvbag.curate.snapshots.shards import check_shard
from lvbag.settings import Settings
from lvbag.store import Bucket, ObjectMissing, Store, keys
from lvbag.tombstones import read_holes

log = logging.getLogger(__name__)

_NAMED = 5
"""So many images are named where something is wrong; how many there are is said as well."""

_COLUMNS = (
    *("night", "sha256", "format", "fingerprint", "blur", "detector", "crop_sha256", "crop_cluster"),
    *PRINTS,
    *(f"crop_{name}" for name in PRINTS),
)

_QUERIES = 1024
"""Pictures in val or test that are compared with everything at a time: bounds memory to some ten MB."""


@dataclass(frozen=True)
class StraddleReport:
    """A snapshot that passed, and what was looked at.

    `held_out`: images in val or test; `pictures`, `crops`: fingerprints that were compared (fewer than `images` where a
    picture is gone or a crop was cut anew since); `before`: snapshots whose places were compared; `sellers_apart`:
    sellers whose listings lie in several splits, which is allowed for shops and ties that became known too late.
    """

    snapshot: str
    images: int
    held_out: int
    pictures: int
    crops: int
    shards: int
    before: tuple[str, ...]
    sellers_apart: int


def check_snapshot(store: Store, settings: Settings, name: str, night: dt.date | None = None) -> StraddleReport:
    """Read a snapshot back and look for what must not be; raises `CurateError` naming the images.

    `night` is the one that is about to point to it; None where one points to it already.

    That is: a group, cluster, cluster of crops, listing or pair of near-duplicates in two splits; an image in another
    split than an earlier snapshot put it; a shard that does not hold what the manifest says.
    """
    try:
        manifest = read_manifest(store, name)
    except ObjectMissing:
        raise CurateError(f"there is no snapshot {name}; `lvbag dataset list` names them") from None
    splits = read_splits(store, name)
    images = read_images(store, manifest["sha256"], _COLUMNS)
    _check_places(name, manifest, splits)
    before = _check_before(store, name, splits, night)
    rows = manifest.select("sha256", "split", pl.col("crop_sha256").alias("of_crop")).join(images, on="sha256")
    crops = rows.filter(pl.col("crop_sha256") == pl.col("of_crop"))  # else it was cut anew since
    _check_ties(name, {"crop cluster": crops.filter(pl.col("crop_cluster").is_not_null())}, ("crop_cluster",))
    compared = []
    for what, table, limits in (
        ("pictures", rows, near_limits(settings.curate)),
        ("crops", crops, crop_limits(settings.curate)),
    ):
        prints = current_prints(store, settings.images, table.select(_COLUMNS), of_crops=what == "crops")
        compared.append(prints.height)
        _check_near(name, what, prints.join(manifest.select("sha256", "split"), on="sha256"), limits)
    report = StraddleReport(
        snapshot=name,
        images=manifest.height,
        held_out=manifest.filter(pl.col("split") != "train").height,
        pictures=compared[0],
        crops=compared[1],
        shards=_check_shards(store, name, manifest),
        before=before,
        sellers_apart=_apart(manifest.filter(pl.col("seller_key").is_not_null()), ["seller_key"]).height,
    )
    log.info("curate.check done %s", report)
    return report


def near_across(prints: pl.DataFrame, limits: Limits) -> list[tuple[str, str]]:
    """Near-duplicates in different splits, those in val or test first; `prints` has sha256, split and `PRINTS`."""
    names, split = prints["sha256"].to_list(), prints["split"].to_numpy()
    asked = np.flatnonzero(split != "train")
    packed = pack_columns(*(prints[name] for name in PRINTS))
    everything = Uprights.of(packed)
    found: set[tuple[str, str]] = set()
    for start in range(0, len(asked), _QUERIES):
        some = asked[start : start + _QUERIES]
        mine = Asked(take(packed, some.tolist()), 0, len(some))
        for view in range(mine.views):
            proposals = [(mine.codes64[:, view], everything.codes64, limits.bits64)]
            if limits.layout is not None:
                proposals.append((mine.layouts[:, view], everything.layouts, limits.layout))
            for queries, codes, radius in proposals:
                one, other = _within(queries, codes, radius)
                apart = split[some[one]] != split[other]
                one, other = one[apart], other[apart]
                pairs = Pairs(one, np.full(len(one), view, dtype=np.int64), other)
                close = near(mine, pairs, everything, limits)
                found |= {(names[a], names[b]) for a, b in zip(some[close.places], close.numbers, strict=True)}
    return sorted(found)


def _within(
    queries: NDArray[np.uint64], codes: NDArray[np.uint64], radius: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of queries and codes that differ in at most so many bits, each query compared with every code."""
    import faiss

    index = faiss.IndexBinaryFlat(64)
    index.add(_codes(codes))
    # range_search is strict: it gives distances below the radius
    bounds, _, other = index.range_search(_codes(queries), radius + 1)
    ends: NDArray[np.int64] = bounds.astype(np.int64)
    return np.repeat(np.arange(len(queries)), ends[1:] - ends[:-1]), other


def _check_places(name: str, manifest: pl.DataFrame, splits: pl.DataFrame) -> None:
    both = manifest.join(splits, on="sha256", suffix="_place", how="left")
    wrong = both.filter(
        ~((pl.col("split") == pl.col("split_place")) & (pl.col("group") == pl.col("group_place"))).fill_null(
            value=False
        )
    )
    if not wrong.is_empty():
        _fail(name, "the manifest puts images elsewhere than splits.parquet does", wrong["sha256"])
    for what, table in (("manifest.parquet", manifest), ("splits.parquet", splits)):
        if table["sha256"].n_unique() != table.height:
            _fail(name, f"{what} holds images twice", table.filter(pl.col("sha256").is_duplicated())["sha256"].unique())
        _check_ties(name, {f"{what}: group": table}, ("group",))
        _check_ties(name, {f"{what}: cluster": table}, ("cluster",))
        _check_ties(name, {f"{what}: listing": table}, ("source", "listing_id"))


def _check_ties(name: str, tables: dict[str, pl.DataFrame], columns: Sequence[str]) -> None:
    for what, table in tables.items():
        torn = _apart(table, columns)
        if not torn.is_empty():
            first = torn.row(0)
            same = table.filter(pl.col(column) == value for column, value in zip(columns, first, strict=True))
            _fail(name, f"{what} {'/'.join(first)} straddles splits ({torn.height} do)", same["sha256"])


def _apart(table: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The values of these columns that stand in more than one split."""
    counts = table.group_by(columns).agg(pl.col("split").n_unique().alias("_splits"))
    return counts.filter(pl.col("_splits") > 1).select(columns).sort(columns)


def _check_before(store: Store, name: str, splits: pl.DataFrame, night: dt.date | None) -> tuple[str, ...]:
    """No image lies elsewhere than the snapshot of the night before, or the one that knows every place, put it."""
    before = _pointed_before(store, name) if night is None else snapshot_before(store, night)
    compared = []
    for other in dict.fromkeys([before, read_places(store, {}).snapshot]):
        if other is None or other == name:
            continue
        moved = splits.join(read_splits(store, other), on="sha256", suffix="_other").filter(
            pl.col("split") != pl.col("split_other")
        )
        if not moved.is_empty():
            _fail(name, f"images lie in another split than in snapshot {other}", moved["sha256"])
        compared.append(other)
    return tuple(compared)


def _pointed_before(store: Store, name: str) -> str | None:
    pointers = list(night_pointers(store).values())
    return pointers[pointers.index(name) - 1] if name in pointers[1:] else None


def _check_near(name: str, what: str, prints: pl.DataFrame, limits: Limits) -> None:
    pairs = near_across(prints, limits)
    if pairs:
        split = dict(prints.select("sha256", "split").iter_rows())
        shown = [f"{one} ({split[one]}) and {other} ({split[other]})" for one, other in pairs]
        _fail(name, f"{what} are near-duplicates across splits", shown)


def _check_shards(store: Store, name: str, manifest: pl.DataFrame) -> int:
    holes = read_holes(store, name)
    wanted = {keys.snapshot_shard(name, int(number)) for number in manifest["shard"].unique()}
    there = {item.ref for item in store.list_objects(Bucket.DATASETS, f"{keys.snapshot_prefix(name)}shards/")}
    if wanted != there:
        _fail(name, "shards are missing or too many", [store.uri(ref) for ref in sorted(wanted ^ there)])
    with tempfile.TemporaryDirectory(prefix="lvbag-check-") as folder:
        for (number,), rows in manifest.group_by("shard", maintain_order=True):
            ref = keys.snapshot_shard(name, int(str(number)))
            path = store.download(ref, Path(folder) / "shard.tar")
            if wrong := check_shard(path, rows.filter(~pl.col("sha256").is_in(holes))):
                _fail(name, f"{store.uri(ref)} does not hold what the manifest says", wrong)
    return len(wanted)


def _fail(name: str, what: str, images: Iterable[str]) -> None:
    found = list(images)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    raise CurateError(
        f"snapshot {name}: {what}: {', '.join(found[:_NAMED])}{more}. Nothing may be trained on it: build the night's "
        "snapshot again, and if that does not help, curate the nights of these images again"
    )


def _codes(codes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(codes).view(np.uint8).reshape(-1, 8)
