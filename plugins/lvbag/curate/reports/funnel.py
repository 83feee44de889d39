"""What became of a night's listings and pictures, step by step: the figures of the night's report.

Every step's table carries the rows that earlier steps refused, so what a step refused itself is the difference of two
tables. Steps that did not run (the night was quarantined, or is not finished) are left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from lvbag import schemas
from lvbag.curate.reasons import KEPT, count_kept, count_refused
from lvbag.curate.snapshots.places import snapshot_after
from lvbag.curate.snapshots.splits import SPLITS
from lvbag.curate.validation.statistics import statistics_of
from lvbag.curated import curated_tables
from lvbag.store import Bucket, CorruptObject, ObjectMissing, Store, keys
from lvbag.store.remedies import remedy
from lvbag.store.tables import read_table, read_tables

STEPS = {
    "exact": "look-up",
    "near": "near duplicates",
    "validate": "validation",
    "clean": "cleaning",
    "crops": "comparison of crops",
}
"""The steps that refuse pictures, in order, as people read them."""


@dataclass(frozen=True)
class CrawlNotes:
    """What the crawl says of itself in the night's manifest, beside its rows."""

    failed_shards: Mapping[str, str] = field(default_factory=dict)  # with what failed
    missing_shards: tuple[str, ...] = ()
    hosts_given_up: Mapping[str, str] = field(default_factory=dict)  # with the reason
    pages_read: int = 0  # of results
    pages_failed: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)  # cards that are no results, by reason


@dataclass(frozen=True)
class NightTables:
    """Everything that a night has written so far; `steps` holds the tables of `STEPS` that exist."""

    night: dt.date
    listings: pl.DataFrame
    fetches: pl.DataFrame
    steps: dict[str, pl.DataFrame]
    snapshot: str | None
    manifest: pl.DataFrame
    crawl: CrawlNotes = CrawlNotes()
    quarantined: Mapping[str, str] = field(default_factory=dict)  # sources that were set aside, with the reason
    remarks: tuple[str, ...] = ()  # what validation noted without refusing anything

    @property
    def last(self) -> pl.DataFrame | None:
        """The table of the last step that ran: every picture's verdict as far as it is known."""
        return next((self.steps[name] for name in reversed(STEPS) if name in self.steps), None)

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detector versions that cleaned this night; `none` where there was no champion."""
        clean = self.steps.get("crops", self.steps.get("clean"))
        return () if clean is None else tuple(clean["detector"].drop_nulls().unique().sort())


def read_night(store: Store, night: dt.date) -> NightTables:
    """Read a night's tables; those that do not exist are empty or left out."""
    listings = [item.ref for item in store.list_objects(Bucket.RAW, keys.listings_prefix(night))]
    fetches = [item.ref for item in store.list_objects(Bucket.RAW, keys.fetches_prefix(night))]
    steps = {
        name: read_table(store, keys.stage(night, name), schema)
        for name, schema in schemas.STAGES.items()
        if store.exists(keys.stage(night, name))
    }
    if cleaned := [item.ref for item in store.list_objects(Bucket.CURATED, keys.cleaned_prefix(night))]:
        steps["clean"] = read_tables(store, cleaned, schemas.CLEANED)
    if parts := curated_tables(store).get(night):
        steps["crops"] = read_tables(store, parts, schemas.IMAGES)
    snapshot = snapshot_after(store, night)
    manifest = schemas.MANIFEST.to_frame()
    if snapshot is not None:
        manifest = read_table(store, keys.snapshot(snapshot, "manifest.parquet"), schemas.MANIFEST)
    seen = statistics_of(store, night)
    return NightTables(
        night,
        read_tables(store, listings, schemas.LISTINGS),
        read_tables(store, fetches, schemas.FETCHES),
        steps,
        snapshot,
        manifest,
        _crawl_notes(store, night),
        {} if seen is None else {name: one.quarantined for name, one in seen.sources.items() if one.quarantined},
        () if seen is None else seen.notes,
    )


def _crawl_notes(store: Store, night: dt.date) -> CrawlNotes:
    ref = keys.night_manifest(night)
    try:
        said = store.get_json(ref)
        pages = said.get("pages_of_results", {})
        return CrawlNotes(
            failed_shards=said.get("failed_shards", {}),
            missing_shards=tuple(said.get("missing_shards", ())),
            hosts_given_up=said.get("hosts_given_up", {}),
            pages_read=int(pages.get("read", 0)),
            pages_failed=int(pages.get("failed", 0)),
            dropped=said.get("dropped", {}),
        )
    except ObjectMissing:
        return CrawlNotes()
    except (AttributeError, TypeError, ValueError):
        raise CorruptObject(f"{store.uri(ref)} is no manifest of a night; {remedy(ref)}") from None


def count_funnel(tables: NightTables) -> dict[str, int]:
    """The ordered counts of a night, by names that people read; a pure function."""
    funnel = {"pages of results not read": tables.crawl.pages_failed} if tables.crawl.pages_failed else {}
    funnel |= {f"results left out: {reason}": count for reason, count in tables.crawl.dropped.items()}
    funnel["listings found"] = tables.listings.height
    for rule, count in count_refused(tables.listings).items():
        funnel[f"listings refused: {rule}"] = count
    funnel |= {
        "listings kept": count_kept(tables.listings),
        "images found": tables.fetches.height,
        "images fetched": count_kept(tables.fetches),
        "images unchanged": tables.fetches.filter(pl.col("verdict") == "unchanged").height,
        "images at a known address": tables.fetches.filter(pl.col("verdict") == "duplicate_url").height,
    }
    for rule, count in count_refused(tables.fetches).items():
        funnel[f"refused by the crawl: {rule}"] = count
    for step, refused in refused_by_step(tables).items():
        for rule, count in refused.items():
            funnel[f"refused by {STEPS[step]}: {rule}"] = count
    if tables.last is not None:
        funnel["images kept"] = count_kept(tables.last)
    if tables.snapshot is not None:
        funnel |= _snapshot_counts(tables)
    return funnel


def refused_by_step(tables: NightTables) -> dict[str, dict[str, int]]:
    """What each step refused itself, by rule."""
    before: dict[str, int] = {}
    own: dict[str, dict[str, int]] = {}
    for step in STEPS:
        if step not in tables.steps:
            continue
        total = count_refused(tables.steps[step])
        own[step] = {rule: count - before.get(rule, 0) for rule, count in total.items() if count > before.get(rule, 0)}
        before = total
    return own


def _snapshot_counts(tables: NightTables) -> dict[str, int]:
    """Where this night's kept pictures went, and how large the snapshot is."""
    mine = tables.manifest.filter(pl.col("night") == tables.night)
    counts = {f"of this night in {split}": mine.filter(pl.col("split") == split).height for split in SPLITS}
    kept = tables.last.filter(pl.col("verdict") == KEPT).height if tables.last is not None else 0
    counts["of this night waiting for more of their product"] = max(0, kept - mine.height)
    return counts | {f"snapshot {split}": tables.manifest.filter(pl.col("split") == split).height for split in SPLITS}
