"""What the marketplace holds, as plain data: listings, their photos, and the truth about each photo."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lvbag.demo.camera import Box
from lvbag.demo.scene import Shot
from lvbag.errors import LvbagError

DRAWING_VERSION = "1"
"""Part of every ETag: raise it when the same words give other pixels, so that crawlers fetch them again."""


class MarketError(LvbagError):
    """The demo marketplace cannot be set up as asked."""


class Format(StrEnum):
    """How a photo is encoded, whatever its extension says."""

    JPG = "jpg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"


class Edit(StrEnum):
    """What was done to a photo before it was listed again."""

    SAME = "same"
    RESIZED = "resized"
    RECOMPRESSED = "recompressed"
    WATERMARKED = "watermarked"


class Fault(StrEnum):
    """What is wrong with a file."""

    TRUNCATED = "truncated"
    TEXT_FILE = "text_file"
    HTML_FILE = "html_file"
    BOMB = "bomb"  # 40 megapixels in a few kilobytes
    MISSING = "missing"  # answers 404


class PageKind(StrEnum):
    """What stands behind a listing's address."""

    GOOD = "good"
    NOT_HTML = "not_html"
    BROKEN_JSON = "broken_json"
    NO_PRODUCT = "no_product"
    PRIVATE = "private"  # robots.txt forbids it


@dataclass(frozen=True)
class Photo:
    """One image address. A drawn photo has a `shot`, a real one a `file`; a pure fault may have neither."""

    path: str  # of its URL, such as /img/<listing>/0.jpg
    listing_id: str
    night: int  # from 1: since when it is there
    format: Format
    shot: Shot | None = None
    file: Path | None = None
    edit: Edit | None = None
    copy_of: str | None = None  # path of the photo of which this one is an edit
    fault: Fault | None = None
    sideways: bool = False  # stored turned by 90 degrees, with an EXIF orientation that says so
    flaky: bool = False  # answers 503 once

    @property
    def etag(self) -> str:
        """A digest of what the bytes are made from; known without making them. Real files: see `market`."""
        parts = (DRAWING_VERSION, self.format, self.shot, self.edit, self.fault, self.sideways)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Listing:
    """One offer. `found_for` are the style codes whose search shows it; `titled` is the one that its title names."""

    listing_id: str
    night: int
    found_for: tuple[str, ...]
    titled: str | None
    title: str
    price: float
    currency: str  # ISO 4217
    seller: str
    condition: str
    description: str
    photos: tuple[Photo, ...]
    page: PageKind = PageKind.GOOD
    flaky: bool = False  # answers 503 once

    @property
    def path(self) -> str:
        """The path of its page."""
        prefix = "/private" if self.page is PageKind.PRIVATE else ""
        return f"{prefix}/item/{self.listing_id}"


class Noise(StrEnum):
    """Why a photo is of no use."""

    SHOE = "shoe"
    WALLET = "wallet"
    BOX = "box"
    PERSON = "person"
    BANNER = "banner"
    RECEIPT = "receipt"
    TRUNCATED = "truncated"
    TEXT_FILE = "text_file"
    HTML_FILE = "html_file"
    BOMB = "bomb"
    MISSING = "missing"
    FORBIDDEN = "forbidden"  # robots.txt says no


@dataclass(frozen=True)
class Truth:
    """What an image address really holds."""

    path: str
    listing_id: str
    night: int
    titled: str | None  # the product that the listing's title names
    product: str | None  # the product that is seen; None where no bag is
    is_bag: bool
    box: Box | None  # around the bag: x0, y0, x1, y1 in pixels of the upright picture
    size: tuple[int, int] | None  # width, height in pixels, upright; None where there is no picture
    noise: Noise | None
    near_duplicate_of: str | None  # path of the photo that this one is an edit of

    @property
    def usable(self) -> bool:
        """A readable photo of a bag that stands nowhere else."""
        return self.is_bag and self.noise is None and self.near_duplicate_of is None
