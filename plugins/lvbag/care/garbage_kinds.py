"""The kinds of garbage in nights and snapshots, in the order in which they go: what points, then what is pointed at.

Each kind says why it is garbage and what keeps the others of its kind.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import polars as pl

from lvbag.care.cutting import MANIFEST, read_manifest
from lvbag.care.kept_snapshots import Shelf
from lvbag.care.referred import crops_referred, images_referred, journals_to_keep
from lvbag.images.fingerprints import VERSION
from lvbag.nights import NightError, parse_night
from lvbag.outliers import WEIGHTS
from lvbag.store import Bucket, ObjectInfo, Ref, Store, keys

_BATCH = 20_000
"""Objects of a listing that are held against what is referred to at a time."""

STEPS_READ_BY_NOBODY = ("exact.parquet", "near.parquet", "clean/")
"""`validate` stays: an old night is cleaned again from it."""


@dataclass(frozen=True)
class Garbage:
    """One kind: its objects in the order in which they go, why they are garbage, and what protects the others.

    `snapshots`: the names of those that go with it.
    """

    kind: str
    why: str
    protects: str
    objects: tuple[ObjectInfo, ...]
    snapshots: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """How much room the objects take."""
        return sum(item.size for item in self.objects)

    def steps(self) -> Iterator[list[ObjectInfo]]:
        """Groups whose objects may go side by side: a snapshot's manifest before anything else of it."""
        yield [item for item in self.objects if item.ref.key.endswith(f"/{MANIFEST}")]
        yield [item for item in self.objects if not item.ref.key.endswith(f"/{MANIFEST}")]


def find_garbage(store: Store, shelf: Shelf, before: dt.datetime) -> list[Garbage]:
    """What was written before a time and nothing refers to; the registry has its own kinds (`garbage_models`)."""
    old = {name: _old_files(store, name, before) for name, why in shelf.snapshots.items() if why is None}
    gone = sorted(name for name, files in old.items() if files)
    stopped = {name: _old_files(store, name, before) for name in shelf.unfinished}
    kept_journals, lost_journals = journals_to_keep(store, before)
    return [
        Garbage(
            "night pointer",
            "points to a snapshot that goes",
            "pointers to snapshots that stay, the newest always",
            tuple(_pointers(store, shelf, set(gone))),
        ),
        Garbage(
            "snapshot",
            "no night among the newest, no model, no evaluation and no training needs it",
            "the newest ones, the one before them, the one that knows every place, and what any model was trained or "
            "measured on",
            tuple(item for name in gone for item in old[name]),
            tuple(gone),
        ),
        Garbage(
            "unfinished snapshot",
            "its build was stopped before the manifest, which is its commit mark",
            "builds that wrote anything since the limit",
            tuple(item for name in sorted(stopped) for item in stopped[name]),
        ),
        Garbage(
            "journal",
            "its night was closed after it was written, so its rows stand in tables",
            "journals of nights that were never closed, and of shards that went on since",
            tuple(lost_journals),
        ),
        Garbage(
            "crop",
            "no curated table and no snapshot that stays names it",
            "every crop that one of them names, of any detector",
            tuple(_crops(store, shelf, set(gone), before)),
        ),
        Garbage(
            "raw image",
            "no table and no journal names it: its shard was killed and never went on",
            "every image that a fetch, seen or curated table or a journal names: what was fetched is never lost",
            tuple(_raw_images(store, kept_journals, before)),
        ),
        Garbage(
            "step table",
            "its night has curated tables and a report, and no later step reads it",
            "the validated table, from which a night is cleaned again; nights without curated tables or report",
            tuple(_step_tables(store, before)),
        ),
        Garbage(
            "fingerprints",
            f"taken by another version of the method than {VERSION}",
            "those of today's version",
            tuple(_fingerprints(store, before)),
        ),
        Garbage(
            "superseded memory",
            "a later night's table of the same source holds all of it",
            "each source's newest, all since the limit, and the last one before it",
            tuple(
                (*_superseded(store, keys.seen_prefix(), before), *_superseded(store, keys.watermarks_prefix(), before))
            ),
        ),
        Garbage(
            "autoencoder's weights",
            "a later night's autoencoder went on from there; the night's scores stay",
            "those of nights since the limit, and of the last one before it",
            tuple(_superseded_weights(store, before)),
        ),
        Garbage(
            "lease or robots.txt",
            "holds for its own night only",
            "those of nights since the limit",
            tuple(
                (*_nightly(store, keys.all_leases_prefix(), before), *_nightly(store, keys.all_robots_prefix(), before))
            ),
        ),
    ]


def is_old(item: ObjectInfo, before: dt.datetime) -> bool:
    """Whether an object was last written before a time; one of which that is not known is young."""
    return item.modified is not None and item.modified < before


# ------------------------------------------------------------------ snapshots


def _old_files(store: Store, name: str, before: dt.datetime) -> list[ObjectInfo]:
    """All files of a snapshot, the manifest first; none where one of them is young."""
    files = list(store.list_objects(Bucket.DATASETS, keys.snapshot_prefix(name)))
    if not all(is_old(item, before) for item in files):
        return []
    return sorted(files, key=lambda item: (not item.ref.key.endswith(f"/{MANIFEST}"), item.ref))


def _pointers(store: Store, shelf: Shelf, gone: set[str]) -> Iterator[ObjectInfo]:
    wanted = {keys.snapshot_of_night(parse_night(night)) for night, name in shelf.pointers.items() if name in gone}
    for item in store.list_objects(Bucket.DATASETS, keys.snapshot_of_night_prefix()):
        if item.ref in wanted:
            yield item


# ------------------------------------------------------------------ pictures


def _crops(store: Store, shelf: Shelf, gone: set[str], before: dt.datetime) -> Iterator[ObjectInfo]:
    manifests = [read_manifest(store, name) for name in shelf.snapshots if name not in gone]
    referred = crops_referred(store, [manifest for manifest in manifests if manifest is not None])

    def name_of(ref: Ref) -> str | None:
        parts = ref.key.removeprefix(keys.crops_prefix()).split("/")
        return f"{parts[0]}/{parts[2].removesuffix('.jpg')}" if len(parts) == 3 else None

    yield from _unreferred(store.list_objects(Bucket.CURATED, keys.crops_prefix()), name_of, referred, before)


def _raw_images(store: Store, journals: Sequence[Ref], before: dt.datetime) -> Iterator[ObjectInfo]:
    referred = images_referred(store, journals)

    def name_of(ref: Ref) -> str | None:
        parts = ref.key.removeprefix(keys.raw_images_prefix()).split("/")
        return parts[1].split(".")[0] if len(parts) == 2 else None

    yield from _unreferred(store.list_objects(Bucket.RAW, keys.raw_images_prefix()), name_of, referred, before)


def _unreferred(
    items: Iterable[ObjectInfo], name_of: Callable[[Ref], str | None], referred: pl.Series, before: dt.datetime
) -> Iterator[ObjectInfo]:
    """The old objects whose name is not among those referred to; an object with a strange key is left alone."""
    waiting = (item for item in items if is_old(item, before) and name_of(item.ref) is not None)
    while batch := list(islice(waiting, _BATCH)):
        names = pl.Series([name_of(item.ref) for item in batch], dtype=pl.String)
        for item, known in zip(batch, names.is_in(referred.implode()), strict=True):
            if not known:
                yield item


# ------------------------------------------------------------------ tables and notes


def _step_tables(store: Store, before: dt.datetime) -> Iterator[ObjectInfo]:
    finished: dict[dt.date, bool] = {}
    for item in store.list_objects(Bucket.CURATED, keys.all_stages_prefix()):
        night, name = _night_of(item.ref), item.ref.key.split("/", 2)[-1]
        if night is None or not name.startswith(STEPS_READ_BY_NOBODY) or not is_old(item, before):
            continue
        if night not in finished:
            curated = next(iter(store.list_objects(Bucket.CURATED, keys.curated_images_prefix(night))), None)
            finished[night] = curated is not None and store.exists(keys.night_report(night))
        if finished[night]:
            yield item


def _fingerprints(store: Store, before: dt.datetime) -> Iterator[ObjectInfo]:
    for item in store.list_objects(Bucket.CURATED, keys.refreshed_prefix()):
        version = item.ref.key.removeprefix(keys.refreshed_prefix()).split("/")[0]
        if version not in (VERSION, f"{VERSION}-crops") and is_old(item, before):
            yield item


def _superseded(store: Store, prefix: str, before: dt.datetime) -> Iterator[ObjectInfo]:
    """Of each source, what a later object replaces; nights since the limit still begin with the last one before it."""
    yield from _all_but_newest(store.list_objects(Bucket.RAW, prefix), before)


def _superseded_weights(store: Store, before: dt.datetime) -> Iterator[ObjectInfo]:
    items = store.list_objects(Bucket.CURATED, keys.outliers_prefix())
    yield from _all_but_newest((item for item in items if item.ref.key.endswith(f"/{WEIGHTS}")), before)


def _all_but_newest(items: Iterable[ObjectInfo], before: dt.datetime) -> Iterator[ObjectInfo]:
    by_source: dict[str, list[ObjectInfo]] = {}
    for item in items:
        night = _night_of(item.ref)
        if night is not None and night < before.date():
            by_source.setdefault(item.ref.key.rsplit("/", 1)[-1], []).append(item)
    for found in by_source.values():
        newest_last = sorted(found, key=lambda item: item.ref)
        yield from (item for item in newest_last[:-1] if is_old(item, before))


def _nightly(store: Store, prefix: str, before: dt.datetime) -> Iterator[ObjectInfo]:
    for item in store.list_objects(Bucket.RAW, prefix):
        night = _night_of(item.ref)
        if night is not None and night < before.date() and is_old(item, before):
            yield item


def _night_of(ref: Ref) -> dt.date | None:
    """The night in a key, `…/night=2026-11-23/…` or `…/night=2026-11-23.json`; None where there is none."""
    for part in ref.key.split("/"):
        if part.startswith("night="):
            try:
                return parse_night(part.removeprefix("night=").split(".")[0])
            except NightError:
                return None
    return None
