"""Detectors that are no versions: ONNX files kept by their content, that find bags until there is a champion.

Their name, `file-` and the first digits of the sha256, stands where a version's number stands else: in tables and in
the keys of crops.
"""

from __future__ import annotations

import re
from pathlib import Path

from lvbag.registry.errors import RegistryError
from lvbag.registry.versions import sha256_of
from lvbag.store import Bucket, CorruptObject, Store, keys

_PREFIX = "file-"
_DIGITS = 12
_NAME = re.compile(rf"{_PREFIX}[0-9a-f]{{{_DIGITS}}}")
_SUFFIX = ".onnx"


def file_name(sha256: str) -> str:
    """What a file is called in tables and keys."""
    return _PREFIX + sha256[:_DIGITS]


def is_file_name(name: str) -> bool:
    """Whether this is a file's name, and no version's."""
    return _NAME.fullmatch(name) is not None


def keep_detector_file(store: Store, path: Path) -> str:
    """Keep a file for every machine that cleans; returns its name."""
    sha256 = sha256_of(path)
    ref = keys.detector_file(sha256)
    if not store.exists(ref):
        store.upload(ref, path)
    return file_name(sha256)


def fetch_detector_file(store: Store, name: str, cache: Path) -> Path:
    """A kept file as `cache/<sha256>/model.onnx`, its digest checked; raises `RegistryError` and `CorruptObject`."""
    prefix = keys.detector_files_prefix() + name.removeprefix(_PREFIX)
    found = [item.ref for item in store.list_objects(Bucket.MODELS, prefix) if item.ref.key.endswith(_SUFFIX)]
    if not is_file_name(name) or len(found) != 1:
        raise RegistryError(
            f"detector {name}: {len(found)} files below s3://{store.bucket(Bucket.MODELS)}/{prefix} where one should "
            "be; plan the cleaning again, which keeps the file of detector.bootstrap there"
        )
    sha256 = found[0].key.rpartition("/")[2].removesuffix(_SUFFIX)
    path = cache / sha256 / f"model{_SUFFIX}"
    if path.is_file() and sha256_of(path) == sha256:
        return path
    try:
        return store.download(found[0], path, sha256=sha256)
    except CorruptObject:
        raise CorruptObject(
            f"detector {name}: {store.uri(found[0])} is not what its name says (another sha256), somebody changed it; "
            "delete it and plan the cleaning again, which keeps the file of detector.bootstrap there"
        ) from None
