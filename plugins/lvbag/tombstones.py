"""What was taken down for good: listings, sellers, addresses and images that are never fetched nor learned from again.

Each is one small object in the raw bucket, so that the crawl, which may write nothing else, can read it. A tombstone
outlives what it stands for. Sellers are kept as digests: the name itself is what somebody asked to have removed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from lvbag.store import Bucket, CorruptObject, Ref, Store, keys

KINDS = ("listing", "seller", "url", "image")
_KEY_CHARS = 16


def seller_key(source: str, seller: str) -> str:
    """A seller as curated tables name them: 16 hex digits of a digest; the same name at another source is another."""
    return hashlib.sha256(f"{source}\n{' '.join(seller.split()).casefold()}".encode()).hexdigest()[:_KEY_CHARS]


@dataclass(frozen=True)
class Tombstones:
    """All that was taken down: (source, listing_id), seller keys, addresses of pages or pictures, sha256 of images."""

    listings: frozenset[tuple[str, str]] = frozenset()
    sellers: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()

    def strikes(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows are taken down, by those of the columns source, listing_id, seller_key, url, image_url and sha256
        that the frame has; Boolean, one a row."""
        found = pl.Series("struck", [False] * frame.height, dtype=pl.Boolean)
        have = set(frame.columns)
        if {"source", "listing_id"} <= have and self.listings:
            found |= pl.Series(row in self.listings for row in frame.select("source", "listing_id").iter_rows())
        by_column = {
            "seller_key": self.sellers,
            "url": self.urls,
            "image_url": self.urls,
            "sha256": self.images,
        }
        for name, struck in by_column.items():
            if name in have and struck:
                found |= frame[name].is_in(list(struck)).fill_null(value=False)
        return found


def read_tombstones(store: Store) -> Tombstones:
    """All tombstones there are; raises `CorruptObject` for one that cannot be read: then nothing may be fetched."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    listings: set[tuple[str, str]] = set()
    for item in store.list_objects(Bucket.RAW, keys.tombstones_prefix()):
        value = store.get_json(item.ref)
        try:
            kind = value["kind"]
            if kind == "listing":
                listings.add((str(value["source"]), str(value["listing_id"])))
            else:
                found[kind].add(str(value["key"]))
        except (TypeError, KeyError):
            raise CorruptObject(
                f"{store.uri(item.ref)} is no tombstone; restore it from a backup or take the same thing down again"
            ) from None
    return Tombstones(
        frozenset(listings), frozenset(found["seller"]), frozenset(found["url"]), frozenset(found["image"])
    )


def tombstone_ref(kind: str, key: str) -> Ref:
    """Where the tombstone of something stands; `key` is what identifies it within its kind."""
    return keys.tombstone(f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:32]}")
