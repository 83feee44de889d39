"""Taking pictures out of what never changes: shards of snapshots, preview sheets, exports of labels.

A snapshot keeps its name and its manifest; `taken-down.json` beside it says which images are gone, is written before
anything goes, and is what every reader of the shards goes by. A call that is stopped midway is completed by the same
call again; two at a time end with everything gone that either was asked to remove.
"""

from __future__ import annotations

import datetime as dt
import logging
import tarfile
import tempfile
import zipfile
from collections.abc import Collection
from pathlib import Path

import polars as pl

from lvbag import schemas
from lvbag.curate import CurateError
from lvbag.curate.snapshots.preview import preview_sheet
from lvbag.labels import read_labels
from lvbag.labels.sets import EXPORT_NAME, INDEX_NAME
from lvbag.store import Bucket, CorruptObject, ObjectMissing, Ref, Store, json_bytes, keys
from lvbag.store.tables import read_table
from lvbag.tombstones import add_holes, read_holes

log = logging.getLogger(__name__)

MANIFEST, PREVIEW, SHARDS = "manifest.parquet", "preview.jpg", "shards/"
_TAR, _JPEG, _ZIP = "application/x-tar", "image/jpeg", "application/zip"


def snapshot_names(store: Store) -> list[str]:
    """Every folder of a snapshot, complete or not."""
    return [name for name in store.list_folders(Bucket.DATASETS, "") if f"{name}/" != keys.snapshot_of_night_prefix()]


def shard_refs(store: Store, snapshot: str) -> list[Ref]:
    """The tars of a snapshot that stand, in order."""
    prefix = keys.snapshot_prefix(snapshot) + SHARDS
    return [item.ref for item in store.list_objects(Bucket.DATASETS, prefix)]


def read_manifest(store: Store, snapshot: str) -> pl.DataFrame | None:
    """The manifest of a snapshot; None where it has none: a build that was stopped, or is at work."""
    try:
        return read_table(store, keys.snapshot(snapshot, MANIFEST), schemas.MANIFEST)
    except ObjectMissing:
        return None


def images_within(store: Store, snapshot: str, images: Collection[str]) -> set[str]:
    """Which of the images a snapshot holds or held; without a manifest its tars are read for that."""
    manifest = read_manifest(store, snapshot)
    if manifest is not None:
        return set(manifest["sha256"]) & set(images)
    held: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="lvbag-cut-") as folder:
        for ref in shard_refs(store, snapshot):
            held |= {name for name in _names(store.download(ref, Path(folder) / "shard.tar")) if name in images}
    return held


def cut_snapshot(store: Store, snapshot: str, images: Collection[str], why: str, at: dt.datetime) -> int:
    """Take images out of a snapshot's shards and preview; returns how many shards were written anew."""
    add_holes(store, snapshot, images, why, at)
    rewritten = 0
    done: frozenset[str] = frozenset()
    while (holes := read_holes(store, snapshot)) != done:  # somebody else may be cutting the same snapshot
        rewritten += _cut_shards(store, snapshot, holes)
        _renew_preview(store, snapshot, holes)
        done = holes
    log.info("care.cut done snapshot=%s images=%d shards=%d", snapshot, len(images), rewritten)
    return rewritten


def label_sets_with(store: Store, images: Collection[str]) -> dict[str, int]:
    """The label sets that hold some of the images, with how many."""
    prefix, found = keys.labels_prefix(), {}
    for name in store.list_folders(Bucket.CURATED, prefix):
        if store.exists(keys.labels(name, INDEX_NAME)):
            count = sum(image.sha256 in images for image in read_labels(store, name).images)
            found.update({name: count} if count else {})
    return found


def cut_label_set(store: Store, name: str, images: Collection[str]) -> None:
    """Take images out of an export of labels and of what was read from it."""
    index = read_labels(store, name)
    gone = {image.path for image in index.images if image.sha256 in images}
    ref = keys.labels(name, EXPORT_NAME)
    with tempfile.TemporaryDirectory(prefix="lvbag-cut-") as folder:
        before, after = store.download(ref, Path(folder) / "before.zip"), Path(folder) / "after.zip"
        with zipfile.ZipFile(before) as source, zipfile.ZipFile(after, "w", zipfile.ZIP_DEFLATED) as target:
            for item in source.infolist():
                if item.filename not in gone:
                    target.writestr(item, source.read(item))
        store.upload(ref, after, _ZIP)
    store.purge(ref, keep_newest=True)
    left = index.model_copy(update={"images": tuple(image for image in index.images if image.path not in gone)})
    store.put(keys.labels(name, INDEX_NAME), json_bytes(left.model_dump(mode="json")), "application/json")
    log.info("care.cut done label_set=%s images=%d", name, len(gone))


# ------------------------------------------------------------------ shards


def _cut_shards(store: Store, snapshot: str, holes: Collection[str]) -> int:
    manifest = read_manifest(store, snapshot)
    refs = shard_refs(store, snapshot)
    if manifest is not None:
        numbers = manifest.filter(pl.col("sha256").is_in(pl.Series(list(holes), dtype=pl.String).implode()))["shard"]
        wanted = {keys.snapshot_shard(snapshot, number) for number in set(numbers)}
        refs = [ref for ref in refs if ref in wanted]
    rewritten = 0
    for ref in refs:
        rewritten += _cut_shard(store, ref, holes)
        store.purge(ref, keep_newest=True)
    return rewritten


def _cut_shard(store: Store, ref: Ref, holes: Collection[str]) -> bool:
    """Write a tar anew without some pictures, the others as they were; False where it holds none of them."""
    with tempfile.TemporaryDirectory(prefix="lvbag-cut-") as folder:
        before, after = store.download(ref, Path(folder) / "before.tar"), Path(folder) / "after.tar"
        if not any(name in holes for name in _names(before)):
            return False
        try:
            with tarfile.open(before) as source, tarfile.open(after, "w", format=tarfile.USTAR_FORMAT) as target:
                for member in source:
                    if _picture(member.name) not in holes:
                        target.addfile(member, source.extractfile(member))
        except tarfile.TarError as error:
            raise _unreadable(store, ref, error) from None
        store.upload(ref, after, _TAR)
    return True


def _names(path: Path) -> set[str]:
    with tarfile.open(path) as tar:
        return {_picture(member.name) for member in tar}


def _picture(member: str) -> str:
    return member.rpartition(".")[0]


def _unreadable(store: Store, ref: Ref, error: Exception) -> CorruptObject:
    return CorruptObject(f"{store.uri(ref)} is not a readable tar ({error}); restore it from a backup")


# ------------------------------------------------------------------ preview


def _renew_preview(store: Store, snapshot: str, holes: Collection[str]) -> None:
    """Draw the sheet again without the holes; there is none any more where that cannot be done."""
    manifest = read_manifest(store, snapshot)
    ref = keys.snapshot(snapshot, PREVIEW)
    if not store.exists(ref):
        return
    manifest = schemas.MANIFEST.to_frame() if manifest is None else manifest
    left = manifest.filter(~pl.col("sha256").is_in(pl.Series(list(holes), dtype=pl.String).implode()))
    try:
        sheet = preview_sheet(store, left, snapshot) if left.height else None
    except (CurateError, CorruptObject) as error:
        log.warning("care.preview removed snapshot=%s why=%s", snapshot, error)
        sheet = None
    if sheet is None:
        store.purge(ref)
        return
    if sheet != store.get(ref):
        store.put(ref, sheet, _JPEG)
    store.purge(ref, keep_newest=True)
