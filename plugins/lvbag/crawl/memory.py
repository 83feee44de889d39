"""What a source had shown before a night: the newest `seen` table of an earlier night, and the listing rows it names.

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
from lvbag.crawl.rows import ListingRow, read_listings
from lvbag.store import Bucket, ObjectMissing, Store, keys
from lvbag.store.tables import read_table

_SEEN_KEY = re.compile(r"seen/night=(\d{4}-\d{2}-\d{2})/")


@dataclass(frozen=True)
class KnownPage:
    """An item page as an earlier night saw it."""

    validators: Validators
    row: ListingRow


@dataclass(frozen=True)
class KnownImage:
    """A picture as an earlier night fetched it; its bytes are in the store."""

    validators: Validators
    sha256: str
    format: str


class Memory:
    """One source's past, looked up by URL."""

    def __init__(self, store: Store, source: str, seen: pl.DataFrame) -> None:
        self._store = store
        self._source = source
        self._seen = {(row["kind"], row["url"]): row for row in seen.iter_rows(named=True)}
        self._tables: dict[tuple[dt.date, str], dict[str, ListingRow]] = {}

    def page(self, url: str) -> KnownPage | None:
        """What is known of an item page, or None."""
        seen = self._seen.get(("page", url))
        if seen is None:
            return None
        row = self._table(seen["night"], seen["shard"]).get(url)
        return None if row is None else KnownPage(Validators(seen["etag"], seen["last_modified"]), row)

    def image(self, url: str) -> KnownImage | None:
        """What is known of a picture, or None."""
        seen = self._seen.get(("image", url))
        if seen is None or not self._store.exists(keys.raw_image(seen["sha256"], seen["format"])):
            return None
        return KnownImage(Validators(seen["etag"], seen["last_modified"]), seen["sha256"], seen["format"])

    def _table(self, night: dt.date, shard: str) -> dict[str, ListingRow]:
        if (night, shard) not in self._tables:
            try:
                frame = read_table(self._store, keys.listings(night, self._source, shard), schemas.LISTINGS)
            except ObjectMissing:
                frame = schemas.LISTINGS.to_frame()
            self._tables[night, shard] = {row.url: row for row in read_listings(frame)}
        return self._tables[night, shard]


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
