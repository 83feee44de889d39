"""What somebody asks to have taken down: a listing, a seller, an address or an image.

Reading what was asked for; nothing is looked up here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from lvbag.care.errors import CareError
from lvbag.tombstones import normal_url, seller_key

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Target:
    """`kind` is one of `lvbag.tombstones.KINDS`; `key` identifies it: `source/listing_id`, a seller key, an address as
    addresses are compared, a sha256. `source` is empty where the kind has none, and a seller's name is not kept."""

    kind: str
    key: str
    source: str = ""
    listing_id: str = ""

    @property
    def name(self) -> str:
        """As a person reads it."""
        if self.kind == "seller":
            return f"seller {self.key} of {self.source}"
        return f"{self.kind} {self.key}"


@dataclass(frozen=True)
class Reason:
    """Why something is taken down, by whom, and when: what its tombstone keeps."""

    why: str
    by: str
    at: dt.datetime


def listing_target(text: str) -> Target:
    """`SOURCE/ID`, as tables write them."""
    source, listing_id = _pair(text, "--listing SOURCE/ID, such as market/S123")
    return Target("listing", f"{source}/{listing_id}", source, listing_id)


def seller_target(text: str) -> Target:
    """`SOURCE/NAME`; capitals and spaces around or between words do not matter."""
    source, name = _pair(text, "--seller SOURCE/NAME, such as 'market/Anna B.'")
    return Target("seller", seller_key(source, name), source)


def url_target(text: str) -> Target:
    """The address of a listing's page or of a picture."""
    if "://" not in text:
        raise CareError(f"{text!r} is no whole address; write --url https://…")
    return Target("url", normal_url(text))


def image_target(text: str) -> Target:
    """A sha256 in hexadecimal, or a file with the very bytes."""
    digest = text.strip().lower()
    if _SHA256.fullmatch(digest):
        return Target("image", digest)
    path = Path(text)
    if not path.is_file():
        raise CareError(f"{text!r} is neither a sha256 (64 hexadecimal digits) nor a file; check the spelling")
    with path.open("rb") as file:
        return Target("image", hashlib.file_digest(file, "sha256").hexdigest())


def _pair(text: str, wanted: str) -> tuple[str, str]:
    source, slash, rest = text.partition("/")
    if not slash or not source.strip() or not rest.strip():
        raise CareError(f"{text!r} names no source and what is there; write {wanted}")
    return source.strip(), rest.strip()
