"""The data set: an immutable snapshot of everything that is kept, split without leaks.

A snapshot is named by the night of its newest picture and by its content, so that a night that brings nothing new
ends with the snapshot that stands already. Its manifest is written last: a snapshot without one does not exist.
"""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lvbag import schemas
from lvbag.curate.duplicates.linking import crop_limits, near_limits
from lvbag.curate.errors import CurateError
from lvbag.curate.results import SnapshotResult
from lvbag.curate.snapshots.card import card_text
from lvbag.curate.snapshots.changes import measured, read_manifest
from lvbag.curate.snapshots.draft import Draft, draft_snapshot
from lvbag.curate.snapshots.earlier_crops import EarlierCrops
from lvbag.curate.snapshots.material import Material, current_prints, read_material
from lvbag.curate.snapshots.members import Ties, best_copies, candidates, find_ties
from lvbag.curate.snapshots.places import (
    announce_places,
    complete_places,
    newest_snapshot,
    read_places,
    snapshot_before,
    write_places,
)
from lvbag.curate.snapshots.preview import preview_sheet
from lvbag.curate.snapshots.shards import write_shard
from lvbag.curate.snapshots.stats import SnapshotStats, snapshot_stats
from lvbag.curate.snapshots.straddle import StraddleReport, check_snapshot
from lvbag.settings import CurateSettings, Settings
from lvbag.store import ObjectMissing, Store, keys
from lvbag.store.tables import write_table

__all__ = ["build_snapshot", "newest_snapshot", "publish_snapshot", "write_snapshot"]

log = logging.getLogger(__name__)

MIN_PRODUCTS = 2
"""A classifier of one product has nothing to decide."""


def build_snapshot(store: Store, settings: Settings, night: dt.date, parts: Sequence[int]) -> SnapshotResult:
    """Write the snapshot that stands after a night, check it, and let it be seen; raises as the two steps do."""
    result = write_snapshot(store, settings, night, parts)
    publish_snapshot(store, settings, result)
    return result


def publish_snapshot(store: Store, settings: Settings, result: SnapshotResult) -> StraddleReport | None:
    """Check a snapshot that was written, and point its night to it: nobody sees one that leaks, nor builds upon it.

    None where there is no snapshot, or none but the one that was checked on an earlier night. Raises `CurateError`
    naming what leaks (`straddle`), or where another snapshot was announced since this one was built.
    """
    if result.snapshot is None:
        return None
    report = check_snapshot(store, settings, result.snapshot, result.night) if result.changed else None
    announce_places(store, result.snapshot)
    store.put_json(keys.snapshot_of_night(result.night), {"snapshot": result.snapshot})
    log.info("curate.snapshot published night=%s snapshot=%s", result.night, result.snapshot)
    return report


def write_snapshot(store: Store, settings: Settings, night: dt.date, parts: Sequence[int]) -> SnapshotResult:
    """Write the snapshot that stands after a night; it is not seen before `publish_snapshot`.

    `parts` are the cleaned parts of this night; other tables of it are left-overs of an earlier run and do not count.
    While fewer than two products have `curate.min_images` kept images there is none: the first nights of a new
    installation. Raises `CurateError` where a part is missing, or where a snapshot stood and would be lost.
    """
    material = read_material(store, night, parts)
    rows = candidates(material.kept, settings.curate.min_images)
    before = snapshot_before(store, night)
    if note := _too_few(material.kept, rows, settings.curate):
        if before:
            raise CurateError(f"night {night}: snapshot {before} stands, but now {note}")
        log.info("curate.snapshot none night=%s why=%s", night, note)
        return SnapshotResult(None, False, night, 0, 0, 0, 0, 0, note)
    places = read_places(store, _crop_clusters(material))
    draft = draft_snapshot(material.kept, rows, _find_ties(store, settings, rows), places.homes, settings.curate)
    if not store.exists(keys.snapshot(draft.name, "manifest.parquet")):
        earlier = _read_earlier(store, before)
        _write_shards(store, draft, earlier)
        was = None if earlier is None else (earlier[0], measured(earlier[1], material.everything))
        stats = snapshot_stats(settings, draft, measured(draft.manifest, material.everything), was, material)
        _write(store, settings, draft, stats)
    elif draft.name != places.snapshot:
        complete_places(store, draft.name, draft.homes, places)
    counts = dict(draft.manifest["split"].value_counts().iter_rows())
    result = SnapshotResult(
        snapshot=draft.name,
        changed=draft.name != before,
        night=night,
        products=draft.manifest["style_code"].n_unique(),
        images=draft.manifest.height,
        train=counts.get("train", 0),
        val=counts.get("val", 0),
        test=counts.get("test", 0),
    )
    log.info(
        "curate.snapshot done night=%s snapshot=%s changed=%s products=%d images=%d refused=%s replaced=%d",
        *(night, draft.name, result.changed, result.products, result.images, dict(draft.refused), draft.replaced),
    )
    return result


# ------------------------------------------------------------------ reading


def _too_few(kept: pl.DataFrame, rows: pl.DataFrame, settings: CurateSettings) -> str:
    """Why there can be no snapshot, or an empty text where there can."""
    products = rows["style_code"].n_unique()
    if products >= MIN_PRODUCTS:
        return ""
    most = best_copies(kept)["style_code"].value_counts().sort(["count", "style_code"], descending=[True, False])
    so_far = ", ".join(f"{style} {count}" for style, count in most.head(5).iter_rows()) or "none"
    return (
        f"only {products} product(s) have at least {settings.min_images} kept images (curate.min_images), "
        f"{MIN_PRODUCTS} are needed. Most images so far: {so_far}. Wait for more nights, crawl more products, or lower "
        "curate.min_images"
    )


def _find_ties(store: Store, settings: Settings, rows: pl.DataFrame) -> Ties:
    whole = current_prints(store, settings.images, rows, of_crops=False)
    crops = current_prints(store, settings.images, rows, of_crops=True)
    return find_ties([(whole, near_limits(settings.curate)), (crops, crop_limits(settings.curate))])


def _crop_clusters(material: Material) -> dict[str, str]:
    rows = material.everything.filter(pl.col("crop_cluster").is_not_null())
    return dict(rows.select("sha256", "crop_cluster").iter_rows())


def _read_earlier(store: Store, before: str | None) -> tuple[str, pl.DataFrame] | None:
    """The snapshot before and its manifest; None where there was none, or it is gone."""
    if before is None:
        return None
    try:
        return before, read_manifest(store, before)
    except ObjectMissing as error:
        log.warning("curate.snapshot the one before is gone snapshot=%s why=%s", before, error)
        return None


# ------------------------------------------------------------------ writing


def _write_shards(store: Store, draft: Draft, earlier: tuple[str, pl.DataFrame] | None) -> None:
    with tempfile.TemporaryDirectory(prefix="lvbag-snapshot-") as name:
        folder = Path(name)
        crops = None if earlier is None else EarlierCrops(store, *earlier, folder)
        for (number,), rows in draft.manifest.group_by("shard", maintain_order=True):
            path = write_shard(store, rows, folder / "shard.tar", crops)
            store.upload(keys.snapshot_shard(draft.name, int(str(number))), path, "application/x-tar")
            log.info("curate.snapshot shard=%s images=%d snapshot=%s", number, rows.height, draft.name)


def _write(store: Store, settings: Settings, draft: Draft, stats: SnapshotStats) -> None:
    """Everything but the shards, the manifest last."""
    name = draft.name
    write_places(store, name, draft.homes.values())
    store.put_json(keys.snapshot(name, "stats.json"), stats.model_dump(mode="json"))
    card = card_text(stats, settings.curate)
    store.put(keys.snapshot(name, "card.md"), card.encode(), "text/markdown; charset=utf-8")
    store.put(keys.snapshot(name, "preview.jpg"), preview_sheet(store, draft.manifest, name), "image/jpeg")
    write_table(store, keys.snapshot(name, "manifest.parquet"), draft.manifest, schemas.MANIFEST)
