"""Checks of models: every file of every version or from outside, whether it opens, where a version comes from, and
whether alias and history tell the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from lvbag.care.checks import Check, Finding, found
from lvbag.infer import ModelError, open_classifier, open_detector
from lvbag.infer.in_use import MODEL_FILE
from lvbag.labels.sets import INDEX_NAME
from lvbag.registry import RegistryError, champion, fetch_file, load_version
from lvbag.registry.consistency import history_faults
from lvbag.registry.reading import CONFIG, reserved_numbers
from lvbag.registry.records import VersionRecord
from lvbag.settings import DetectorSettings
from lvbag.store import Bucket, CorruptObject, ModelKind, Ref, Store, keys

_TRAIN = "restore it from a backup, or train again and let the gate decide"


def model_checks(store: Store) -> Iterator[Check]:
    """The files of every complete version; aliases, histories and lineage are always checked."""
    for kind in ModelKind:
        yield from registry_checks(store, kind)
    yield from _from_outside(store)


def registry_checks(store: Store, kind: ModelKind) -> Iterator[Check]:
    """Everything of one kind: alias, history, and every complete version."""
    yield Check(store.uri(keys.champion(kind)), partial(_alias, store, kind), always=True)
    yield Check(f"s3://{store.bucket(Bucket.MODELS)}/{keys.history_prefix(kind)}", partial(_history, store, kind), True)
    for number in sorted(reserved_numbers(store, kind)):
        if store.exists(keys.version_file(kind, number, CONFIG)):  # else a training that runs, or was given up
            yield from version_checks(store, kind, number)


def version_checks(store: Store, kind: ModelKind, number: int) -> Iterator[Check]:
    """The record, the lineage and every file of one version; a record that cannot be read is what is found."""
    config = store.uri(keys.version_file(kind, number, CONFIG))
    try:
        record = load_version(store, kind, number)
    except RegistryError as error:
        yield found(Finding("model_unreadable", config, str(error), _TRAIN))
        return
    yield Check(config, partial(_lineage, store, record), always=True)
    for name in sorted(record.files):
        uri = store.uri(keys.version_file(kind, number, name))
        yield Check(uri, partial(_file, store, record, name, uri))


def _from_outside(store: Store) -> Iterator[Check]:
    """Weights and detectors that are no versions: each is named by its content."""
    tensors = [(keys.weights_prefix(kind), ".safetensors") for kind in ModelKind]
    for prefix, suffix in (*tensors, (keys.detector_files_prefix(), ".onnx")):
        for item in store.list_objects(Bucket.MODELS, prefix):
            if item.ref.key.endswith(suffix):
                yield Check(store.uri(item.ref), partial(_content, store, item.ref))


def _content(store: Store, ref: Ref) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="lvbag-verify-") as folder:
        path = Path(ref.key)
        try:
            store.download(ref, Path(folder) / path.name, sha256=path.stem)
        except CorruptObject as error:
            remedy = (
                "remove it and bring it in again: `lvbag detector weights add` (or `classifier`), or plan a cleaning"
            )
            yield Finding("model_corrupt", store.uri(ref), str(error), remedy)


def _alias(store: Store, kind: ModelKind) -> Iterator[Finding]:
    uri = store.uri(keys.champion(kind))
    remedy = f"bring a version back with `lvbag registry rollback VERSION --kind {kind} --why …`"
    try:
        alias = champion(store, kind)
    except RegistryError as error:
        yield Finding("alias_unreadable", uri, str(error), remedy)
        return
    if alias is not None and not store.exists(keys.version_file(kind, alias.version, CONFIG)):
        yield Finding("alias_dangling", uri, f"version {keys.version_name(alias.version)} does not exist", remedy)


def _history(store: Store, kind: ModelKind) -> Iterator[Finding]:
    remedy = "restore what is missing from a backup; nothing else in the registry depends on it"
    for fault in history_faults(store, kind):
        yield Finding(fault.kind, store.uri(fault.ref), fault.problem, remedy)


def _file(store: Store, record: VersionRecord, name: str, uri: str) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="lvbag-verify-") as folder:
        try:
            path = fetch_file(store, record.kind, record.version, name, Path(folder))
        except CorruptObject as error:
            yield Finding("model_corrupt", uri, str(error), _TRAIN)
            return
        if name == MODEL_FILE:
            yield from _opened(path, record, uri)


def _opened(path: Path, record: VersionRecord, uri: str) -> Iterator[Finding]:
    """The file is what was published: it must open, too, and answer as its record says."""
    side_px = record.model.image_side_px
    blank = Image.new("RGB", (side_px, side_px), (255, 255, 255))
    try:
        if record.kind is ModelKind.CLASSIFIER:
            open_classifier(path, record).classify([blank])
        else:
            open_detector(path, record, DetectorSettings()).detect([blank])
    except ModelError as error:
        yield Finding("model_unusable", uri, str(error), _TRAIN)


def _lineage(store: Store, record: VersionRecord) -> Iterator[Finding]:
    """What a version was trained on, and the champion of that time, must stand."""
    uri = store.uri(keys.version_file(record.kind, record.version, CONFIG))
    try:
        data = _data(record)
    except keys.KeyNameError as error:
        yield Finding("lineage_broken", uri, f"it names no data: {error}", _TRAIN)
        return
    if not store.exists(data):
        problem = f"it was trained on {record.data}, and {store.uri(data)} does not exist"
        yield Finding(
            "lineage_broken", uri, problem, "restore that from a backup; the version itself can still be used"
        )
    if record.parent is not None and not store.exists(keys.version_file(record.kind, record.parent, CONFIG)):
        problem = f"its parent {keys.version_name(record.parent)} does not exist"
        yield Finding(
            "lineage_broken", uri, problem, "restore that from a backup; the version itself can still be used"
        )


def _data(record: VersionRecord) -> Ref:
    if record.kind is ModelKind.CLASSIFIER:
        return keys.snapshot(record.data, "manifest.parquet")
    return keys.labels(record.data, INDEX_NAME)
