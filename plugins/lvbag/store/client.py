"""The object store: an S3 endpoint through the `minio` client.

`Store` adds what the pipeline's guarantees rest on: a checksum on every put, put-if-absent, compare-and-swap, a probe
that refuses a server which ignores conditional writes, and errors that name the object and the remedy. It knows
nothing of what the objects mean; keys come from `lvbag.store.keys`.

Conditional writes go through presigned PUTs because `minio` 7.2 has no option for them and turns the headers into
user metadata (S3 semantics: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
"""

from __future__ import annotations

import base64
import datetime as dt
import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from xml.etree import ElementTree

import urllib3
from urllib3.exceptions import HTTPError

from lvbag.errors import LvbagError
from lvbag.settings import Settings, StoreSettings
from lvbag.store import keys
from lvbag.store.keys import Bucket, Ref
from lvbag.store.minio_client import InvalidResponseError, Minio, S3Error, ServerError
from lvbag.store.remedies import remedy

if TYPE_CHECKING:
    from hashlib import _Hash

    from urllib3 import BaseHTTPResponse

PART_BYTES = 16 * 1024 * 1024
"""Multipart size: memory stays flat whatever the object's size."""

_RETRIED_STATUS = (500, 502, 503, 504)

_LATER = "run the step again once the store is well (its log says why it failed)"

_T = TypeVar("_T")


class StoreError(LvbagError):
    """The store refused or could not do what was asked."""


class StoreUnavailable(StoreError):
    """The store does not answer, or keeps failing after every retry."""


class ObjectMissing(StoreError):
    """There is no such object."""


class PreconditionFailed(StoreError):
    """Somebody else wrote the object first; read it again and decide anew."""


class DiskFull(StoreError):
    """A disk of this machine has no room for what was to be written."""


class CorruptObject(StoreError):
    """An object's bytes are not what its digest says."""


@dataclass(frozen=True)
class ObjectInfo:
    """What the store knows of an object: size in bytes and its entity tag (without quotes).

    `modified` is when it was last written, by the store's clock; None where the answer did not say.
    """

    ref: Ref
    size: int
    etag: str
    modified: dt.datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object in a versioned bucket; a deletion leaves one of no size, which hides the others."""

    ref: Ref
    size: int
    version: str | None
    newest: bool
    etag: str = ""
    deletion: bool = False


class Store:
    """All objects of one installation. Safe to share between threads; open one per process."""

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        endpoint = settings.endpoint
        self._retry = urllib3.Retry(
            total=settings.retries,
            backoff_factor=0.2,
            backoff_max=10.0,
            status_forcelist=_RETRIED_STATUS,
            allowed_methods=None,  # every request here can be repeated: keys are computed, conditional puts are checked
            raise_on_status=False,
        )
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=min(5.0, settings.timeout_s), read=settings.timeout_s),
            retries=self._retry,
            maxsize=16,
        )
        self._client = Minio(
            f"{endpoint.host}:{endpoint.port}",
            access_key=settings.access_key.get_secret_value(),
            secret_key=settings.secret_key.get_secret_value(),
            secure=endpoint.scheme == "https",
            region=settings.region,
            http_client=self._http,
        )

    # -------------------------------------------------------------- names

    def bucket(self, role: Bucket) -> str:
        """The bucket's name in the store, such as `lvbag-raw`."""
        return f"{self.settings.bucket_prefix}-{role.value}"

    def uri(self, ref: Ref) -> str:
        """The object's address as people and events write it: `s3://lvbag-raw/…`."""
        return f"s3://{self.bucket(ref.bucket)}/{ref.key}"

    # -------------------------------------------------------------- reading

    def head(self, ref: Ref) -> ObjectInfo | None:
        """Size and entity tag, or None where there is no such object."""
        try:
            with self._errors(ref):
                stat = self._client.stat_object(self.bucket(ref.bucket), ref.key)
        except ObjectMissing:
            return None
        return ObjectInfo(ref, stat.size or 0, stat.etag or "", stat.last_modified)

    def exists(self, ref: Ref) -> bool:
        """Whether there is such an object."""
        return self.head(ref) is not None

    def get(self, ref: Ref) -> bytes:
        """The whole object; raises `ObjectMissing`. For what may not fit into memory there is `download`."""
        return self._read(ref)[0]

    def get_sound(self, ref: Ref) -> bytes:
        """The whole object; raises `CorruptObject` where its bytes are not those whose sha256 was stored with them."""
        return self.get_with_etag(ref)[0]

    def get_with_etag(self, ref: Ref) -> tuple[bytes, str]:
        """The object, checked as by `get_sound`, and the entity tag to hand to `compare_and_swap`."""
        data, headers = self._read(ref)
        recorded = headers.get("x-amz-meta-sha256")
        if recorded is not None and recorded != hashlib.sha256(data).hexdigest():
            raise CorruptObject(
                f"{self.uri(ref)} is damaged: its bytes are not those that were written (sha256 {recorded}); "
                f"{remedy(ref)}"
            )
        return data, headers.get("ETag", "").strip('"')

    def get_json(self, ref: Ref) -> Any:
        """The object read as JSON; raises `CorruptObject` when it is none."""
        try:
            return json.loads(self.get_sound(ref))
        except ValueError as error:
            raise CorruptObject(f"{self.uri(ref)} is not JSON ({error}); {remedy(ref)}") from None

    def download(self, ref: Ref, path: Path, sha256: str | None = None) -> Path:
        """Stream an object into a file; with `sha256` a differing digest raises `CorruptObject` and leaves no file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        part = Path(name)
        try:
            with self._errors(ref), os.fdopen(handle, "wb") as file:
                digest = self._whole(ref, lambda response: _save(response, file))
            if sha256 is not None and digest.hexdigest() != sha256:
                raise CorruptObject(
                    f"{self.uri(ref)} has sha256 {digest.hexdigest()}, recorded is {sha256}: it was "
                    "changed after it was written; restore it from a backup or roll back to another version"
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def list_objects(self, bucket: Bucket, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects below a prefix, in the order of their keys."""
        with self._errors(Ref(bucket, prefix)):
            for item in self._client.list_objects(self.bucket(bucket), prefix=prefix, recursive=True):
                ref = Ref(bucket, item.object_name or "")
                yield ObjectInfo(ref, item.size or 0, (item.etag or "").strip('"'), item.last_modified)

    def list_folders(self, bucket: Bucket, prefix: str) -> list[str]:
        """The names right below a prefix that have something below them, also when all of it is deleted versions."""
        with self._errors(Ref(bucket, prefix)):
            items = self._client.list_objects(self.bucket(bucket), prefix=prefix, include_version=True)
            names = {item.object_name or "" for item in items if item.is_dir}
        return sorted(name.removeprefix(prefix).rstrip("/") for name in names)

    def list_versions(self, bucket: Bucket, prefix: str) -> Iterator[ObjectVersion]:
        """Everything below a prefix that the store still holds, older and deleted versions as well."""
        with self._errors(Ref(bucket, prefix)):
            items = self._client.list_objects(self.bucket(bucket), prefix=prefix, recursive=True, include_version=True)
            for item in items:
                newest = str(item.is_latest).lower() == "true"
                yield ObjectVersion(
                    Ref(bucket, item.object_name or ""),
                    item.size or 0,
                    item.version_id,
                    newest,
                    (item.etag or "").strip('"'),
                    item.is_delete_marker,
                )

    # -------------------------------------------------------------- writing

    def put(
        self, ref: Ref, data: bytes, content_type: str = "application/octet-stream", sha256: str | None = None
    ) -> ObjectInfo:
        """Write an object whole, replacing what stood there. Its sha256 travels along and is kept as metadata.

        `sha256`: in hexadecimal, where the caller has it already; the store checks it against what arrives.
        """
        digest = sha256 or hashlib.sha256(data).hexdigest()
        headers: dict[str, str | list[str] | tuple[str]] = {
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(digest)).decode(),
            "x-amz-meta-sha256": digest,
        }
        self._check_disk(ref)
        with self._errors(ref):
            result = self._client.put_object(
                self.bucket(ref.bucket),
                ref.key,
                io.BytesIO(data),
                len(data),
                content_type=content_type,
                metadata=headers,
                part_size=max(PART_BYTES, len(data) + 1) if len(data) < 4 * PART_BYTES else PART_BYTES,
            )
        return ObjectInfo(ref, len(data), result.etag or "")

    def put_json(self, ref: Ref, value: Any) -> ObjectInfo:
        """Write a value as JSON that a person can read; equal values give equal bytes."""
        return self.put(ref, json_bytes(value), "application/json")

    def upload(self, ref: Ref, path: Path, content_type: str = "application/octet-stream") -> ObjectInfo:
        """Stream a file into an object in parts; every part carries its own checksum, the whole its sha256."""
        if path.stat().st_size < PART_BYTES:
            return self.put(ref, path.read_bytes(), content_type)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self._check_disk(ref)
        with self._errors(ref):
            result = self._client.fput_object(
                self.bucket(ref.bucket),
                ref.key,
                str(path),
                content_type=content_type,
                metadata={"x-amz-meta-sha256": sha256},
                part_size=PART_BYTES,
                num_parallel_uploads=2,
            )
        return ObjectInfo(ref, path.stat().st_size, result.etag or "")

    def put_if_absent(self, ref: Ref, data: bytes, content_type: str = "application/octet-stream") -> bool:
        """Write an object only where none stands; True when this call (or an earlier try of it) wrote these bytes."""
        try:
            self._conditional_put(ref, data, {"If-None-Match": "*"}, content_type)
        except PreconditionFailed:
            # The answer to a first try may have been lost on the way: then what stands there is ours.
            return self.get(ref) == data and _has_nonce(data)
        return True

    def compare_and_swap(self, ref: Ref, data: bytes, etag: str | None, content_type: str = "application/json") -> str:
        """Replace an object only if it still has this entity tag (None: only if it does not exist).

        Returns the new entity tag; raises `PreconditionFailed` when somebody else was faster. Put a nonce into the
        data (`nonce()`), so that a retry after a lost answer can tell its own write from another's.
        """
        header = {"If-None-Match": "*"} if etag is None else {"If-Match": f'"{etag}"'}
        try:
            return self._conditional_put(ref, data, header, content_type)
        except PreconditionFailed:
            if etag is not None and not self.exists(ref):
                raise
            current, current_etag = self.get_with_etag(ref)
            if current == data and _has_nonce(data):
                return current_etag
            raise

    def delete(self, ref: Ref) -> None:
        """Remove an object; a missing one is no error."""
        with self._errors(ref):
            self._client.remove_object(self.bucket(ref.bucket), ref.key)

    def purge(self, ref: Ref, keep_newest: bool = False) -> int:
        """Remove an object for good, every version of it; returns how many there were.

        `keep_newest`: leave what stands there now and remove only what stood there before. The newest goes last, so
        that a call that is stopped midway brings no older version back to light.
        """
        found = [item for item in self.list_versions(ref.bucket, ref.key) if item.ref == ref]
        gone = [item for item in found if not item.newest] + [item for item in found if item.newest and not keep_newest]
        for item in gone:
            self._remove(ref, item.version)
        return len(gone)

    def _remove(self, ref: Ref, version: str | None) -> None:
        with self._errors(ref):
            self._client.remove_object(self.bucket(ref.bucket), ref.key, version_id=version)

    # -------------------------------------------------------------- start-up

    def ensure_buckets(self) -> list[str]:
        """Create the buckets that are missing; returns their names."""
        made = []
        for role in Bucket:
            name = self.bucket(role)
            with self._errors(Ref(role, "")):
                if not self._client.bucket_exists(name):
                    self._client.make_bucket(name, location=self.settings.region)
                    made.append(name)
        return made

    def missing_buckets(self) -> list[str]:
        """The buckets that do not exist yet."""
        missing = []
        for role in Bucket:
            with self._errors(Ref(role, "")):
                if not self._client.bucket_exists(self.bucket(role)):
                    missing.append(self.bucket(role))
        return missing

    def probe(self) -> None:
        """Refuse a server that ignores conditional writes; promotions would silently overwrite one another there."""
        ref = keys.probe(f"conditional-{uuid.uuid4().hex}")
        try:
            first = json_bytes({"nonce": nonce()})
            self._conditional_put(ref, first, {"If-None-Match": "*"}, "application/json")
            if self._accepts(ref, {"If-None-Match": "*"}) or self._accepts(ref, {"If-Match": '"0"'}):
                raise StoreError(
                    f"the store at {self.settings.endpoint} ignores conditional writes (If-None-Match, If-Match), "
                    "so two promotions could overwrite each other; use MinIO, Silo, MiniStack, AWS S3 or another store "
                    "that has them (setting store.endpoint)"
                )
        finally:
            self.delete(ref)

    def _accepts(self, ref: Ref, header: dict[str, str]) -> bool:
        try:
            self._conditional_put(ref, json_bytes({"nonce": nonce()}), header, "application/json")
        except PreconditionFailed:
            return False
        return True

    # -------------------------------------------------------------- wire

    def _read(self, ref: Ref) -> tuple[bytes, Mapping[str, str]]:
        with self._errors(ref):
            return self._whole(ref, lambda response: (response.read(), response.headers))

    def _whole(self, ref: Ref, read: Callable[[BaseHTTPResponse], _T], version: str | None = None) -> _T:
        """Ask for an object and read it to its end; `read` begins anew when the answer broke off midway.

        urllib3 repeats requests, and not the reading of what is streamed.
        """
        tries_left = self.settings.retries
        while True:
            response = self._client.get_object(self.bucket(ref.bucket), ref.key, version_id=version)
            try:
                return read(response)
            except HTTPError:
                if not tries_left:
                    raise
                tries_left -= 1
            finally:
                response.close()
                response.release_conn()

    def _conditional_put(self, ref: Ref, data: bytes, header: dict[str, str], content_type: str) -> str:
        self._check_disk(ref)
        with self._errors(ref):
            url = self._client.get_presigned_url("PUT", self.bucket(ref.bucket), ref.key, expires=timedelta(minutes=10))
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            response = self._http.request(
                "PUT", url, body=data, headers={**header, "Content-MD5": md5, "Content-Type": content_type}
            )
        if response.status in (409, 412):
            # 409 ConditionalRequestConflict: a concurrent conditional write won (AWS S3)
            raise PreconditionFailed(f"{self.uri(ref)} was written by somebody else")
        if response.status == 404 and "If-Match" in header:
            raise PreconditionFailed(f"{self.uri(ref)} does not exist any more")
        if response.status >= 500:
            raise StoreUnavailable(
                f"the store at {self.settings.endpoint} answered {response.status} to a put of {self.uri(ref)}; "
                f"{_LATER}"
            )
        if response.status in (401, 403):
            raise StoreError(
                f"the store at {self.settings.endpoint} refuses a put of {self.uri(ref)} ({response.status}); check "
                "LVBAG_STORE__ACCESS_KEY and LVBAG_STORE__SECRET_KEY, and that this machine's clock is right"
            )
        if response.status != 200:
            raise StoreError(
                f"the store answered {response.status} to a put of {self.uri(ref)}: {response.data[:300]!r}"
            )
        return response.headers.get("ETag", "").strip('"')

    def _check_disk(self, ref: Ref) -> None:
        """Stop before an embedded store's disk is full; other servers say so themselves."""
        if self.settings.disk is None:
            return
        free_mb = shutil.disk_usage(self.settings.disk).free // 1_000_000
        if free_mb < self.settings.min_free_mb:
            raise DiskFull(
                f"{self.uri(ref)} was not written: the store's disk at {self.settings.disk} has {free_mb} MB left, "
                f"store.min_free_mb is {self.settings.min_free_mb}; free some space and run the step again"
            )

    @contextmanager
    def _errors(self, ref: Ref) -> Iterator[None]:
        """Turn the client's errors into ours, with the object and the remedy."""
        try:
            yield
        except S3Error as error:
            raise self._translate(error, ref) from error
        except (ServerError, InvalidResponseError) as error:
            raise StoreUnavailable(
                f"the store at {self.settings.endpoint} failed on {self.uri(ref)}: {error}; {_LATER}"
            ) from error
        except ElementTree.ParseError as error:
            raise StoreUnavailable(
                f"the store at {self.settings.endpoint} gave an answer to {self.uri(ref)} that is no XML ({error}); "
                "run the step again, and if it stays so, check that store.endpoint is an S3 store"
            ) from error
        except HTTPError as error:
            raise StoreUnavailable(
                f"the store at {self.settings.endpoint} does not answer ({type(error).__name__} on {self.uri(ref)}); "
                "start the embedded one with `lvbag up`, or check store.endpoint"
            ) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFull(
                f"no space left on this machine's disk ({error.filename or tempfile.gettempdir()}) for "
                f"{self.uri(ref)}; free some and run the step again, or move LVBAG_HOME to a larger disk"
            ) from error

    def _translate(self, error: S3Error, ref: Ref) -> StoreError:
        uri = self.uri(ref)
        if error.code in ("NoSuchKey", "NoSuchObject", "ResourceNotFound"):
            return ObjectMissing(f"{uri} does not exist")
        if error.code == "NoSuchBucket":
            return StoreError(
                f"bucket {self.bucket(ref.bucket)} does not exist; `lvbag up` or `lvbag doctor --fix` makes it"
            )
        if error.code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
            return StoreError(
                f"the store at {self.settings.endpoint} refuses the credentials for {uri} ({error.code}); check "
                "LVBAG_STORE__ACCESS_KEY and LVBAG_STORE__SECRET_KEY"
            )
        if error.code == "RequestTimeTooSkewed":
            return StoreError(
                f"the store at {self.settings.endpoint} refuses {uri}: its clock and that of this machine are too far "
                "apart; set both by NTP and run the step again"
            )
        if error.code in ("XMinioStorageFull", "InsufficientStorage"):
            return StoreUnavailable(f"the store at {self.settings.endpoint} has no space left for {uri}")
        return StoreError(f"the store refused {uri}: {error.code}: {error.message}")


def open_store(settings: Settings) -> Store:
    """The store that the settings name; nothing is sent yet."""
    return Store(settings.store)


def json_bytes(value: Any) -> bytes:
    """JSON that a person can read and that is the same for equal values."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def nonce() -> str:
    """A random text that makes a conditional write recognisable as one's own."""
    return uuid.uuid4().hex


def _save(response: BaseHTTPResponse, file: BinaryIO) -> _Hash:
    """Write an answer's body over whatever the file holds; returns the digest of what was written."""
    file.seek(0)
    file.truncate()
    digest = hashlib.sha256()
    for chunk in response.stream(1024 * 1024):
        digest.update(chunk)
        file.write(chunk)
    return digest


def _has_nonce(data: bytes) -> bool:
    return b'"nonce"' in data
