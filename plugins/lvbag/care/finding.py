"""Everything that belongs to what is to be taken down, read from the tables of all nights; nothing is changed here.

A listing brings its page, the addresses of its pictures and the pictures themselves; a photo brings its copies: the
same bytes at other listings, the other members of its near-duplicate cluster, and photos whose crops are near to its
own. Tables and the journals of killed shards are read one at a time, and of curation's the columns that name clusters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import polars as pl

from lvbag import schemas
from lvbag.care.journals import journal_refs, read_segment
from lvbag.care.targets import Target
from lvbag.crawl.journal import LISTING, PICTURE
from lvbag.crawl.rows import frame_of
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_columns
from lvbag.tombstones import Tombstones, normal_url, seller_key

Place = tuple[str, str]
"""(source, listing_id)"""

Shard = tuple[dt.date, str, str]
"""(night, source, name)"""

_PAGE_KEPT = ("not_understood", "challenge", "search_failed")
"""Rules of the crawl under which a page is kept as it came."""


@dataclass
class Failed:
    """A shard that may have kept pages of the target: the addresses it did not understand, its own and others'."""

    own: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)


@dataclass
class Found:
    """What belongs to a target. `images`: sha256 to why it goes; `spared`: sha256 to another listing that shows it."""

    listings: set[Place] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)  # of pages and pictures, as addresses are compared
    images: dict[str, str] = field(default_factory=dict)
    spared: dict[str, str] = field(default_factory=dict)
    shown_at: set[Place] = field(default_factory=set)  # every listing that shows one of the images
    nights: set[dt.date] = field(default_factory=set)  # that met one of the images
    shards: dict[Shard, Failed] = field(default_factory=dict)


def find(store: Store, target: Target, with_copies: bool) -> Found:
    """Look through all nights. `with_copies`: a photo goes wherever it stands; else only what nobody else shows."""
    found = Found()
    if target.kind == "url":
        found.urls.add(target.key)
    if target.kind == "image":
        found.images[target.key] = "the image itself"
    else:
        _find_listings(store, target, found)
        _find_images(store, target, found)
    own = frozenset(found.images)
    if with_copies and own:
        for sha256 in sorted(copies(_read_clusters(store), own)):
            found.images[sha256] = "a copy of the photo"
    places = _find_places(store, found)
    if not with_copies and target.kind != "image":
        _spare_shared(found, places)
    return found


def copies(clusters: pl.DataFrame, images: Collection[str]) -> set[str]:
    """The same photos in other bytes, without the images themselves; a pure function.

    By cluster, by the cluster of the crops, and by the clusters of what that brings. No further: clusters never grow
    along a chain, and neither does this. `clusters` has sha256, cluster and crop_cluster.
    """
    near = _members(clusters, set(images), "cluster") | set(images)
    framed = _members(clusters, near, "crop_cluster") | near
    return (_members(clusters, framed, "cluster") | framed) - set(images)


def tombstones_of(target: Target, found: Found) -> Tombstones:
    """What is struck from now on: the target itself and everything that goes with it."""
    named = {target.kind: target.key}
    listings = {(target.source, target.listing_id)} if target.kind == "listing" else set()
    return Tombstones(
        listings=frozenset(found.listings | listings),
        sellers=frozenset({named["seller"]} if "seller" in named else ()),
        urls=frozenset(found.urls),
        images=frozenset({*found.images, *([named["image"]] if "image" in named else ())}),
    )


# ------------------------------------------------------------------ the crawl's tables


def _find_listings(store: Store, target: Target, found: Found) -> None:
    columns = ["night", "source", "shard", "listing_id", "url", "seller", "image_urls", "reason"]
    failed: list[tuple[Shard, str]] = []
    for table in _crawled(store, LISTING, columns):
        for night, source, name, listing_id, url, seller, image_urls, reason in table.iter_rows():
            if reason is not None and reason.split(":", 1)[0] in _PAGE_KEPT:
                failed.append(((night, source, name), normal_url(url)))
            if _is_meant(target, source, listing_id, url, seller):
                found.listings.add((source, listing_id))
                found.urls |= {normal_url(url), *(normal_url(image) for image in image_urls or ())}
    sources = {source for source, _ in found.listings}
    concerned = {shard for shard, url in failed if url in found.urls or shard[1] in sources}
    for shard, url in failed:
        if shard in concerned:
            addresses = found.shards.setdefault(shard, Failed())
            (addresses.own if url in found.urls else addresses.others).add(url)


def _crawled(store: Store, kind: str, columns: list[str]) -> Iterator[pl.DataFrame]:
    """The listings or pictures of all nights, and those of killed shards, which stand in no table yet."""
    prefix, schema = {
        LISTING: (keys.all_listings_prefix(), schemas.LISTINGS),
        PICTURE: (keys.all_fetches_prefix(), schemas.FETCHES),
    }[kind]
    yield from _tables(store, Bucket.RAW, prefix, schema, columns)
    for ref in journal_refs(store):
        yield frame_of(read_segment(store, ref, kind), schema).select(columns)


def _is_meant(target: Target, source: str, listing_id: str, url: str, seller: str | None) -> bool:
    if target.kind == "listing":
        return (source, listing_id) == (target.source, target.listing_id)
    if target.kind == "seller":
        return source == target.source and seller is not None and seller_key(source, seller) == target.key
    return normal_url(url) == target.key


def _find_images(store: Store, target: Target, found: Found) -> None:
    """The pictures of the listings, and those that were fetched from the address."""
    columns = ["source", "listing_id", "image_url", "sha256"]
    for table in _crawled(store, PICTURE, columns):
        for source, listing_id, url, sha256 in table.iter_rows():
            own = (source, listing_id) in found.listings
            if own:
                found.urls.add(normal_url(url))
            if sha256 is not None and (own or (target.kind == "url" and normal_url(url) == target.key)):
                found.images.setdefault(sha256, f"shown by {source}/{listing_id}" if own else "at the address")


def _find_places(store: Store, found: Found) -> dict[str, list[tuple[Place, str]]]:
    """Every place of the images; notes the nights that met them and the listings that show them."""
    wanted = pl.Series(sorted(found.images), dtype=pl.String).implode()
    columns = ["night", "source", "listing_id", "image_url", "sha256"]
    places: dict[str, list[tuple[Place, str]]] = {}
    for table in _crawled(store, PICTURE, columns):
        for night, source, listing_id, url, sha256 in table.filter(pl.col("sha256").is_in(wanted)).iter_rows():
            found.nights.add(night)
            found.shown_at.add((source, listing_id))
            places.setdefault(sha256, []).append(((source, listing_id), normal_url(url)))
    return places


def _spare_shared(found: Found, places: dict[str, list[tuple[Place, str]]]) -> None:
    """Leave what another listing shows as well, and the addresses at which it does."""
    for sha256, where in places.items():
        foreign = [(place, url) for place, url in where if _is_foreign(found, place, url)]
        if foreign:
            (source, listing_id), _ = foreign[0]
            found.spared[sha256] = f"{source}/{listing_id}"
            found.urls -= {url for _, url in foreign}
            del found.images[sha256]


def _is_foreign(found: Found, place: Place, url: str) -> bool:
    """A picture's own address names no listing: whoever shows it from there is meant."""
    return place not in found.listings and (bool(found.listings) or url not in found.urls)


# ------------------------------------------------------------------ clusters


def _read_clusters(store: Store) -> pl.DataFrame:
    columns = ["sha256", "cluster", "crop_cluster"]
    tables = _tables(store, Bucket.CURATED, keys.curated_images_prefix(), schemas.IMAGES, columns)
    return pl.concat(
        [
            schemas.IMAGES.to_frame().select(columns),
            *(table.filter(pl.col("cluster").is_not_null()) for table in tables),
        ]
    )


def _members(clusters: pl.DataFrame, images: Collection[str], column: str) -> set[str]:
    """Every image that shares a cluster with one of these."""
    mine = clusters.filter(pl.col("sha256").is_in(pl.Series(list(images), dtype=pl.String).implode()))
    names = mine[column].drop_nulls().unique().implode()
    return set(clusters.filter(pl.col(column).is_in(names))["sha256"])


def _tables(store: Store, bucket: Bucket, prefix: str, schema: pl.Schema, columns: list[str]) -> Iterator[pl.DataFrame]:
    for item in store.list_objects(bucket, prefix):
        yield read_columns(store, item.ref, schema, columns)
