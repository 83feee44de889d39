"""What a snapshot says of itself in numbers: `stats.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.curate.snapshots.changes import SnapshotDrift, measure_drift
from lvbag.curate.snapshots.groups import SPLITS
from lvbag.curate.snapshots.licences import SourceNote, source_notes
from lvbag.settings import Settings
from lvbag.store import CorruptObject, Store, keys

if TYPE_CHECKING:
    from lvbag.curate.snapshots.draft import Draft
    from lvbag.curate.snapshots.material import Material


class ProductStats(BaseModel):
    """Images of a product by split, and how many groups and listings they come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style_code: str
    images: int
    train: int
    val: int
    test: int
    groups: int
    listings: int


class ReviewStats(BaseModel):
    """Kept images that people refused, and those that they gave another product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refused: int
    relabelled: int


class SnapshotStats(BaseModel):
    """`stats.json`. `refused` counts what all nights refused, by rule; pictures met again on a later night excepted.

    Snapshots of earlier releases lack the fields with a default. `late_conflicts`: images that left because a copy in
    another split was found; `replaced`: kept images that stand behind a better copy; `sellers`: known by name; `shops`:
    with too many listings to be kept in one split; `torn_sellers`: whose listings lay in several splits before the tie
    was known; `taken_down`: kept once, and gone for good; `reviews`: what people decided, if anything; `drift`: against
    the snapshot of the night before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: str
    images: int
    products: tuple[ProductStats, ...]
    splits: dict[str, int]
    groups: int
    nights: dict[str, int]
    sources: dict[str, int]
    detectors: tuple[str, ...]
    refused: dict[str, int]
    group_conflicts: int
    late_conflicts: int = 0
    replaced: int = 0
    sellers: int = 0
    shops: int = 0
    torn_sellers: int = 0
    taken_down: int = 0
    reviews: ReviewStats | None = None
    licences: tuple[SourceNote, ...] = ()
    drift: SnapshotDrift | None = None


def snapshot_stats(
    settings: Settings,
    draft: Draft,
    now: pl.DataFrame,
    earlier: tuple[str, pl.DataFrame] | None,
    material: Material,
) -> SnapshotStats:
    """Counts of a snapshot. `now` is its manifest as `changes.measured` gives it, `earlier` the name of the snapshot
    before and its own."""
    listing = pl.struct("source", "listing_id")
    products = now.group_by("style_code").agg(
        pl.len().alias("images"),
        *((pl.col("split") == split).sum().alias(split) for split in SPLITS),
        pl.col("group").n_unique().alias("groups"),
        listing.n_unique().alias("listings"),
    )
    sources = _count(now["source"])
    return SnapshotStats(
        snapshot=draft.name,
        images=now.height,
        products=tuple(ProductStats.model_validate(row) for row in products.sort("style_code").iter_rows(named=True)),
        splits={split: now.filter(pl.col("split") == split).height for split in SPLITS},
        groups=now["group"].n_unique(),
        nights=_count(now["night"].cast(pl.String).alias("night")),
        sources=sources,
        detectors=tuple(now["detector"].unique().sort()),
        refused=dict(sorted({**material.refused, **draft.refused}.items())),
        group_conflicts=draft.refused.get("group_conflict", 0),
        late_conflicts=draft.refused.get("late_conflict", 0),
        replaced=draft.replaced,
        sellers=now["seller_key"].drop_nulls().n_unique(),
        shops=draft.shops,
        torn_sellers=draft.torn,
        taken_down=material.struck.height,
        reviews=_reviews(material),
        licences=source_notes(sources, settings.crawl.sources),
        drift=None if earlier is None else measure_drift(*earlier, now),
    )


def read_stats(store: Store, name: str) -> SnapshotStats:
    """A snapshot's statistics, also of an earlier release; raises `ObjectMissing` where there is no such snapshot."""
    ref = keys.snapshot(name, "stats.json")
    try:
        return SnapshotStats.model_validate(store.get_json(ref))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorruptObject(
            f"{store.uri(ref)} does not fit: {where}: {first['msg']}; restore it from a backup"
        ) from None


def _reviews(material: Material) -> ReviewStats | None:
    if not material.dropped.height and not material.relabelled:
        return None
    return ReviewStats(refused=material.dropped.height, relabelled=material.relabelled)


def _count(values: pl.Series) -> dict[str, int]:
    return dict(sorted(values.value_counts().iter_rows()))
