"""How many kept images each product has, read from what curation has decided so far: the plan's measure of need."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable

import polars as pl

from lvbag.crawl.rows import KEPT
from lvbag.store import Bucket, CorruptObject, Store, keys

_COLUMNS = ["sha256", "style_code", "verdict"]


def kept_images(store: Store, products: Iterable[str], before: dt.date) -> dict[str, int]:
    """Distinct kept images of each product over all nights that were curated before this one; 0 where there are none.

    The night itself does not count: planned again after its own curation, it would become another plan.
    """
    counts = dict.fromkeys(products, 0)
    seen: set[str] = set()
    for item in store.list_objects(Bucket.CURATED, keys.curated_images_prefix()):
        if item.ref.key >= keys.curated_images_prefix(before):
            continue
        try:
            frame = pl.read_parquet(io.BytesIO(store.get(item.ref)), columns=_COLUMNS)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise CorruptObject(f"{store.uri(item.ref)} is not a table of images: {error}") from None
        for sha256, code in frame.filter(pl.col("verdict") == KEPT).select("sha256", "style_code").iter_rows():
            if code in counts and sha256 not in seen:
                seen.add(sha256)
                counts[code] += 1
    return counts
