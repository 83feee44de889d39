"""What a night is compared with: the pictures, or the crops, that earlier nights kept, with their fingerprints.

Read from the curated tables, a few columns at a time: memory is bounded by the fingerprints. Pictures whose
fingerprints are of an older version of the method are looked at again (`refresh`), so that an upgrade
never lets an old photo in a second time.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from lvbag import schemas
from lvbag.curate.duplicates.linking import pack_columns
from lvbag.curate.duplicates.placing import REFERENCE, References
from lvbag.curate.duplicates.refresh import with_current_prints
from lvbag.curate.reasons import KEPT, looked_at
from lvbag.curated import read_curated
from lvbag.settings import Settings
from lvbag.store import Store

_CROP = ("phash64", "phash256", "flip64", "flip256", "thumb", "cluster", "representative")
_COLUMNS = (
    *("night", "sha256", "format", "style_code", "verdict", "width", "height", "blur", "fingerprint", "detector"),
    *("crop_sha256", "box"),
)


def read_references(store: Store, settings: Settings, night: dt.date, of_crops: bool, needed: bool) -> References:
    """The pictures (or crops) that a night is held against; nothing is read where nothing has to be compared.

    These are all that earlier nights kept, the anchors, and what represents a cluster of which nothing was kept.
    """
    prefix = "crop_" if of_crops else ""
    columns = [*_COLUMNS, *(f"{prefix}{name}" for name in _CROP)]
    if not needed:
        found = schemas.IMAGES.to_frame().select(columns)
    else:
        anchors = pl.col(f"{prefix}cluster") == pl.col("sha256")
        heads = pl.col(f"{prefix}representative") == pl.col("sha256")
        # a crop that was never compared has no cluster yet, and is one all the same
        where = looked_at() & pl.col("fingerprint").is_not_null() & ((pl.col("verdict") == KEPT) | anchors | heads)
        found = read_curated(store, columns, where, night).unique("sha256", keep="first", maintain_order=True)
    current = with_current_prints(store, settings.images, found, of_crops)
    rows = current.select(
        "sha256",
        "style_code",
        pl.coalesce(f"{prefix}cluster", "sha256").alias("cluster"),
        (crop_pixels() if of_crops else pl.col("width").cast(pl.Int64) * pl.col("height")).alias("pixels"),
        "blur",
        (pl.col("verdict") == KEPT).alias("kept"),
    )
    prints = pack_columns(*(current[f"{prefix}{name}"] for name in ("phash64", "phash256", "thumb")))
    return References(rows.select(pl.col(name).cast(kind) for name, kind in REFERENCE.items()), prints)


def crop_pixels() -> pl.Expr:
    """How many pixels of the picture the bag covers; all of them where nothing was detected."""
    box = pl.col("box")
    share = (box.list.get(2) - box.list.get(0)) * (box.list.get(3) - box.list.get(1))
    pixels = pl.col("width").cast(pl.Int64) * pl.col("height")
    return (pixels * share.fill_null(1.0)).round().cast(pl.Int64)
