"""A shard of a snapshot: crops and their style codes as a WebDataset tar, the same bytes for the same rows."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from lvbag.curate.errors import CurateError
from lvbag.store import CorruptObject, ObjectMissing, Store, keys

_WORKERS = 4
"""Requests to the store at a time: crops are small, so a single reader would wait most of the time."""

_CHUNK = 128
"""Crops in memory at a time."""


def write_shard(store: Store, rows: pl.DataFrame, path: Path) -> Path:
    """Write a tar with `<sha256>.jpg` and `<sha256>.cls` for each row of a manifest, in the rows' order.

    Raises `CurateError` where a crop is missing and `CorruptObject` where its bytes are not those that were recorded.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for sha256, style_code, crop in _crops(store, rows):
            _add(tar, f"{sha256}.jpg", crop)
            _add(tar, f"{sha256}.cls", style_code.encode())
    return path


def read_crop(store: Store, detector: str, sha256: str, crop_sha256: str) -> bytes:
    """A crop's JPEG bytes, its digest checked."""
    ref = keys.crop(detector, sha256)
    try:
        data = store.get(ref)
    except ObjectMissing:
        raise CurateError(f"{store.uri(ref)} does not exist; clean the image's night again") from None
    if hashlib.sha256(data).hexdigest() != crop_sha256:
        raise CorruptObject(f"{store.uri(ref)} is not the crop that was recorded; clean the image's night again")
    return data


def _crops(store: Store, rows: pl.DataFrame) -> Iterator[tuple[str, str, bytes]]:
    names = rows.select("sha256", "style_code", "detector", "crop_sha256").rows()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="crops") as pool:
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            crops = pool.map(lambda row: read_crop(store, row[2], row[0], row[3]), chunk)
            for (sha256, style_code, _, _), crop in zip(chunk, crops, strict=True):
                yield sha256, style_code, crop


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # its defaults: mtime 0, uid and gid 0, no names
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))
