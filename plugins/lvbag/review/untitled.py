"""Listings whose titles name no product, or several: a person may know which bag is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from lvbag.review.items import Item, ItemId
from lvbag.review.night_tables import NightTables
from lvbag.settings import Settings
from lvbag.store import keys

UNLABELLED = "unlabelled"

_KEPT = "kept"
_UNCERTAINTY = {"several": 0.9, "two_style_codes": 0.9, "another_product": 0.6, "line_only": 0.5}
_SURE = 0.1
"""By the rule that left a title without a product: several that fit are a question, another brand hardly is one."""


def without_product(tables: NightTables, settings: Settings) -> Iterator[Item]:
    """The night's listings that were read, have a title and got no product."""
    del settings  # every title without a product is asked about
    listings = _once(tables.listings).filter(pl.col("style_code").is_null())
    if listings.is_empty():
        return
    place = ["source", "listing_id"]
    shown = tables.fetches.sort(*place, "position").unique([*place, "position"], keep="first", maintain_order=True)
    first = shown.group_by(place, maintain_order=True).agg(
        pl.first("sha256"), pl.first("format"), pl.len().alias("pictures")
    )
    for row in listings.join(first, on=place, how="left", maintain_order="left").iter_rows(named=True):
        yield _item(row)


def with_product(tables: NightTables) -> Iterator[str]:
    """The items of earlier nights that the night settles: their listings have a product now."""
    rows = _once(tables.listings).filter(pl.col("style_code").is_not_null()).select("source", "listing_id")
    for place in rows.iter_rows():
        yield str(ItemId(UNLABELLED, listing=place))


def _once(listings: pl.DataFrame) -> pl.DataFrame:
    """One row a listing that was kept, as curation takes it: one with a product before others."""
    kept = listings.filter((pl.col("verdict") == _KEPT) & pl.col("title").is_not_null())
    ranked = kept.sort("source", "listing_id", pl.col("style_code").is_null(), maintain_order=True)
    return ranked.unique(["source", "listing_id"], keep="first", maintain_order=True)


def _item(row: dict[str, Any]) -> Item:
    reason = row["match_reason"] or "no product matches the title"
    sha256 = row["sha256"]
    return Item(
        id=ItemId(UNLABELLED, listing=(row["source"], row["listing_id"])),
        night=row["night"],
        machine="refused",
        why=f"{UNLABELLED}: {reason}",
        uncertainty=_UNCERTAINTY.get(reason.split(":", 1)[0], _SURE),
        numbers={"match_confidence": row["match_confidence"] or 0.0, "pictures": row["pictures"] or 0},
        picture=None if sha256 is None else keys.raw_image(sha256, row["format"]),
        title=row["title"],
    )
