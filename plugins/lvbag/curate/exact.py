"""Exact duplicates: which of a night's fetched pictures are new, bytes for bytes.

Every fetched picture becomes one row. Refused are pictures that were taken down, pictures without a product to learn
from, bytes that an earlier night has judged already, and bytes that stand in several places. Pictures are not opened
here.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

import polars as pl

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.curate.reasons import KEPT, KNOWN, REFUSED, count_kept, count_refused, looked_at
from lvbag.curate.results import StageResult
from lvbag.curated import read_curated
from lvbag.review import read_decided, with_products
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_tables, write_table
from lvbag.tombstones import Tombstones, read_tombstones, seller_key

log = logging.getLogger(__name__)

_EARLIER = ["sha256", "source", "listing_id", "position", "style_code", "first_night", "night"]


def mark_exact(store: Store, settings: Settings, night: dt.date) -> StageResult:
    """Join the night's listings and fetches and mark exact duplicates; writes stage `exact`.

    A listing without a product has the one that a person gave it. Raises `CurateError` where the night was not crawled.
    """
    listings, fetches = _read_crawl(store, night)
    pictures = fetched_pictures(with_products(listings, read_decided(store)), fetches)
    earlier = read_curated(store, _EARLIER, looked_at(), night)
    table = judge_exact(night, pictures, earlier, read_tombstones(store))
    ref = keys.stage(night, "exact")
    write_table(store, ref, table, schemas.STAGE_EXACT)
    result = StageResult(night, store.uri(ref), table.height, count_kept(table), count_refused(table))
    log.info("curate.exact done night=%s rows=%d kept=%d refused=%s", night, result.rows, result.kept, result.refused)
    return result


def fetched_pictures(listings: pl.DataFrame, fetches: pl.DataFrame) -> pl.DataFrame:
    """One row a fetched picture with what its listing says of it, sorted by source, listing and position.

    `listings` and `fetches` are all tables of a night; a listing that two shards met counts once, a kept one with a
    product before others. Columns `listing_verdict` and `listing_reason` are null where the listing is missing.
    """
    key = ["source", "listing_id"]
    ranked = listings.with_columns(
        (pl.col("verdict") != KEPT).alias("_refused"), pl.col("style_code").is_null().alias("_unlabelled")
    ).sort([*key, "_refused", "_unlabelled", "shard"], maintain_order=True)
    once = ranked.unique(key, keep="first", maintain_order=True).select(
        *key,
        "url",
        "seller",
        "style_code",
        "match_reason",
        pl.col("verdict").alias("listing_verdict"),
        pl.col("reason").alias("listing_reason"),
    )
    read = fetches.filter(
        pl.col("verdict").is_in(["kept", "unchanged", "duplicate_url"]) & pl.col("sha256").is_not_null()
    )
    order = [*key, "position"]
    return (
        read.sort([*order, "shard"], maintain_order=True)
        .unique(order, keep="first", maintain_order=True)
        .join(once, on=key, how="left", maintain_order="left")
    )


def judge_exact(night: dt.date, pictures: pl.DataFrame, earlier: pl.DataFrame, tombstones: Tombstones) -> pl.DataFrame:
    """The rows of `schemas.STAGE_EXACT` for pictures as `fetched_pictures` gives them; a pure function.

    `earlier` holds the rows of earlier nights whose bytes were judged: sha256, source, listing_id, position,
    style_code, first_night, night.
    """
    pictures = _with_seller_key(pictures)
    struck = tombstones.strikes(pictures)
    first = _first_places(earlier)
    known = {(row[0], row[1], row[2]) for row in earlier.select("sha256", "source", "listing_id").iter_rows()}
    rows = []
    for row, taken_down in zip(pictures.iter_rows(named=True), struck, strict=True):
        sha256 = row["sha256"]
        reason = "taken_down" if taken_down else _listing_reason(row)
        if row["format"] is None:  # without it the bytes have no address
            reason = reason or "format_unknown"
        place = first.get(sha256)
        if reason is None:
            here = _Place(night, row["source"], row["listing_id"], row["position"], row["style_code"])
            if place is None:
                first[sha256] = here
            else:
                reason = _repeat_reason(sha256, here, place, (sha256, here.source, here.listing_id) in known)
        rows.append(
            {
                **{name: row[name] for name in ("source", "listing_id", "image_url", "position", "sha256", "format")},
                "night": night,
                "style_code": row["style_code"],
                "seller_key": row["seller_key"],
                "first_night": place.night if place else night,
                "verdict": REFUSED if reason else KEPT,
                "reason": reason,
            }
        )
    return pl.DataFrame(rows, schema=schemas.STAGE_EXACT)


# ------------------------------------------------------------------ helpers


@dataclass(frozen=True, order=True)
class _Place:
    """Where bytes were seen first."""

    night: dt.date
    source: str
    listing_id: str
    position: int
    style_code: str


def _read_crawl(store: Store, night: dt.date) -> tuple[pl.DataFrame, pl.DataFrame]:
    listings = [item.ref for item in store.list_objects(Bucket.RAW, keys.listings_prefix(night))]
    fetches = [item.ref for item in store.list_objects(Bucket.RAW, keys.fetches_prefix(night))]
    if not fetches and not store.exists(keys.night_manifest(night)):
        raise CurateError(
            f"night {night} was not crawled: there is no table below {keys.fetches_prefix(night)}; run `lvbag crawl` "
            "for this night first"
        )
    return read_tables(store, listings, schemas.LISTINGS), read_tables(store, fetches, schemas.FETCHES)


def _with_seller_key(pictures: pl.DataFrame) -> pl.DataFrame:
    """Sellers as digests: grouping needs to know who is the same, and nobody needs their names in a data set."""
    names = pictures.select("source", "seller").iter_rows()
    found = [None if seller is None else seller_key(source, seller) for source, seller in names]
    return pictures.with_columns(pl.Series("seller_key", found, dtype=pl.String))


def _first_places(earlier: pl.DataFrame) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    for sha256, source, listing, position, style, first_night, _ in earlier.select(_EARLIER).iter_rows():
        place = _Place(first_night, source, listing, position, style or "")
        places[sha256] = min(place, places.get(sha256, place))
    return places


def _listing_reason(row: dict[str, Any]) -> str | None:
    """Why a picture cannot be used for what its listing is."""
    if row["listing_verdict"] is None:
        return "listing_missing"
    if row["listing_verdict"] != KEPT:
        return f"listing_refused: {row['listing_reason'] or 'no reason given'}"
    if row["style_code"] is None:
        return f"unlabelled: {row['match_reason'] or 'no product matches the title'}"
    return None


def _repeat_reason(sha256: str, here: _Place, first: _Place, known: bool) -> str:
    where = f"{first.night} in {first.source}/{first.listing_id}"
    if here.style_code != first.style_code:
        return f"label_conflict: {sha256} is {first.style_code} since {where}, here {here.style_code}"
    if known and first.night < here.night:
        return f"{KNOWN}: since {first.night}"
    return f"duplicate_exact: {sha256} first seen {where}"
