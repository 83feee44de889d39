"""What a source had shown before a night: the newest `seen` table of an earlier night, and the rows that it names.

A page or picture is asked for conditionally only when what an earlier night read of it is still there, so a cleaned-up
store heals itself by fetching again.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from lvbag import schemas
from lvbag.crawl.earlier import newest_before
from lvbag.crawl.fetching.answers import Validators
from lvbag.crawl.rows import REFUSED, ListingRow, read_listings
from lvbag.store import ObjectMissing, Ref, Store, keys
from lvbag.store.tables import read_table

_TABLES = 32
"""Tables of earlier nights held at a time."""


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
    """One source's past, looked up by URL. It holds one table, whatever its length, and a few others at a time."""

    def __init__(self, store: Store, source: str, seen: pl.DataFrame) -> None:
        self._store = store
        self._source = source
        self._tables = {str(kind): rows.sort("url") for (kind,), rows in seen.group_by("kind")}
        self._pages_of = lru_cache(_TABLES)(self._read_pages)
        self._refusals_of = lru_cache(_TABLES)(self._read_refusals)

    def knows(self, url: str) -> bool:
        """Whether this listing's page has been seen before."""
        return self._find("page", url) is not None

    def page(self, url: str) -> KnownPage | None:
        """What is known of an item page, or None."""
        seen = self._find("page", url)
        if seen is None:
            return None
        row = self._pages_of(seen["night"], seen["shard"]).get(url)
        return None if row is None else KnownPage(Validators(seen["etag"], seen["last_modified"]), row)

    def image(self, url: str) -> KnownImage | None:
        """What is known of a picture, or None."""
        seen = self._find("image", url)
        if seen is None:
            return None
        validators = Validators(seen["etag"], seen["last_modified"])
        if seen["sha256"] is None:
            reason = self._refusals_of(seen["night"], seen["shard"]).get(url)
            return None if reason is None else KnownImage(validators, reason=reason)
        if not self._store.exists(keys.raw_image(seen["sha256"], seen["format"])):
            return None
        return KnownImage(validators, seen["sha256"], seen["format"])

    def digest(self, url: str) -> str | None:
        """The sha256 of the bytes that were last read at a picture's address, whether they are still there or not."""
        seen = self._find("image", url)
        return None if seen is None else seen["sha256"]

    def _find(self, kind: str, url: str) -> dict[str, Any] | None:
        table = self._tables.get(kind)
        if table is None:
            return None
        urls = table["url"]
        place = bisect_left(range(len(urls)), url, key=lambda row: urls[row])
        return table.row(place, named=True) if place < len(urls) and urls[place] == url else None

    def _read_pages(self, night: dt.date, shard: str) -> dict[str, ListingRow]:
        frame = self._read(keys.listings(night, self._source, shard), schemas.LISTINGS)
        return {row.url: row for row in read_listings(frame)}

    def _read_refusals(self, night: dt.date, shard: str) -> dict[str, str]:
        frame = self._read(keys.fetches(night, self._source, shard), schemas.FETCHES)
        refused = frame.filter(pl.col("verdict") == REFUSED).select("image_url", "reason")
        return dict(refused.iter_rows())

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
    newest = newest_before(store, night, keys.seen_prefix(), lambda day: keys.seen(day, source))
    return schemas.SEEN.to_frame() if newest is None else read_table(store, newest, schemas.SEEN)
