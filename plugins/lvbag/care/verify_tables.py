"""Checks of tables: each can be read and fits its schema, and those of a closed night are what its manifest says."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import polars as pl

from lvbag import schemas
from lvbag.care.checks import Check, Finding, found
from lvbag.store import Bucket, CorruptObject, ObjectMissing, Ref, Store, keys
from lvbag.store.tables import SchemaError, read_table

_MEND = "run the step that writes it again, or restore it from a backup"


def table_checks(store: Store) -> Iterator[Check]:
    """Every table below the prefixes that hold some, then every digest that a night's manifest records."""
    for bucket in (Bucket.RAW, Bucket.CURATED, Bucket.DATASETS):
        for prefix in _PREFIXES[bucket]:
            for item in store.list_objects(bucket, prefix):
                if item.ref.key.endswith(".parquet"):
                    yield Check(store.uri(item.ref), partial(_fits, store, item.ref, schema_of(item.ref)))
    newest_seen = _newest_seen(store)
    for item in store.list_objects(Bucket.RAW, keys.night_manifest_prefix()):
        try:
            manifest = store.get_json(item.ref)
            tables, night = sorted(manifest["tables"].items()), str(manifest["night"])
        except (CorruptObject, TypeError, KeyError, AttributeError) as error:
            yield found(Finding("manifest_unreadable", store.uri(item.ref), repr(error), "close the night again"))
            continue
        for key, sha256 in tables:
            ref = Ref(Bucket.RAW, key)
            check = partial(_is_recorded, store, ref, sha256, night, _is_superseded(key, newest_seen))
            yield Check(f"{store.uri(ref)} by {item.ref.key}", check)


_PREFIXES = {
    Bucket.RAW: (keys.all_listings_prefix(), keys.all_fetches_prefix(), keys.seen_prefix()),
    Bucket.CURATED: (
        keys.all_stages_prefix(),
        keys.curated_images_prefix(),
        keys.all_quarantine_prefix(),
        keys.refreshed_prefix(),
        keys.outliers_prefix(),
        keys.suspicions_prefix(),
    ),
    Bucket.DATASETS: ("",),
}

_BY_FOLDER = {"listings": schemas.LISTINGS, "fetches": schemas.FETCHES, "seen": schemas.SEEN, "images": schemas.IMAGES}
_BY_FOLDER |= {"outliers": schemas.OUTLIERS, "suspicions": schemas.SUSPICIONS}
_BY_NAME = {"manifest.parquet": schemas.MANIFEST, "splits.parquet": schemas.SPLITS}


def schema_of(ref: Ref) -> pl.Schema | None:
    """The schema that a table must fit, by its place; None where only being readable counts."""
    parts = ref.key.split("/")
    if ref.bucket is Bucket.DATASETS:
        return _BY_NAME.get(parts[-1])
    if parts[0] == "stages":
        return schemas.CLEANED if parts[2] == "clean" else schemas.STAGES.get(parts[2].removesuffix(".parquet"))
    return _BY_FOLDER.get(parts[0])


def _fits(store: Store, ref: Ref, schema: pl.Schema | None) -> Iterator[Finding]:
    try:
        if schema is None:
            pl.read_parquet(io.BytesIO(store.get(ref)))
        else:
            read_table(store, ref, schema)
    except ObjectMissing:
        return  # it has gone since it was listed
    except (CorruptObject, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        yield Finding("table_unreadable", store.uri(ref), str(error), _MEND)
    except SchemaError as error:
        yield Finding("table_unfit", store.uri(ref), str(error), _MEND)


def _is_recorded(store: Store, ref: Ref, sha256: str, night: str, may_be_gone: bool) -> Iterator[Finding]:
    try:
        digest = hashlib.sha256(store.get(ref)).hexdigest()
    except ObjectMissing:
        if not may_be_gone:
            yield Finding("table_missing", store.uri(ref), f"the manifest of night {night} names it", _MEND)
        return
    if digest != sha256:
        yield Finding(
            "table_changed",
            store.uri(ref),
            f"sha256 {digest}, the manifest of night {night} says {sha256}",
            f"if a shard was crawled again, close the night again (`lvbag crawl close --night {night}`); else restore "
            "the table from a backup",
        )


def _newest_seen(store: Store) -> dict[str, str]:
    """The newest `seen` table of each source: older ones may have been collected as garbage."""
    newest: dict[str, str] = {}
    for item in store.list_objects(Bucket.RAW, keys.seen_prefix()):
        newest[item.ref.key.rsplit("/", 1)[-1]] = item.ref.key
    return newest


def _is_superseded(key: str, newest_seen: dict[str, Any]) -> bool:
    return key.startswith(keys.seen_prefix()) and newest_seen.get(key.rsplit("/", 1)[-1], key) > key
