"""What a person is asked: an item, and what names it.

An item is named `<kind>:<subject>`, such as `confidence:<sha256>` of a picture or `unlabelled:<source>/<listing id>`.
The name follows from what is asked alone, so a night that is curated again asks the same.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lvbag.review.errors import ReviewError
from lvbag.store import Ref

_KIND = re.compile(r"[a-z][a-z_]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_LISTING = 200


@dataclass(frozen=True)
class ItemId:
    """The name of an item in parts: of a picture `sha256` is set, of a listing `listing` (source, listing_id)."""

    kind: str
    sha256: str | None = None
    listing: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.sha256 or '/'.join(self.listing or ())}"

    @property
    def key(self) -> str:
        """`<kind>-<sha256>`, as it stands in object keys: of a picture its own digest, else that of the name."""
        subject = str(self).split(":", 1)[1]
        return f"{self.kind}-{self.sha256 or hashlib.sha256(subject.encode()).hexdigest()}"


def parse_id(text: str) -> ItemId:
    """Read the name of an item; raises `ReviewError` where it is none."""
    kind, _, subject = text.partition(":")
    if _KIND.fullmatch(kind):
        if _SHA256.fullmatch(subject):
            return ItemId(kind, sha256=subject)
        source, slash, listing_id = subject.partition("/")
        if slash and _SOURCE.fullmatch(source) and 0 < len(listing_id) <= _LONGEST_LISTING and listing_id.isprintable():
            return ItemId(kind, listing=(source, listing_id))
    raise ReviewError(
        f"{text[:300]!r} names no item: write KIND:SHA256 of a picture or KIND:SOURCE/LISTING, as `lvbag review list` "
        "does"
    )


@dataclass(frozen=True)
class Item:
    """Something that machines are unsure of.

    `machine`: what they decided, `kept` or `refused`; `why`: in words; `numbers`: what the decision hung on, by name;
    `uncertainty`: 1 at the border itself, 0 at the margin's end; `picture`: the bytes as fetched, None where there are
    none; `style_code`: the product it is taken for; `title`: of the listing, where that is what is asked.
    """

    id: ItemId
    night: dt.date
    machine: str
    why: str
    uncertainty: float
    numbers: Mapping[str, float] = field(default_factory=dict)
    picture: Ref | None = None
    style_code: str | None = None
    title: str | None = None
