"""Crops compared: the same photo framed otherwise, which no hash of the whole picture finds.

A copy that was cut by 5 % or padded shows another picture to a hash; the detector cuts the same bag out of both. Each
crop that is kept so far is placed among the crops that earlier nights kept, by the same code as whole pictures
(`lvbag.curate.duplicates.placing`), and copies are refused. What is written here is what curation decided on a night.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

import polars as pl

from lvbag import schemas
from lvbag.curate.duplicates.linking import crop_limits, pack_columns
from lvbag.curate.duplicates.placing import Candidate, Placed, place
from lvbag.curate.duplicates.references import crop_pixels, read_references
from lvbag.curate.errors import CurateError
from lvbag.curate.reasons import KEPT, REFUSED, count_kept, count_refused
from lvbag.curate.results import StageResult
from lvbag.settings import Settings
from lvbag.store import Bucket, ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_table

log = logging.getLogger(__name__)

_PRINTS = ("crop_phash64", "crop_phash256", "crop_thumb", "crop_flip64", "crop_flip256")
_ADDED = pl.Schema({name: kind for name, kind in schemas.IMAGES.items() if name not in schemas.CLEANED})


def mark_crops(store: Store, settings: Settings, night: dt.date, parts: Sequence[int]) -> StageResult:
    """Compare the crops of all cleaned parts with one another and with earlier nights'; writes the night's images.

    Each part's table is `keys.curated_images(night, part)`; tables of an earlier run that had more parts are removed.
    Raises `CurateError` where a part was not cleaned.
    """
    tables = {part: _read_cleaned(store, night, part) for part in sorted(parts)}
    kept = pl.concat([schemas.CLEANED.to_frame(), *tables.values()]).filter(pl.col("verdict") == KEPT)
    measured = kept.select("sha256", "style_code", crop_pixels(), "blur")
    candidates = [Candidate(*row) for row in measured.iter_rows()]
    references = read_references(store, settings, night, of_crops=True, needed=bool(candidates))
    placed = place(
        candidates,
        pack_columns(*(kept[name] for name in _PRINTS)),
        references,
        crop_limits(settings.curate),
        "crop",
    )
    by_image = {one.sha256: where for one, where in zip(candidates, placed, strict=True)}
    whole = [_write(store, night, part, table, by_image) for part, table in tables.items()]
    for item in list(store.list_objects(Bucket.CURATED, keys.curated_images_prefix(night))):
        if item.ref not in {keys.curated_images(night, part) for part in tables}:
            store.delete(item.ref)
    table = pl.concat([schemas.IMAGES.to_frame(), *whole])
    uri = store.uri(keys.curated_images(night, min(tables, default=0)))
    result = StageResult(night, uri, table.height, count_kept(table), count_refused(table))
    log.info(
        "curate.crops done night=%s rows=%d kept=%d compared_with=%d refused=%s",
        *(night, result.rows, result.kept, references.rows.height, result.refused),
    )
    return result


def images_table(table: pl.DataFrame, placed: dict[str, Placed]) -> pl.DataFrame:
    """The rows of a cleaned part with where each kept crop belongs, and copies refused; fits `schemas.IMAGES`."""
    found = pl.DataFrame(
        [
            (sha256, one.cluster, one.representative, one.distance64, one.distance256, one.colour, one.rule, one.reason)
            for sha256, one in placed.items()
        ],
        schema={"sha256": pl.String(), **_ADDED, "_reason": pl.String()},
        orient="row",
    )
    joined = table.join(found, on="sha256", how="left", maintain_order="left")
    copies = pl.col("_reason").is_not_null() & (pl.col("verdict") == KEPT)
    judged = joined.with_columns(
        pl.when(copies).then(pl.col("_reason")).otherwise("reason").alias("reason"),
        pl.when(copies).then(pl.lit(REFUSED)).otherwise("verdict").alias("verdict"),
        # what was refused earlier has no crop, also where the same bytes stand in a kept row
        *(pl.when(pl.col("verdict") == KEPT).then(pl.col(name)).alias(name) for name in _ADDED),
    )
    return judged.select(pl.col(name).cast(kind) for name, kind in schemas.IMAGES.items())


def _write(store: Store, night: dt.date, part: int, table: pl.DataFrame, placed: dict[str, Placed]) -> pl.DataFrame:
    images = images_table(table, placed)
    write_table(store, keys.curated_images(night, part), images, schemas.IMAGES)
    return images


def _read_cleaned(store: Store, night: dt.date, part: int) -> pl.DataFrame:
    try:
        return read_table(store, keys.cleaned(night, part), schemas.CLEANED)
    except ObjectMissing as error:
        raise CurateError(f"night {night}: {error}; clean part {part} of this night first") from None
