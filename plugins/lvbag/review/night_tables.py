"""What one night left in the store, as far as reviewing reads it: read when it is first asked for, without what was
taken down."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from lvbag import schemas
from lvbag.nights import nights_in
from lvbag.outliers import read_outliers
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_columns
from lvbag.suspicions import suspicions_of_night
from lvbag.tombstones import Tombstones

IMAGES = (
    *("night", "source", "listing_id", "image_url", "sha256", "format", "style_code", "verdict", "reason"),
    *("box", "box_confidence", "nearest_rule", "rule_margin"),
)
LISTINGS = (
    *("night", "source", "listing_id", "url", "title", "seller", "style_code", "match_confidence", "match_reason"),
    "verdict",
)
FETCHES = ("source", "listing_id", "image_url", "position", "sha256", "format")


@dataclass(frozen=True)
class NightTables:
    """One night. `by_hand`: pictures (sha256) that a person named, whatever machines think of them."""

    store: Store
    night: dt.date
    tombstones: Tombstones
    by_hand: frozenset[str] = frozenset()

    @cached_property
    def images(self) -> pl.DataFrame:
        """`IMAGES` of every picture that the night judged."""
        return self._read(Bucket.CURATED, keys.curated_images_prefix(self.night), schemas.IMAGES, IMAGES)

    @cached_property
    def listings(self) -> pl.DataFrame:
        """`LISTINGS` of every listing that the night met."""
        table = self._read(Bucket.RAW, keys.listings_prefix(self.night), schemas.LISTINGS, LISTINGS)
        sellers = table.select("source", "seller").iter_rows()
        gone = pl.Series([self.tombstones.has_seller(*row) for row in sellers], dtype=pl.Boolean)
        return table.filter(~gone)

    @cached_property
    def fetches(self) -> pl.DataFrame:
        """`FETCHES` of every picture of which the bytes are there."""
        table = self._read(Bucket.RAW, keys.fetches_prefix(self.night), schemas.FETCHES, FETCHES)
        return table.filter(pl.col("sha256").is_not_null() & pl.col("format").is_not_null())

    @cached_property
    def outliers(self) -> pl.DataFrame:
        """`schemas.OUTLIERS` of the pictures that the night's autoencoder judged; empty where there was none."""
        table = read_outliers(self.store, self.night)
        if table is None:
            return schemas.OUTLIERS.to_frame()
        return table.filter(~self.tombstones.strikes(table))

    @cached_property
    def suspicions(self) -> pl.DataFrame:
        """`schemas.SUSPICIONS` of the night's snapshot; empty where its labels were not looked at."""
        table = suspicions_of_night(self.store, self.night)
        if table is None:
            return schemas.SUSPICIONS.to_frame()
        return table.filter(~self.tombstones.strikes(table))

    def _read(self, bucket: Bucket, prefix: str, schema: pl.Schema, columns: tuple[str, ...]) -> pl.DataFrame:
        refs = [item.ref for item in self.store.list_objects(bucket, prefix)]
        frames = [read_columns(self.store, ref, schema, columns) for ref in refs]
        table = pl.concat([schema.to_frame().select(columns), *frames])
        return table.filter(~self.tombstones.strikes(table))


def nights_with_tables(store: Store) -> list[dt.date]:
    """Every night that was crawled or curated, in order."""
    crawled = store.list_folders(Bucket.RAW, keys.all_listings_prefix())
    return nights_in([*crawled, *store.list_folders(Bucket.CURATED, keys.curated_images_prefix())])
