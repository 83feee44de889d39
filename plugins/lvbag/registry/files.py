"""A version's files on this machine: fetched once, kept by digest, and checked each time before they are used."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from lvbag.registry.errors import RegistryError
from lvbag.registry.reading import load_version
from lvbag.registry.records import VersionRecord
from lvbag.registry.versions import sha256_of
from lvbag.store import CorruptObject, ModelKind, ObjectMissing, Store, keys

log = logging.getLogger(__name__)

MODEL_FILES = "model."
"""What is loaded and run starts so: `model.onnx`, `model.safetensors`."""


def fetch_file(store: Store, kind: ModelKind, number: int, name: str, cache: Path) -> Path:
    """A version's file as `cache/<sha256>/<name>`, its digest checked whether it is downloaded or stood there already.

    Raises `RegistryError` (no such version or file) and `CorruptObject` (the stored file is gone or was changed).
    """
    return fetch_recorded(store, load_version(store, kind, number), name, cache)


def fetch_recorded(store: Store, record: VersionRecord, name: str, cache: Path) -> Path:
    """The same for a version whose record was read already: one request less."""
    path = cache / _digest(record, name) / name
    if path.is_file():
        if sha256_of(path) == record.files[name]:
            return path
        log.warning(
            "registry.fetch again kind=%s version=%d file=%s: the cached copy was changed",
            record.kind, record.version, name,
        )  # fmt: skip
    return _download(store, record, name, path)


def verify_model(store: Store, kind: ModelKind, number: int) -> VersionRecord:
    """Read a version's model files back and check their digests; what the alias may point to.

    Raises `RegistryError` (missing, incomplete, or without a model file) and `CorruptObject`.
    """
    record = load_version(store, kind, number)
    names = [name for name in sorted(record.files) if name.startswith(MODEL_FILES)]
    if not names:
        raise RegistryError(f"{_name(record)} has no model file, so it cannot become the champion")
    with tempfile.TemporaryDirectory(prefix="lvbag-verify-") as folder:
        for name in names:
            _download(store, record, name, Path(folder) / name)
    return record


def _digest(record: VersionRecord, name: str) -> str:
    if name not in record.files:
        raise RegistryError(f"{_name(record)} has no file {name}; it has {', '.join(sorted(record.files)) or 'none'}")
    return record.files[name]


def _download(store: Store, record: VersionRecord, name: str, path: Path) -> Path:
    ref = keys.version_file(record.kind, record.version, name)
    try:
        return store.download(ref, path, sha256=_digest(record, name))
    except ObjectMissing:
        what = f"{store.uri(ref)} is gone"
    except CorruptObject:
        what = f"{store.uri(ref)} has another sha256"
    raise CorruptObject(
        f"{_name(record)}: {name} is not what was published ({what}); restore the object, or bring another version "
        f"back with `lvbag registry rollback VERSION --kind {record.kind} --why …`"
    ) from None


def _name(record: VersionRecord) -> str:
    return f"{record.kind} version {keys.version_name(record.version)}"
