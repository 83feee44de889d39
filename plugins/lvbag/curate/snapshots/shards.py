"""A shard of a snapshot: crops and their style codes as a WebDataset tar, the same bytes for the same rows."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import polars as pl

from lvbag.curate.errors import CurateError
from lvbag.curate.snapshots.earlier_crops import EarlierCrops
from lvbag.store import CorruptObject, ObjectMissing, Store, keys

_WORKERS = 4
"""Requests to the store at a time: crops are small, so a single reader would wait most of the time."""

_CHUNK = 128
"""Crops in memory at a time."""


def write_shard(store: Store, rows: pl.DataFrame, path: Path, earlier: EarlierCrops | None = None) -> Path:
    """Write a tar with `<sha256>.jpg` and `<sha256>.cls` for each row of a manifest, in the rows' order.

    What `earlier` has need not be fetched one by one. Raises `CurateError` where a crop is missing and `CorruptObject`
    where its bytes are not those that were recorded.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for sha256, style_code, crop in _crops(store, rows, earlier):
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


def check_shard(path: Path, rows: pl.DataFrame) -> list[str]:
    """What is wrong with a shard that should hold these rows of a manifest, image by image; nothing where all is well.

    One pass over the file: names, their order, style codes, and the digests of the crops.
    """
    wrong: list[str] = []
    wanted = iter(rows.select("sha256", "style_code", "crop_sha256").iter_rows())
    try:
        with tarfile.open(path) as tar:
            while (member := tar.next()) is not None:
                row = next(wanted, None)
                label = tar.next()
                if row is None or member.name != f"{row[0]}.jpg" or label is None or label.name != f"{row[0]}.cls":
                    return [*wrong, f"{member.name} stands where {row[0] if row else 'nothing'} should"]
                if hashlib.sha256(_read(tar, member)).hexdigest() != row[2]:
                    wrong.append(f"{row[0]} has another crop")
                if _read(tar, label) != row[1].encode():
                    wrong.append(f"{row[0]} has another label")
    except (tarfile.TarError, EOFError) as error:
        return [f"the tar cannot be read: {error}"]
    return wrong + [f"{row[0]} is missing" for row in wanted]


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _crops(store: Store, rows: pl.DataFrame, earlier: EarlierCrops | None) -> Iterator[tuple[str, str, bytes]]:
    names = rows.select("sha256", "style_code", "detector", "crop_sha256").rows()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="crops") as pool:
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            there = {row[0]: earlier.crop(row[0], row[3]) for row in chunk} if earlier is not None else {}
            crops = pool.map(partial(_crop, store, there), chunk)
            for (sha256, style_code, _, _), crop in zip(chunk, crops, strict=True):
                yield sha256, style_code, crop


def _crop(store: Store, there: Mapping[str, bytes | None], row: tuple[str, str, str, str]) -> bytes:
    sha256, _, detector, crop_sha256 = row
    return there.get(sha256) or read_crop(store, detector, sha256, crop_sha256)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # its defaults: mtime 0, uid and gid 0, no names
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))
