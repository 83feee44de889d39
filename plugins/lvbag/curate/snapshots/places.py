"""Where pictures were put before, and which snapshot stood after which night.

`splits.parquet` of a snapshot holds every place given up to it. Nights may be curated late or again, so the snapshot
of the night before need not know all: `newest-places.json` names the one that does, and is changed by
compare-and-swap, so that two builds at a time cannot give two places to one picture.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.curate.snapshots.groups import Home
from lvbag.store import Bucket, CorruptObject, ObjectMissing, PreconditionFailed, Ref, Store, json_bytes, keys
from lvbag.store.tables import read_table, write_table


@dataclass(frozen=True)
class Places:
    """Every home ever given, the snapshot that holds them (None: there is none yet), and the pointer's entity tag."""

    homes: tuple[Home, ...]
    snapshot: str | None
    etag: str | None


def read_places(store: Store, crop_clusters: Mapping[str, str]) -> Places:
    """All places given so far; `crop_clusters` are those of today by sha256, which `splits.parquet` does not hold."""
    name, etag = _named(store)
    if name is None:
        return Places((), None, etag)
    homes = tuple(
        Home(sha256, (source, listing), cluster, group, split, seller, crop_clusters.get(sha256))
        for sha256, source, listing, seller, cluster, group, split in read_splits(store, name).iter_rows()
    )
    return Places(homes, name, etag)


def read_splits(store: Store, name: str) -> pl.DataFrame:
    """`splits.parquet` of a snapshot; raises `CurateError` where it is gone."""
    ref = keys.snapshot(name, "splits.parquet")
    try:
        return read_table(store, ref, schemas.SPLITS)
    except ObjectMissing:
        raise CurateError(
            f"{store.uri(ref)} does not exist; without it test pictures could end in train, so restore it from a backup"
        ) from None


def write_places(store: Store, name: str, homes: Iterable[Home]) -> None:
    """Write `splits.parquet` of a snapshot."""
    rows = [
        (home.sha256, *home.listing, home.seller, home.cluster, home.group, home.split)
        for home in sorted(homes, key=lambda home: home.sha256)
    ]
    table = pl.DataFrame(rows, schema=schemas.SPLITS, orient="row")
    write_table(store, keys.snapshot(name, "splits.parquet"), table, schemas.SPLITS)


def complete_places(store: Store, name: str, homes: Mapping[str, Home], places: Places) -> None:
    """Let a snapshot that was written, but not announced before others were, know the places given since."""
    standing = set(read_splits(store, name)["sha256"])
    known = {home.sha256 for home in places.homes}
    if standing - known and known - standing:
        write_places(store, name, homes.values())


def announce_places(store: Store, name: str) -> None:
    """Name the snapshot that now knows every place; raises `CurateError` where another was announced since its build.

    A snapshot that knows no place which is not known already, an earlier night's that was built again, is not named.
    """
    before, etag = _named(store)
    mine = read_splits(store, name).select("sha256", "split")
    known = mine.clear() if before is None else read_splits(store, before).select("sha256", "split")
    if not mine.join(known, on="sha256", how="anti").is_empty():
        if not known.join(mine, on=["sha256", "split"], how="anti").is_empty():
            raise _overtaken(name)
        try:
            store.compare_and_swap(keys.newest_places(), json_bytes({"snapshot": name}), etag)
        except PreconditionFailed:
            if store.get_json(keys.newest_places()) != {"snapshot": name}:
                raise _overtaken(name) from None
            # else the same task ran twice at once, or the answer to a first try was lost


def _overtaken(name: str) -> CurateError:
    return CurateError(
        f"another snapshot was built at the same time as {name}, and may have put the same pictures elsewhere; "
        "build this night's snapshot again"
    )


def newest_snapshot(store: Store) -> str | None:
    """The snapshot of the last night, or None where no night has one."""
    return _last_pointer(store, None)


def snapshot_before(store: Store, night: dt.date) -> str | None:
    """The snapshot of the last night before this one that has one."""
    return _last_pointer(store, keys.snapshot_of_night(night))


def snapshot_after(store: Store, night: dt.date) -> str | None:
    """The snapshot that stood after this night, or None where it has none."""
    try:
        return _pointed(store, keys.snapshot_of_night(night))
    except ObjectMissing:
        return None


def night_pointers(store: Store) -> dict[str, str]:
    """The snapshot after each night that has one, nights in order."""
    refs = [item.ref for item in store.list_objects(Bucket.DATASETS, keys.snapshot_of_night_prefix())]
    return {ref.key.rsplit("/", 1)[-1].removesuffix(".json"): _pointed(store, ref) for ref in sorted(refs)}


def _named(store: Store) -> tuple[str | None, str | None]:
    """The snapshot that knows every place, and the pointer's entity tag."""
    ref = keys.newest_places()
    try:
        data, etag = store.get_with_etag(ref)
    except ObjectMissing:  # a new installation, or one of an earlier release
        return newest_snapshot(store), None
    try:
        name = str(json.loads(data)["snapshot"])
        keys.snapshot_prefix(name)
        return name, etag
    except (ValueError, TypeError, KeyError, keys.KeyNameError):
        raise CorruptObject(f"{store.uri(ref)} names no snapshot; restore it from a backup") from None


def _last_pointer(store: Store, before: Ref | None) -> str | None:
    last = None
    for item in store.list_objects(Bucket.DATASETS, keys.snapshot_of_night_prefix()):
        if before is None or item.ref.key < before.key:
            last = item.ref
    return None if last is None else _pointed(store, last)


def _pointed(store: Store, ref: Ref) -> str:
    value = store.get_json(ref)
    if not isinstance(value, dict) or not isinstance(value.get("snapshot"), str):
        raise CorruptObject(f"{store.uri(ref)} names no snapshot; build the snapshot of this night again")
    return str(value["snapshot"])
