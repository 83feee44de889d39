"""Pages and pictures that are files: a folder of this machine, or a bucket prefix in the store.

An address is `folder:///<path within the folder>`, percent-encoded, and reads nothing outside of the folder: no `..`,
no link that leads out, no device or pipe. Where objects are read, the store's endpoint and credentials serve; the
bucket may be another than the pipeline's own, which `lvbag.store` does not know.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError

from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching.answers import NO_VALIDATORS, Answer, Validators
from lvbag.settings import StoreSettings
from lvbag.source_settings import FolderSettings
from lvbag.store import Store, StoreError, StoreUnavailable

SCHEME = "folder"

_S3 = "s3://"
_TABLES = {".csv": "text/csv", ".tsv": "text/csv", ".txt": "text/plain"}
_MISSING = ("NoSuchKey", "NoSuchObject", "NoSuchBucket", "ResourceNotFound")
_DENIED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_STORE_ERRORS = (S3Error, ServerError, InvalidResponseError, HTTPError)


class FileReader:
    """Reads the files of one source of kind `folder`. See `lvbag.crawl.fetching.answers.Reader`."""

    def __init__(self, settings: FolderSettings, store: Store) -> None:
        path = settings.path
        self._place: _Place = _Objects(path, store.settings) if path.startswith(_S3) else _Folder(Path(path))

    def fetch(self, url: str, max_bytes: int, validators: Validators = NO_VALIDATORS) -> Answer:
        """The file at an address, with status 304 where it is as the validators say; raises `Refused`.

        What the store does not answer raises the store's own errors: it is no fault of the file.
        """
        path = _path_of(url)
        file = self._place.open(path)
        try:
            known = Validators(etag=f'"{file.version}"')
            kind = _TABLES.get(Path(path).suffix.lower(), "")
            if validators.etag == known.etag:
                return Answer(url, 304, b"", kind, known)
            if file.size > max_bytes:
                raise _too_large(path, file.size, max_bytes)
            body = file.read(max_bytes + 1)
        finally:
            file.close()
        if len(body) > max_bytes:  # it grew while it was read
            raise _too_large(path, len(body), max_bytes)
        return Answer(url, 200, body, kind, known)


class _File(Protocol):
    """An open file: its size in bytes, and what changes whenever its content does."""

    size: int
    version: str

    def read(self, limit: int) -> bytes: ...

    def close(self) -> None: ...


class _Place(Protocol):
    def open(self, path: str) -> _File:
        """Open a file by its path; raises `Refused`."""
        ...


def _path_of(url: str) -> str:
    """The path within the folder, with `/` between its parts; raises `Refused` when it leads elsewhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Refused(f"bad_path: {url[:200]!r} is no address of a file") from None
    if parts.scheme != SCHEME or parts.netloc:
        raise Refused(f"bad_path: {url[:200]!r} is no address of a file, which begins with {SCHEME}:///")
    path = unquote(parts.path).removeprefix("/")
    names = path.split("/")
    if any(name in ("", ".", "..") or "\\" in name or not name.isprintable() for name in names):
        raise Refused(f"bad_path: {path[:200]!r} is no path within the folder")
    return path


def _spellings(path: str) -> Iterator[str]:
    """The path as it stands, and as other systems write its accents."""
    seen = {path}
    yield path
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, path)
        if other not in seen:
            seen.add(other)
            yield other


def _too_large(path: str, size: int, max_bytes: int) -> Refused:
    return Refused(f"too_large: {path} has {size} bytes, the limit is {max_bytes}", size=size)


# ------------------------------------------------------------------ a folder of this machine


@dataclass
class _LocalFile:
    handle: int
    size: int
    version: str

    def read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        while limit > 0 and (part := os.read(self.handle, min(limit, 1024 * 1024))):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        os.close(self.handle)


@dataclass
class _Folder:
    root: Path

    def open(self, path: str) -> _LocalFile:
        for spelling in _spellings(path):
            try:
                return self._open(spelling)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise Refused(f"no_access: {path} in {self.root}: {error.strerror or type(error).__name__}") from None
        if not self.root.is_dir():
            raise Refused(f"no_folder: {self.root} is no folder of this machine (the source's setting path)")
        raise Refused(f"no_file: {path} is not in {self.root}")

    def _open(self, path: str) -> _LocalFile:
        """Follow links within the folder first, and then open without following any: nothing may change in between."""
        root = Path(os.path.realpath(self.root, strict=True))
        real = Path(os.path.realpath(root / path, strict=True))
        if not real.is_relative_to(root) or real == root:
            raise Refused(f"bad_path: {path} is a link that leads out of {self.root}")
        handle = _open_beneath(root, real.relative_to(root).parts)
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            os.close(handle)
            raise Refused(f"no_file: {path} in {self.root} is no regular file")
        return _LocalFile(handle, info.st_size, f"{info.st_size}-{info.st_mtime_ns // 1_000_000}")


def _open_beneath(root: Path, names: tuple[str, ...]) -> int:
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names[:-1]:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        # without O_NONBLOCK the opening of a pipe would wait for its writer
        return os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)


# ------------------------------------------------------------------ a bucket prefix of the store


@dataclass
class _Object:
    client: Minio
    bucket: str
    key: str
    size: int
    version: str

    def read(self, limit: int) -> bytes:
        if not self.size:
            return b""  # S3 knows no range of nothing
        try:
            response = self.client.get_object(self.bucket, self.key, length=limit)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()
        except _STORE_ERRORS as error:
            raise _translated(error, f"{_S3}{self.bucket}/{self.key}") from error

    def close(self) -> None:
        return


class _Objects:
    def __init__(self, path: str, settings: StoreSettings) -> None:
        self._settings = settings
        self._bucket, _, prefix = path.removeprefix(_S3).partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._path = path

    def open(self, path: str) -> _Object:
        for spelling in _spellings(path):
            key = self._prefix + spelling
            try:
                found = self._client.stat_object(self._bucket, key)
                return _Object(self._client, self._bucket, key, found.size or 0, (found.etag or "").strip('"'))
            except _STORE_ERRORS as error:
                if not (isinstance(error, S3Error) and error.code in _MISSING):
                    raise _translated(error, f"{_S3}{self._bucket}/{key}") from error
        raise Refused(
            f"no_file: {path} is not in {self._path}{'' if self._has_bucket() else ', whose bucket is not there'}"
        )

    def _has_bucket(self) -> bool:
        try:
            return bool(self._client.bucket_exists(self._bucket))
        except _STORE_ERRORS as error:
            raise _translated(error, f"{_S3}{self._bucket}") from error

    @cached_property
    def _client(self) -> Minio:
        endpoint, settings = self._settings.endpoint, self._settings
        retry = urllib3.Retry(total=settings.retries, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504))
        timeout = urllib3.Timeout(connect=min(5.0, settings.timeout_s), read=settings.timeout_s)
        return Minio(
            f"{endpoint.host}:{endpoint.port}",
            access_key=settings.access_key.get_secret_value(),
            secret_key=settings.secret_key.get_secret_value(),
            secure=endpoint.scheme == "https",
            region=settings.region,
            http_client=urllib3.PoolManager(timeout=timeout, retries=retry),
        )


def _translated(error: Exception, uri: str) -> Refused | StoreError:
    """A refusal where the object is at fault, else the store's own error."""
    if isinstance(error, S3Error) and error.code in _DENIED:
        return Refused(f"no_access: the store's credentials may not read {uri} ({error.code})")
    if isinstance(error, S3Error):
        return StoreError(f"the store refused to read {uri}: {error.code}: {error.message}")
    return StoreUnavailable(
        f"the store does not answer ({type(error).__name__} on {uri}); start the embedded one with `lvbag up`, or "
        "check store.endpoint"
    )
