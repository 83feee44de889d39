"""Checks of snapshots: the manifest makes the name, nothing straddles splits, shards hold what the manifest says."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl

from lvbag import schemas
from lvbag.care.checks import Check, Finding, found
from lvbag.care.cutting import MANIFEST, PREVIEW, SHARDS, read_manifest, snapshot_names
from lvbag.curate.snapshots.draft import snapshot_id
from lvbag.store import Bucket, CorruptObject, ObjectMissing, Ref, Store, StoreError, keys
from lvbag.store.tables import SchemaError, read_table
from lvbag.tombstones import Tombstones, read_holes

_BUILD = "build the snapshot of its night again, or restore the object from a backup"


def snapshot_checks(store: Store, struck: Tombstones) -> Iterator[Check]:
    """Pointers and manifests, which are always checked, and every shard."""
    pointers = [item.ref for item in store.list_objects(Bucket.DATASETS, keys.snapshot_of_night_prefix())]
    for ref in [*pointers, *([keys.newest_places()] if store.exists(keys.newest_places()) else [])]:
        yield Check(store.uri(ref), partial(_points_somewhere, store, ref), always=True)
    for name in snapshot_names(store):
        ref = keys.snapshot(name, MANIFEST)
        if not store.exists(ref):
            continue  # a build that was stopped, or is at work
        yield Check(store.uri(ref), partial(_manifest, store, name), always=True)
        yield from _shard_checks(store, name, struck)


def _shard_checks(store: Store, name: str, struck: Tombstones) -> Iterator[Check]:
    try:
        manifest = read_manifest(store, name)
    except (CorruptObject, SchemaError):
        return  # the manifest's own check says so
    if manifest is None:
        return
    wanted = {keys.snapshot_shard(name, number): number for number in sorted(set(manifest["shard"]))}
    for ref, number in wanted.items():
        yield Check(store.uri(ref), partial(_shard, store, name, ref, number, struck))
    for item in store.list_objects(Bucket.DATASETS, keys.snapshot_prefix(name) + SHARDS):
        if item.ref not in wanted:
            yield found(Finding("shard_surplus", store.uri(item.ref), "the manifest names no such shard", "delete it"))


# ------------------------------------------------------------------ pointers and manifests


def _points_somewhere(store: Store, ref: Ref) -> Iterator[Finding]:
    try:
        name = str(store.get_json(ref)["snapshot"])
        wanted = keys.snapshot(name, "splits.parquet" if ref == keys.newest_places() else MANIFEST)
        if store.exists(wanted):
            return
        problem = f"it names snapshot {name}, and {store.uri(wanted)} does not exist"
    except ObjectMissing:
        return
    except (StoreError, keys.KeyNameError, TypeError, KeyError) as error:
        problem = f"it names no snapshot: {error!r}"
    yield Finding("pointer_dangling", store.uri(ref), problem, _BUILD)


def _manifest(store: Store, name: str) -> Iterator[Finding]:
    uri = store.uri(keys.snapshot(name, MANIFEST))
    try:
        manifest = read_manifest(store, name)
        splits = read_table(store, keys.snapshot(name, "splits.parquet"), schemas.SPLITS)
    except (StoreError, SchemaError) as error:
        yield Finding("snapshot_incomplete", uri, str(error), _BUILD)
        return
    if manifest is None:
        return
    for problem in manifest_problems(name, manifest, splits):
        yield Finding("snapshot_inconsistent", uri, problem, _BUILD)
    for file in ("card.md", "stats.json", PREVIEW):
        if not store.exists(keys.snapshot(name, file)) and not (file == PREVIEW and read_holes(store, name)):
            yield Finding("snapshot_incomplete", store.uri(keys.snapshot(name, file)), "it does not exist", _BUILD)
    if strange := read_holes(store, name) - set(manifest["sha256"]):
        problem = f"{len(strange)} images that the manifest does not name are said to be taken down"
        yield Finding("snapshot_inconsistent", store.uri(keys.snapshot_holes(name)), problem, _BUILD)


def manifest_problems(name: str, manifest: pl.DataFrame, splits: pl.DataFrame) -> list[str]:
    """What is wrong with a snapshot's two tables; a pure function."""
    problems = []
    if manifest.is_empty():
        return ["it names no image"]
    if name not in (snapshot_id(manifest), _earlier_id(manifest)):
        problems.append(f"its content has the name {snapshot_id(manifest)}: it was changed after it was written")
    for column in ("group", "cluster"):
        torn = manifest.group_by(column).agg(pl.col("split").n_unique()).filter(pl.col("split") > 1)
        if torn.height:
            problems.append(f"{torn.height} {column}s stand in several splits, such as {min(torn[column])}")
    labels = manifest.select("label", "style_code").unique().sort("label")["label"].to_list()
    if labels != list(range(manifest["style_code"].n_unique())):
        problems.append("labels and style codes do not match one to one")
    placed = manifest.join(splits, on="sha256", how="left", suffix="_placed")
    lost = placed.filter(pl.col("split") != pl.col("split_placed").fill_null(""))
    if lost.height:
        problems.append(f"{lost.height} images have another split in splits.parquet, such as {lost['sha256'][0]}")
    if manifest["sha256"].is_duplicated().any():
        problems.append("an image stands in it twice")
    return problems


def _earlier_id(manifest: pl.DataFrame) -> str:
    """The name that the first release gave to the same content."""
    digest = hashlib.sha256()
    for row in manifest.select("sha256", "style_code", "split", "group", "crop_sha256").sort("sha256").iter_rows():
        digest.update(("\t".join(row) + "\n").encode())
    return f"{max(manifest['night'].to_list()).isoformat()}-{digest.hexdigest()[:12]}"


# ------------------------------------------------------------------ shards


def _shard(store: Store, name: str, ref: Ref, number: int, struck: Tombstones) -> Iterator[Finding]:
    manifest, holes = read_manifest(store, name), read_holes(store, name)
    if manifest is None:
        return
    rows = manifest.filter(pl.col("shard") == number)
    wanted = dict(rows.select("sha256", "crop_sha256").iter_rows())
    try:
        crops = _members(store, ref)
    except ObjectMissing:
        yield Finding("shard_missing", store.uri(ref), f"{rows.height} images of the manifest stood in it", _BUILD)
        return
    except (tarfile.TarError, CorruptObject) as error:
        yield Finding("shard_unreadable", store.uri(ref), str(error), _BUILD)
        return
    present = sorted(set(crops) & (holes | struck.images))
    if present:
        yield Finding(
            "taken_down_present",
            store.uri(ref),
            f"{len(present)} images were taken down and still stand in it, such as {present[0]}",
            f"take the same thing down again: `lvbag takedown --image {present[0]} --why …`",
        )
    left = {sha256: crop for sha256, crop in wanted.items() if sha256 not in holes}
    missing, surplus = sorted(set(left) - set(crops)), sorted(set(crops) - set(wanted))
    changed = sorted(sha256 for sha256 in set(left) & set(crops) if left[sha256] != crops[sha256])
    for what, which in (("missing", missing), ("not in the manifest", surplus), ("other than recorded", changed)):
        if which:
            yield Finding("shard_content", store.uri(ref), f"{len(which)} crops are {what}, such as {which[0]}", _BUILD)


def _members(store: Store, ref: Ref) -> dict[str, str]:
    """Digests of the crops in a tar, by the sha256 of the originals."""
    digests = {}
    with tempfile.TemporaryDirectory(prefix="lvbag-verify-") as folder:
        path = store.download(ref, Path(folder) / "shard.tar")
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if member.name.endswith(".jpg") and file is not None:
                    digests[member.name.removesuffix(".jpg")] = hashlib.sha256(file.read()).hexdigest()
    return digests
