"""What was taken down for good: listings, sellers, addresses and images that are never fetched nor learned from again.

Each is one small object in the raw bucket, so that the crawl, which may write nothing else, can read it. A tombstone
outlives what it stands for. Sellers are kept as digests: the name itself is what somebody asked to have removed.
Snapshots never change, so what is taken out of one is kept beside it as its holes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import polars as pl

from lvbag.store import (
    Bucket,
    CorruptObject,
    ObjectMissing,
    PreconditionFailed,
    Ref,
    Store,
    json_bytes,
    keys,
    nonce,
)

KINDS = ("listing", "seller", "url", "image")
_KEY_CHARS = 16
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PORTS = {"http": 80, "https": 443}


def seller_key(source: str, seller: str) -> str:
    """A seller as curated tables name them: 16 hex digits of a digest; the same name at another source is another."""
    return hashlib.sha256(f"{source}\n{' '.join(seller.split()).casefold()}".encode()).hexdigest()[:_KEY_CHARS]


def normal_url(url: str) -> str:
    """An address as addresses are compared: two spellings of one address are the same text.

    Without its fragment, the scheme's own port, and the dot after a host; the host in lower case, http as https, an
    empty path as `/`, percent escapes as RFC 3986 (6.2.2) writes them. The query counts, and so does the path's case.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return text
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname:
        return _escaped(text.split("#", 1)[0])
    host = parts.hostname.rstrip(".")
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    query = f"?{_escaped(parts.query)}" if parts.query else ""
    return f"https://{place}{_escaped(parts.path) or '/'}{query}"


@dataclass(frozen=True)
class Tombstones:
    """All that was taken down: (source, listing_id), seller keys, addresses of pages or pictures, sha256 of images."""

    listings: frozenset[tuple[str, str]] = frozenset()
    sellers: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()

    @cached_property
    def _places(self) -> frozenset[str]:
        return frozenset(normal_url(url) for url in self.urls)

    def has_url(self, url: str) -> bool:
        """Whether this address, in any spelling, was taken down."""
        return bool(self._places) and normal_url(url) in self._places

    def has_seller(self, source: str, seller: str | None) -> bool:
        """Whether this seller, by the name that the source writes, was taken down."""
        return seller is not None and bool(self.sellers) and seller_key(source, seller) in self.sellers

    def strikes(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows are taken down, by those of the columns source, listing_id, seller_key, url, image_url,
        picture_url and sha256 that the frame has; Boolean, one a row."""
        found = pl.Series("struck", [False] * frame.height, dtype=pl.Boolean)
        have = set(frame.columns)
        if {"source", "listing_id"} <= have and self.listings:
            found |= pl.Series(
                [row in self.listings for row in frame.select("source", "listing_id").iter_rows()], dtype=pl.Boolean
            )
        for name, struck in (("seller_key", self.sellers), ("sha256", self.images)):
            if name in have and struck:
                found |= frame[name].is_in(list(struck)).fill_null(value=False)
        for name in ("url", "image_url", "picture_url"):
            if name in have and self.urls:
                found |= pl.Series([url is not None and self.has_url(url) for url in frame[name]], dtype=pl.Boolean)
        return found


@dataclass(frozen=True)
class Tombstone:
    """One request to take something down: what was named, and all that goes with it.

    `kind` is one of `KINDS`, `key` what was named: `source/listing_id`, a seller key, an address, a sha256.
    """

    kind: str
    key: str
    everything: Tombstones
    why: str
    by: str
    at: dt.datetime

    @property
    def ref(self) -> Ref:
        """Where it stands: the same for the same things, whoever asks, when and why."""
        return tombstone_ref(self.kind, json.dumps([self.key, _lists(self.everything)], sort_keys=True))


def write_tombstone(store: Store, tombstone: Tombstone) -> bool:
    """Write a tombstone; False where the same stands already, which then keeps its own reason and time."""
    value = {
        "kind": tombstone.kind,
        "key": tombstone.key,
        **_lists(tombstone.everything),
        "why": tombstone.why,
        "by": tombstone.by,
        "at": tombstone.at.isoformat(),
        "nonce": nonce(),
    }
    return store.put_if_absent(tombstone.ref, json_bytes(value), "application/json")


def read_tombstones(store: Store) -> Tombstones:
    """All tombstones there are; raises `CorruptObject` for one that cannot be read: then nothing may be fetched."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    listings: set[tuple[str, str]] = set()
    for item in store.list_objects(Bucket.RAW, keys.tombstones_prefix()):
        value = store.get_json(item.ref)
        try:
            if value["kind"] == "listing":
                listings |= {(str(value["source"]), str(value["listing_id"]))} if "source" in value else set()
            else:
                found[value["kind"]].add(str(value["key"]))
            listings |= {(str(source), str(listing_id)) for source, listing_id in value.get("listings", ())}
            for kind in ("seller", "url", "image"):
                found[kind] |= {str(key) for key in value.get(f"{kind}s", ())}
        except (TypeError, KeyError, ValueError, AttributeError):
            raise CorruptObject(
                f"{store.uri(item.ref)} is no tombstone; restore it from a backup or take the same thing down again"
            ) from None
    return Tombstones(
        frozenset(listings), frozenset(found["seller"]), frozenset(found["url"]), frozenset(found["image"])
    )


def tombstone_ref(kind: str, key: str) -> Ref:
    """Where the tombstone of something stands; `key` is what identifies it within its kind."""
    return keys.tombstone(f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:32]}")


# ------------------------------------------------------------------ holes


def read_holes(store: Store, snapshot: str) -> frozenset[str]:
    """The images (sha256) that were taken out of a snapshot after it was built: its manifest still names them."""
    return frozenset(_read_holes(store, snapshot)[0])


def add_holes(store: Store, snapshot: str, images: Iterable[str], why: str, at: dt.datetime) -> None:
    """Record images that go from a snapshot's shards; those that are recorded keep their own reason and time."""
    ref = keys.snapshot_holes(snapshot)
    new = {sha256: {"why": why, "at": at.isoformat()} for sha256 in images}
    while True:
        known, etag = _read_holes(store, snapshot)
        if set(new) <= set(known):
            return
        value = {"images": {**new, **known}, "nonce": nonce()}
        try:
            store.compare_and_swap(ref, json_bytes(value), etag)
        except PreconditionFailed:
            continue
        return


def _read_holes(store: Store, snapshot: str) -> tuple[Mapping[str, Any], str | None]:
    ref = keys.snapshot_holes(snapshot)
    try:
        data, etag = store.get_with_etag(ref)
    except ObjectMissing:
        return {}, None
    try:
        images = json.loads(data)["images"]
        return dict(images), etag
    except (ValueError, TypeError, KeyError):
        raise CorruptObject(
            f"{store.uri(ref)} does not say what was taken down; restore it from a backup, or delete it and take the "
            "same things down again"
        ) from None


# ------------------------------------------------------------------ helpers


def _lists(everything: Tombstones) -> dict[str, Any]:
    return {
        "listings": sorted([source, listing_id] for source, listing_id in everything.listings),
        "sellers": sorted(everything.sellers),
        "urls": sorted(everything.urls),
        "images": sorted(everything.images),
    }


def _escaped(text: str) -> str:
    """Percent escapes in one way: what needs none without, the others in capitals; what is not ASCII escaped."""

    def one(match: re.Match[str]) -> str:
        char = chr(int(match.group(1), 16))
        return char if char in _UNRESERVED else match.group(0).upper()

    return _ESCAPE.sub(one, quote(text, safe="%/?:@!$&'()*+,;=[]~#", errors="replace"))
