"""Nights of a shop up to a snapshot and its report, as the tests of care need them; and what stands in the store."""

from __future__ import annotations

import datetime as dt
import io
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from curate.curate_frames import Shop, curate_uncropped, digest, jpeg, photo
from infer.tiny_models import colour_classifier
from lvbag import schemas
from lvbag.curate import build_snapshot, report_night
from lvbag.registry import publish_version, reserve_version
from lvbag.registry.records import ModelSpec, VersionRecord
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, keys
from lvbag.store.tables import read_table, read_tables

FIRST, SECOND, THIRD = dt.date(2026, 11, 23), dt.date(2026, 11, 24), dt.date(2026, 11, 25)
PRODUCTS = ("M40156", "M41108")
AT = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


def pictures(seed: int) -> list[bytes]:
    """The two photos of listing `l<seed>`."""
    return [jpeg(photo(1000 + 2 * seed + n)) for n in range(2)]


def offer(store: Store, night: dt.date, seeds: range, **listing: object) -> Shop:
    """A night with a listing for each seed, the products in turn; `close` it."""
    shop = Shop(store, night)
    for seed in seeds:
        shop.listing(f"l{seed}", pictures(seed), style_code=PRODUCTS[seed % 2], **listing)  # type: ignore[arg-type]
    return shop


def finish(store: Store, settings: Settings, night: dt.date) -> str:
    """Curate what was offered up to the snapshot and the report; returns the snapshot's name."""
    parts = curate_uncropped(store, settings, night)
    result = build_snapshot(store, settings, night, parts)
    report_night(store, settings, night)
    assert result.snapshot is not None
    return result.snapshot


def manifest(store: Store, snapshot: str) -> pl.DataFrame:
    return read_table(store, keys.snapshot(snapshot, "manifest.parquet"), schemas.MANIFEST)


def members(store: Store, snapshot: str) -> dict[str, str]:
    """The crops that stand in a snapshot's shards: sha256 of the original to the digest of the bytes."""
    found = {}
    for item in store.list_objects(Bucket.DATASETS, f"{snapshot}/shards/"):
        with tarfile.open(fileobj=io.BytesIO(store.get(item.ref))) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if member.name.endswith(".jpg") and file is not None:
                    found[member.name.removesuffix(".jpg")] = digest(file.read())
    return found


def everything(store: Store, versions: bool = False) -> dict[str, str]:
    """Every object with the digest of its bytes, but for the care's own notes; with `versions` also hidden ones."""
    found = {}
    for bucket in Bucket:
        for item in store.list_objects(bucket):
            found[str(item.ref)] = digest(store.get(item.ref))
        if versions:
            for old in store.list_versions(bucket, ""):
                found[f"{old.ref}@{old.version}"] = str(old.size)
    return found


def without_notes(objects: dict[str, str]) -> dict[str, str]:
    """What stands but tombstones, records and holes, which carry times and nonces."""
    notes = ("raw:tombstones/", "reports:takedowns/")
    return {name: value for name, value in objects.items() if not name.startswith(notes) and "taken-down" not in name}


def fetch_rows(store: Store) -> pl.DataFrame:
    return read_tables(store, [item.ref for item in store.list_objects(Bucket.RAW, "fetches/")], schemas.FETCHES)


def keep_versions(store: Store) -> None:
    """Every bucket keeps the versions of its objects from now on."""
    for bucket in Bucket:
        store._client.set_bucket_versioning(store.bucket(bucket), VersioningConfig(ENABLED))


def publish(store: Store, folder: Path, data: str, key: str = "k", **changes: Any) -> int:
    """A version of the classifier that was trained on this snapshot."""
    number = reserve_version(store, ModelKind.CLASSIFIER, key)
    folder.mkdir(exist_ok=True)
    colour_classifier(folder / "model.onnx", classes=2)
    (folder / "card.md").write_text("a card")
    record = VersionRecord(
        kind=ModelKind.CLASSIFIER,
        version=number,
        created_at=AT,
        data=data,
        recipe="r",
        recipe_sha256="0" * 64,
        seed=0,
        training_key=key,
        parent=None,
        detector=None,
        code_version="0",
        model=ModelSpec(architecture="a", image_side_px=32, classes=("A", "B")),
        metrics={},
    ).model_copy(update=changes)
    publish_version(store, ModelKind.CLASSIFIER, number, folder, record)
    return number
