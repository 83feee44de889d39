"""The data set: an immutable snapshot of everything that is kept, split without leaks.

A snapshot is named by the night of its newest picture and by its content, so that a night that brings nothing new
ends with the snapshot that stands already. Its manifest is written last: a snapshot without one does not exist.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import tempfile
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lvbag import schemas
from lvbag.curate.card import SnapshotStats, card_text, snapshot_stats
from lvbag.curate.errors import CurateError
from lvbag.curate.history import curated_tables
from lvbag.curate.linking import Limits, Prints, near_limits, near_pairs, pack
from lvbag.curate.preview import preview_sheet
from lvbag.curate.reasons import KEPT, count_refused
from lvbag.curate.results import SnapshotResult
from lvbag.curate.shards import write_shard
from lvbag.curate.splits import Home, Member, assign
from lvbag.images.fingerprints import VERSION
from lvbag.settings import CurateSettings, Settings
from lvbag.store import Bucket, CorruptObject, Ref, Store, keys
from lvbag.store.tables import read_table, write_table

log = logging.getLogger(__name__)

MIN_PRODUCTS = 2
"""A classifier of one product has nothing to decide."""


@dataclass(frozen=True)
class Curated:
    """All kept pictures up to a night (one row each, `schemas.IMAGES`, sorted by sha256), and refusals by rule."""

    kept: pl.DataFrame
    refused: dict[str, int]


def build_snapshot(store: Store, settings: Settings, night: dt.date, parts: Sequence[int]) -> SnapshotResult:
    """Write the snapshot that stands after a night, and the night's pointer to it.

    `parts` are the cleaned parts of this night; other tables of it are left-overs of an earlier run and do not count.
    While fewer than two products have `curate.min_images` kept images there is none: the first nights of a new
    installation. Raises `CurateError` where a part is missing, or where a snapshot stood and would be lost.
    """
    curated = _read_curated(store, night, parts)
    rows = enough_images(curated.kept, settings.curate.min_images)
    before = _snapshot_before(store, night)
    if note := _too_few(curated.kept, rows, settings.curate):
        if before:
            raise CurateError(f"night {night}: snapshot {before} stands, but now {note}")
        log.info("curate.snapshot none night=%s why=%s", night, note)
        return SnapshotResult(None, False, night, 0, 0, 0, 0, 0, note)
    previous = _read_homes(store, before) if before else []
    members = find_members(rows, {home.sha256 for home in previous}, near_limits(settings.curate))
    assignment = assign(members, previous, settings.curate.test_share, settings.curate.val_share)
    manifest = manifest_table(rows, assignment.homes, settings.curate.shard_images)
    name = snapshot_id(manifest)
    if not store.exists(keys.snapshot(name, "manifest.parquet")):
        stats = snapshot_stats(name, manifest, {**curated.refused, **count_conflicts(assignment.conflicts)})
        homes = {home.sha256: home for home in previous} | assignment.homes
        _write(store, manifest, homes, stats, settings.curate)
    store.put_json(keys.snapshot_of_night(night), {"snapshot": name})
    counts = manifest["split"].value_counts()
    splits = dict(counts.iter_rows())
    result = SnapshotResult(
        snapshot=name,
        changed=name != before,
        night=night,
        products=manifest["style_code"].n_unique(),
        images=manifest.height,
        train=splits.get("train", 0),
        val=splits.get("val", 0),
        test=splits.get("test", 0),
    )
    log.info(
        "curate.snapshot done night=%s snapshot=%s changed=%s products=%d images=%d group_conflicts=%d",
        *(night, name, result.changed, result.products, result.images, len(assignment.conflicts)),
    )
    return result


def newest_snapshot(store: Store) -> str | None:
    """The snapshot of the last night, or None where no night has one."""
    return _last_pointer(store, None)


# ------------------------------------------------------------------ decisions


def enough_images(kept: pl.DataFrame, min_images: int) -> pl.DataFrame:
    """The rows of the products that have enough of them."""
    return kept.filter(pl.len().over("style_code") >= min_images)


def find_members(rows: pl.DataFrame, placed: Set[str], limits: Limits) -> list[Member]:
    """What splitting decides on: listing and cluster, and the other clusters that a new picture is near to.

    Linking compares with representatives of earlier nights only; a night that was curated late, or a picture that
    took the place of its representative, may still be near to another kept one. `placed` pictures were compared when
    they came.
    """
    comparable = rows.filter(pl.col("fingerprint") == VERSION)
    new = comparable.filter(~pl.col("sha256").is_in(list(placed)))
    clusters, names = comparable["cluster"].to_list(), new["sha256"].to_list()
    near: dict[str, set[str]] = {}
    for one, other in near_pairs(_prints(new), _prints(comparable), limits):
        near.setdefault(names[one], set()).add(clusters[other])
    columns = rows.select("sha256", "style_code", "source", "listing_id", "cluster")
    return [
        Member(sha256, style_code, (source, listing), cluster, tuple(sorted(near.get(sha256, set()) - {cluster})))
        for sha256, style_code, source, listing, cluster in columns.iter_rows()
    ]


def manifest_table(rows: pl.DataFrame, homes: dict[str, Home], shard_images: int) -> pl.DataFrame:
    """The rows of `schemas.MANIFEST` for the pictures that have a home, sorted by sha256."""
    placed = pl.DataFrame(
        [(home.sha256, home.group, home.split) for home in homes.values()],
        schema={"sha256": pl.String(), "group": pl.String(), "split": pl.String()},
        orient="row",
    )
    manifest = (
        rows.join(placed, on="sha256", how="inner")
        .sort("sha256")
        .with_columns(
            (pl.col("style_code").rank("dense") - 1).alias("label"),
            pl.col("crop_width").alias("width"),
            pl.col("crop_height").alias("height"),
            (pl.int_range(pl.len()) // shard_images).alias("shard"),
        )
    )
    return manifest.select(pl.col(name).cast(kind) for name, kind in schemas.MANIFEST.items())


def snapshot_id(manifest: pl.DataFrame) -> str:
    """`<night of the newest picture>-<12 hex of the content's digest>`; equal content has the same name."""
    digest = hashlib.sha256()
    for row in manifest.select("sha256", "style_code", "split", "group", "crop_sha256").sort("sha256").iter_rows():
        digest.update(("\t".join(row) + "\n").encode())
    newest = max(manifest["night"].to_list())
    return f"{newest.isoformat()}-{digest.hexdigest()[:12]}"


def count_conflicts(conflicts: dict[str, str]) -> dict[str, int]:
    """The snapshot's own refusals, by rule."""
    return {"group_conflict": len(conflicts)} if conflicts else {}


# ------------------------------------------------------------------ reading


def _read_curated(store: Store, night: dt.date, parts: Sequence[int]) -> Curated:
    tables = curated_tables(store)
    own = {ref.key for ref in tables.get(night, [])}
    wanted = [keys.curated_images(night, part) for part in sorted(parts)]
    for ref in wanted:
        if ref.key not in own:
            raise CurateError(f"night {night}: {store.uri(ref)} does not exist; clean this part again")
    refs = [ref for earlier, found in tables.items() if earlier < night for ref in found] + wanted
    kept: list[pl.DataFrame] = []
    refused: dict[str, int] = {}
    for ref in refs:
        table = read_table(store, ref, schemas.IMAGES)
        kept.append(_kept(store, ref, table))
        for rule, count in count_refused(table).items():
            refused[rule] = refused.get(rule, 0) + count
    whole = pl.concat(kept) if kept else schemas.IMAGES.to_frame()
    refused.pop("known", None)  # the same picture every night again: no refusal of the data set
    return Curated(
        whole.unique("sha256", keep="first", maintain_order=True).sort("sha256"), dict(sorted(refused.items()))
    )


def _kept(store: Store, ref: Ref, table: pl.DataFrame) -> pl.DataFrame:
    kept = table.filter(pl.col("verdict") == KEPT)
    for name in ("style_code", "cluster", "detector", "crop_sha256", "crop_width", "crop_height"):
        if kept[name].null_count():
            raise CorruptObject(f"{store.uri(ref)}: a kept image has no {name}; clean this part again")
    return kept


def _too_few(kept: pl.DataFrame, rows: pl.DataFrame, settings: CurateSettings) -> str:
    """Why there can be no snapshot, or an empty text where there can."""
    products = rows["style_code"].n_unique()
    if products >= MIN_PRODUCTS:
        return ""
    most = kept["style_code"].value_counts().sort(["count", "style_code"], descending=[True, False]).head(5)
    so_far = ", ".join(f"{style} {count}" for style, count in most.iter_rows()) or "none"
    return (
        f"only {products} product(s) have at least {settings.min_images} kept images (curate.min_images), "
        f"{MIN_PRODUCTS} are needed. Most images so far: {so_far}. Wait for more nights, crawl more products, or lower "
        "curate.min_images"
    )


def _prints(rows: pl.DataFrame) -> Prints:
    return pack(rows["phash64"].to_list(), rows["phash256"].to_list(), rows["thumb"].to_list())


def _read_homes(store: Store, name: str) -> list[Home]:
    table = read_table(store, keys.snapshot(name, "splits.parquet"), schemas.SPLITS)
    return [
        Home(sha256, (source, listing), cluster, group, split)
        for sha256, source, listing, cluster, group, split in table.iter_rows()
    ]


def _snapshot_before(store: Store, night: dt.date) -> str | None:
    return _last_pointer(store, keys.snapshot_of_night(night))


def _last_pointer(store: Store, before: Ref | None) -> str | None:
    """The snapshot of the last night, or of the last night before a pointer."""
    last = None
    for item in store.list_objects(Bucket.DATASETS, keys.snapshot_of_night_prefix()):
        if before is None or item.ref.key < before.key:
            last = item.ref
    if last is None:
        return None
    value = store.get_json(last)
    if not isinstance(value, dict) or not isinstance(value.get("snapshot"), str):
        raise CorruptObject(f"{store.uri(last)} names no snapshot; build the snapshot of this night again")
    return str(value["snapshot"])


# ------------------------------------------------------------------ writing


def _write(
    store: Store, manifest: pl.DataFrame, homes: dict[str, Home], stats: SnapshotStats, settings: CurateSettings
) -> None:
    name = stats.snapshot
    with tempfile.TemporaryDirectory(prefix="lvbag-snapshot-") as folder:
        for (number,), rows in manifest.group_by("shard", maintain_order=True):
            path = write_shard(store, rows, Path(folder) / "shard.tar")
            store.upload(keys.snapshot_shard(name, int(str(number))), path, "application/x-tar")
            log.info("curate.snapshot shard=%s images=%d snapshot=%s", number, rows.height, name)
    splits = [
        (home.sha256, *home.listing, home.cluster, home.group, home.split)
        for home in sorted(homes.values(), key=lambda home: home.sha256)
    ]
    write_table(
        store,
        keys.snapshot(name, "splits.parquet"),
        pl.DataFrame(splits, schema=schemas.SPLITS, orient="row"),
        schemas.SPLITS,
    )
    store.put_json(keys.snapshot(name, "stats.json"), stats.model_dump(mode="json"))
    store.put(keys.snapshot(name, "card.md"), card_text(stats, settings).encode(), "text/markdown; charset=utf-8")
    store.put(keys.snapshot(name, "preview.jpg"), preview_sheet(store, manifest), "image/jpeg")
    write_table(store, keys.snapshot(name, "manifest.parquet"), manifest, schemas.MANIFEST)
