"""Fingerprints of earlier nights by today's method.

A change of the method moves bits, so fingerprints of two versions are never compared. After an upgrade the pictures
(or crops) that are still compared are looked at once more, night by night, and what was seen is kept beside the
night's own tables, which stay as they are.
"""

from __future__ import annotations

import datetime as dt
import logging

import polars as pl

from lvbag.curate.looks import Unseen, Wanted, look_at_all
from lvbag.images.fingerprints import VERSION
from lvbag.settings import ImageSettings
from lvbag.store import CorruptObject, ObjectMissing, Store, keys
from lvbag.store.tables import SchemaError, read_table, write_table

log = logging.getLogger(__name__)

_PRINT = pl.Schema(
    {
        "phash64": pl.UInt64(),
        "phash256": pl.Binary(),
        "flip64": pl.UInt64(),
        "flip256": pl.Binary(),
        "thumb": pl.Binary(),
    }
)
_REFRESHED = pl.Schema({"sha256": pl.String(), **_PRINT, "blur": pl.Float64()})


def with_current_prints(store: Store, limits: ImageSettings, rows: pl.DataFrame, of_crops: bool) -> pl.DataFrame:
    """The rows with fingerprints of today's version; those that cannot be had any more are left out.

    `rows` have night, sha256, format, fingerprint, blur, and the print columns (of crops with the prefix `crop_`; then
    also detector and crop_sha256).
    """
    prefix = "crop_" if of_crops else ""
    is_current = (pl.col("fingerprint") == VERSION) & pl.col(f"{prefix}phash64").is_not_null()
    if of_crops:  # what was refused has no crop, and nothing is compared with it
        rows = rows.filter(pl.col("crop_sha256").is_not_null())
    stale = rows.filter(~is_current.fill_null(value=False))
    if stale.is_empty():
        return rows
    found = [_refreshed(store, limits, night, part, of_crops) for (night,), part in stale.group_by("night")]
    fresh = pl.concat(found).rename({name: f"{prefix}{name}" for name in _PRINT})
    names = [f"{prefix}{name}" for name in _PRINT] + ([] if of_crops else ["blur"])
    renewed = stale.drop(names).join(fresh.select("sha256", *names), on="sha256", how="inner").select(rows.columns)
    current = rows.filter(is_current.fill_null(value=False))
    order = rows.select("sha256").with_row_index("_row")
    return pl.concat([current, renewed]).join(order, on="sha256", how="inner").sort("_row").drop("_row")


def _refreshed(store: Store, limits: ImageSettings, night: object, rows: pl.DataFrame, of_crops: bool) -> pl.DataFrame:
    """Fingerprints of a night's pictures: those that were kept of an earlier look, the others looked at now."""
    if not isinstance(night, dt.date):
        raise TypeError(f"a night is a date, not {type(night).__name__}")
    ref = keys.refreshed(f"{VERSION}-crops" if of_crops else VERSION, night)
    try:
        before = read_table(store, ref, _REFRESHED)
    except ObjectMissing:
        before = _REFRESHED.to_frame()
    except (CorruptObject, SchemaError) as error:  # all of it can be had again
        log.warning("curate.refresh takes all fingerprints again night=%s why=%s", night, error)
        before = _REFRESHED.to_frame()
    missing = rows.join(before, on="sha256", how="anti")
    if missing.is_empty():
        return before.join(rows.select("sha256"), on="sha256", how="semi")
    log.warning(
        "curate.refresh night=%s pictures=%d to=%s why=their fingerprints are of another version",
        *(night, missing.height, VERSION),
    )
    # a rule for photos that were let in long ago; crops of slim bags may be narrower
    limits = limits.model_copy(update={"min_side_px": 1})
    answers = look_at_all(store, limits, _wanted(missing, of_crops), f"curate.refresh night={night}", of_crops)
    seen = []
    for sha256, answer in zip(missing["sha256"], answers, strict=True):
        if isinstance(answer, Unseen):
            log.warning("curate.refresh cannot look again night=%s image=%s why=%s", night, sha256, answer.reason)
            continue
        one = answer.print
        seen.append((sha256, one.phash64, one.phash256, one.flip64, one.flip256, one.thumb, answer.quality.blur))
    whole = pl.concat([before, pl.DataFrame(seen, schema=_REFRESHED, orient="row")]).sort("sha256")
    write_table(store, ref, whole, _REFRESHED)
    return whole.join(rows.select("sha256"), on="sha256", how="semi")


def _wanted(rows: pl.DataFrame, of_crops: bool) -> list[Wanted]:
    if of_crops:
        crops = rows.select("sha256", "detector", "crop_sha256").rows()
        return [Wanted(digest, keys.crop(detector, sha256)) for sha256, detector, digest in crops]
    pictures = rows.select("sha256", "format").rows()
    return [Wanted(sha256, keys.raw_image(sha256, form)) for sha256, form in pictures]
