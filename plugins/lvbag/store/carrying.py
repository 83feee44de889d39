"""A store whose objects can be carried into another one with all that is kept of them.

That is bytes, content type, user metadata and, where a bucket keeps them, older versions. The times of writing and the
numbers of versions are the store's own and cannot be carried. What is carried where decides `lvbag.care.copying`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from lvbag.store.client import PART_BYTES, Store, _save
from lvbag.store.keys import Bucket, Ref

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_META = "x-amz-meta-"
_SHA256 = "sha256"
_WHOLE_BYTES = 4 * PART_BYTES
"""Up to here `Store.put` writes an object in one piece."""


@dataclass(frozen=True)
class Piece:
    """One version of an object, as a listing tells of it; `version` is None where only the newest is listed."""

    ref: Ref
    size: int
    etag: str
    version: str | None = None


@dataclass(frozen=True)
class Standing:
    """What a store has under a key: its versions, the oldest first, and whether a deletion hides them."""

    ref: Ref
    pieces: tuple[Piece, ...]
    hidden: bool = False


@dataclass(frozen=True)
class Facts:
    """What is kept of an object beside its bytes; `metadata` is the user's, by names without their prefix."""

    size: int
    etag: str
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str | None:
        """The digest that was recorded when the object was written, in hexadecimal; conditional puts record none."""
        return self.metadata.get(_SHA256)


class CarryingStore(Store):
    """The same store, with what copying needs."""

    # -------------------------------------------------------------- what stands there

    def standings(self, bucket: Bucket) -> Iterator[Standing]:
        """Every object that can be seen, in the order of the keys; the newest version of each alone."""
        for item in self.list_objects(bucket):
            yield Standing(item.ref, (Piece(item.ref, item.size, item.etag),))

    def histories(self, bucket: Bucket, but: Iterable[str] = ()) -> Iterator[Standing]:
        """Every key with all its versions, deleted ones as well, in the order of the keys.

        Below the prefixes in `but`, as `standings`. A listing is held in memory: for buckets with few objects.
        """
        short_lived = tuple(but)
        pieces: dict[Ref, list[Piece]] = {}
        hidden: set[Ref] = set()
        for item in self.list_versions(bucket, ""):  # the newest of each key comes first
            known = pieces.setdefault(item.ref, [])
            if not item.deletion:
                known.insert(0, Piece(item.ref, item.size, item.etag, item.version))
            elif item.newest:
                hidden.add(item.ref)
        for ref in sorted(pieces):
            if not ref.key.startswith(short_lived):
                yield Standing(ref, tuple(pieces[ref]), ref in hidden)
            elif ref not in hidden:
                yield Standing(ref, tuple(pieces[ref][-1:]))

    def keeps_versions(self, bucket: Bucket) -> bool:
        """Whether what is replaced or deleted in a bucket can be brought back."""
        with self._errors(Ref(bucket, "")):
            return str(self._client.get_bucket_versioning(self.bucket(bucket)).status) == "Enabled"

    # -------------------------------------------------------------- carrying

    def facts(self, piece: Piece) -> Facts:
        """What is kept of an object; raises `ObjectMissing`."""
        with self._errors(piece.ref):
            stat = self._client.stat_object(self.bucket(piece.ref.bucket), piece.ref.key, version_id=piece.version)
        return _facts(cast("Mapping[str, str]", stat.metadata or {}))

    def fetch(self, piece: Piece, file: BinaryIO) -> tuple[Facts, str]:
        """Read an object into a file, over what that holds; returns facts and sha256. Raises `ObjectMissing`."""

        def read(response: BaseHTTPResponse) -> tuple[Facts, str]:
            digest = _save(response, file)
            return _facts(response.headers), digest.hexdigest()

        with self._errors(piece.ref):
            return self._whole(piece.ref, read, piece.version)

    def digest(self, piece: Piece) -> str:
        """The sha256 of an object's bytes as they stand, in hexadecimal, whatever was recorded of them."""

        def read(response: BaseHTTPResponse) -> str:
            found = hashlib.sha256()
            for chunk in response.stream(1024 * 1024):
                found.update(chunk)
            return found.hexdigest()

        with self._errors(piece.ref):
            return self._whole(piece.ref, read, piece.version)

    def lay(self, ref: Ref, file: BinaryIO, facts: Facts, sha256: str) -> None:
        """Write a file's bytes as an object with the facts of its original, replacing what stood there.

        In as many parts as the original, so that both have the same entity tag where both servers make it alike.
        """
        whole = facts.size < PART_BYTES or ("-" not in facts.etag and facts.size < _WHOLE_BYTES)
        headers: dict[str, str | list[str] | tuple[str]] = {_META + name: text for name, text in facts.metadata.items()}
        headers[_META + _SHA256] = sha256
        if whole:
            headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
        file.seek(0)
        self._check_disk(ref)
        with self._errors(ref):
            self._client.put_object(
                self.bucket(ref.bucket),
                ref.key,
                file,
                facts.size,
                content_type=facts.content_type,
                metadata=headers,
                part_size=max(PART_BYTES, facts.size + 1) if whole else PART_BYTES,
            )


def _facts(headers: Mapping[str, str]) -> Facts:
    named = {name.lower(): value for name, value in headers.items()}
    return Facts(
        int(named.get("content-length", "0")),
        named.get("etag", "").strip('"'),
        named.get("content-type", "application/octet-stream"),
        {name.removeprefix(_META): value for name, value in named.items() if name.startswith(_META)},
    )
