"""What a source had shown before a night: the newest `seen` table of an earlier night, and the rows that it names.

A page or picture is asked for conditionally only when what an earlier night read of it is still there, so a cleaned-up
store heals itself by fetching again.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import polars as pl

from lvbag import schemas
from lvbag.crawl.fetcher import Validators
from lvbag.crawl.rows import REFUSED, ListingRow, read_listings
from lvbag.store import Bucket, ObjectMissing, Ref, Store, keys
from lvbag.store.tables import read_table

_SEEN_KEY = re.compile(r"seen/night=(\d{4}-\d{2}-\d{2})/")


@dataclass(frozen=True)
class KnownPage:
    """An item page as an earlier night saw it."""

    validators: Validators
    row: ListingRow


@dataclass(frozen=True)
class KnownImage:
    """A picture as an earlier night fetched it: its bytes are in the store, or its content was refused."""

    validators: Validators
    sha256: str | None = None
    format: str | None = None
    reason: str | None = None  # of the refusal; then there are no bytes


class Memory:
    """One source's past, looked up by URL."""

    def __init__(self, store: Store, source: str, seen: pl.DataFrame) -> None:
        self._store = store
        self._source = source
        self._seen = {(row["kind"], row["url"]): row for row in seen.iter_rows(named=True)}
        self._pages: dict[tuple[dt.date, str], dict[str, ListingRow]] = {}
        self._refusals: dict[tuple[dt.date, str], dict[str, str]] = {}

    def page(self, url: str) -> KnownPage | None:
        """What is known of an item page, or None."""
        seen = self._seen.get(("page", url))
        if seen is None:
            return None
        row = self._pages_of(seen["night"], seen["shard"]).get(url)
        return None if row is None else KnownPage(Validators(seen["etag"], seen["last_modified"]), row)

    def image(self, url: str) -> KnownImage | None:
        """What is known of a picture, or None."""
        seen = self._seen.get(("image", url))
        if seen is None:
            return None
        validators = Validators(seen["etag"], seen["last_modified"])
        if seen["sha256"] is None:
            reason = self._refusals_of(seen["night"], seen["shard"]).get(url)
            return None if reason is None else KnownImage(validators, reason=reason)
        if not self._store.exists(keys.raw_image(seen["sha256"], seen["format"])):
            return None
        return KnownImage(validators, seen["sha256"], seen["format"])

    def _pages_of(self, night: dt.date, shard: str) -> dict[str, ListingRow]:
        if (night, shard) not in self._pages:
            frame = self._read(keys.listings(night, self._source, shard), schemas.LISTINGS)
            self._pages[night, shard] = {row.url: row for row in read_listings(frame)}
        return self._pages[night, shard]

    def _refusals_of(self, night: dt.date, shard: str) -> dict[str, str]:
        if (night, shard) not in self._refusals:
            frame = self._read(keys.fetches(night, self._source, shard), schemas.FETCHES)
            refused = frame.filter(pl.col("verdict") == REFUSED).select("image_url", "reason")
            self._refusals[night, shard] = dict(refused.iter_rows())
        return self._refusals[night, shard]

    def _read(self, ref: Ref, schema: pl.Schema) -> pl.DataFrame:
        try:
            return read_table(self._store, ref, schema)
        except ObjectMissing:
            return schema.to_frame()


def open_memory(store: Store, source: str, night: dt.date) -> Memory:
    """The source's past before this night."""
    return Memory(store, source, read_seen(store, source, night))


def read_seen(store: Store, source: str, night: dt.date) -> pl.DataFrame:
    """The source's newest `seen` table of a night before this one; an empty one where there is none."""
    nights = []
    for item in store.list_objects(Bucket.RAW, keys.seen_prefix()):
        match = _SEEN_KEY.match(item.ref.key)
        if match and item.ref == keys.seen(dt.date.fromisoformat(match.group(1)), source):
            nights.append(dt.date.fromisoformat(match.group(1)))
    newest = max((seen for seen in nights if seen < night), default=None)
    return schemas.SEEN.to_frame() if newest is None else read_table(store, keys.seen(newest, source), schemas.SEEN)
