"""Checks of pictures and crops: the bytes are those that the tables name, and what was taken down is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import polars as pl

from lvbag import schemas
from lvbag.care.checks import Check, Finding, found
from lvbag.store import Bucket, CorruptObject, ObjectMissing, Ref, Store, keys
from lvbag.store.tables import SchemaError, read_columns
from lvbag.tombstones import Tombstones

_TAKE_AGAIN = "take the same thing down again: `lvbag takedown --image {sha256} --why …`"


def raw_checks(store: Store, struck: Tombstones) -> Iterator[Check]:
    """Every picture that a fetch table says was stored, one table in memory at a time."""
    for item in store.list_objects(Bucket.RAW, keys.all_fetches_prefix()):
        rows = _columns(store, item.ref, schemas.FETCHES, ["verdict", "sha256", "format"])
        if isinstance(rows, Finding):
            yield found(rows)
            continue
        kept = rows.filter((pl.col("verdict") == "kept") & pl.col("sha256").is_not_null()).unique(maintain_order=True)
        for _, sha256, kind in kept.iter_rows():
            if sha256 not in struck.images:
                ref = keys.raw_image(sha256, kind)
                yield Check(store.uri(ref), partial(_raw, store, ref, sha256, store.uri(item.ref)))
    for sha256 in sorted(struck.images):
        prefix = keys.raw_images_of(sha256)
        yield Check(f"taken down {sha256}", partial(_is_gone, store, Bucket.RAW, prefix, sha256), always=True)


def crop_checks(store: Store, struck: Tombstones) -> Iterator[Check]:
    """Every crop that a curated table names."""
    columns = ["night", "sha256", "detector", "crop_sha256"]
    detectors = store.list_folders(Bucket.CURATED, keys.crops_prefix())
    for item in store.list_objects(Bucket.CURATED, keys.curated_images_prefix()):
        rows = _columns(store, item.ref, schemas.IMAGES, columns)
        if isinstance(rows, Finding):
            yield found(rows)
            continue
        for night, sha256, detector, digest in rows.drop_nulls().unique(maintain_order=True).iter_rows():
            if sha256 not in struck.images:
                ref = keys.crop(detector, sha256)
                yield Check(store.uri(ref), partial(_crop, store, ref, digest, str(night)))
    for sha256 in sorted(struck.images):
        for detector in detectors:
            prefix = keys.crop(detector, sha256).key
            name = f"taken down {sha256} of {detector}"
            yield Check(name, partial(_is_gone, store, Bucket.CURATED, prefix, sha256), always=True)


def _raw(store: Store, ref: Ref, sha256: str, named_by: str) -> Iterator[Finding]:
    digest = _digest(store, ref)
    if digest is None:
        yield Finding(
            "raw_missing",
            store.uri(ref),
            f"{named_by} names it and it does not exist",
            "restore it from a backup; else a later night fetches it again where the shop still shows it",
        )
    elif digest != sha256:
        yield Finding(
            "raw_corrupt",
            store.uri(ref),
            f"its bytes have sha256 {digest}",
            "restore it from a backup, or delete it: a later night fetches it again where the shop still shows it",
        )


def _crop(store: Store, ref: Ref, digest: str, night: str) -> Iterator[Finding]:
    standing = _digest(store, ref)
    if standing != digest:
        kind, problem = ("crop_missing", "it does not exist") if standing is None else ("crop_corrupt", "other bytes")
        yield Finding(
            kind,
            store.uri(ref),
            f"{problem}; night {night} recorded sha256 {digest}",
            f"curate the night again: `lvbag curate run --night {night}`",
        )


def _is_gone(store: Store, bucket: Bucket, prefix: str, sha256: str) -> Iterator[Finding]:
    for item in store.list_objects(bucket, prefix):
        yield Finding(
            "taken_down_present",
            store.uri(item.ref),
            "it was taken down and still stands",
            _TAKE_AGAIN.format(sha256=sha256),
        )


def _columns(store: Store, ref: Ref, schema: pl.Schema, columns: list[str]) -> pl.DataFrame | Finding:
    try:
        return read_columns(store, ref, schema, columns)
    except (CorruptObject, SchemaError) as error:
        return Finding("table_unreadable", store.uri(ref), str(error), "what it names cannot be checked; see there")


def _digest(store: Store, ref: Ref) -> str | None:
    try:
        return hashlib.sha256(store.get(ref)).hexdigest()
    except ObjectMissing:
        return None
