"""The odd pictures of a night's products: which are looked at, whether they were already, and the process that looks.

The autoencoder of one night goes on from the weights of an earlier one and sees the pictures of all nights up to its
own. What it finds is a table for the report and for reviews; nothing is thrown out by it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import time
from pathlib import Path

import polars as pl

from lvbag import schemas
from lvbag.curated import read_curated
from lvbag.learn.jobs import digest
from lvbag.learn.launch import run_job
from lvbag.learn.outliers.records import ROWS_NAME, OutlierJob, OutlierModel, newest_weights, read_model
from lvbag.learn.results import OutlierResult
from lvbag.learn.turns import newest_in_turns
from lvbag.outliers import MODEL, SCORES, is_odd, read_outliers
from lvbag.review import apply_decisions, read_decided
from lvbag.settings import OutlierSettings, Settings
from lvbag.store import Store, keys
from lvbag.store.tables import write_table
from lvbag.tombstones import read_tombstones

log = logging.getLogger(__name__)

METHOD = "1"
"""Of the network and the scores; another one judges every night anew."""

_COLUMNS = tuple(schemas.OUTLIERS)[: tuple(schemas.OUTLIERS).index("crop_sha256") + 1]


def find_outliers(store: Store, settings: Settings, night: dt.date, again: bool = False) -> OutlierResult:
    """Judge the kept pictures of all nights up to this one, unless the same were judged so already, or `again`.

    Writes `keys.outliers(night, …)`, `model.json` last. Raises `LearnError` when the process fails.
    """
    started = time.monotonic()
    if not settings.outliers.enabled:
        return OutlierResult(night, "", 0, 0, 0, 0, False, 0.0, "outliers.enabled is false: nothing was looked at")
    rows = read_rows(store, settings.outliers, night)
    chosen, content = settings.outliers, _digest_of(rows)

    def key_from(weights: str | None) -> str:
        return digest("outliers", METHOD, content, weights, chosen.min_images, chosen.steps)

    model = None if again else read_model(store, night)
    _, recorded = newest_weights(store, before=night) or (None, None)
    reused = model is not None and model.key == key_from(recorded)
    if not reused:
        # what it would have gone on from may have been collected since
        start, weights = newest_weights(store, before=night, standing=True) or (None, None)
        reused = model is not None and model.key == key_from(weights)
    if not reused:
        _judge(store, settings, OutlierModel(key=key_from(weights), night=night, start=start), rows, weights)
        model = read_model(store, night)
    scores = read_outliers(store, night)
    if model is None or scores is None:
        return OutlierResult(night, "", 0, 0, 0, 0, False, time.monotonic() - started, "taken away meanwhile")
    result = OutlierResult(
        night,
        store.uri(keys.outliers(night, SCORES)),
        model.images,
        model.judged,
        scores.filter(is_odd(chosen)).height,
        model.products,
        reused,
        round(time.monotonic() - started, 1),
        model.note,
    )
    log.info("outliers.done %s", result)
    return result


def read_rows(store: Store, settings: OutlierSettings, night: dt.date) -> pl.DataFrame:
    """The pictures that are looked at, `schemas.OUTLIERS` up to `crop_sha256`, and `decided`; sorted by sha256.

    Every product's newest in turns, up to `outliers.max_images`. What people decided and what was taken down counts.
    """
    whole = pl.col("crop_sha256").is_not_null() & pl.col("style_code").is_not_null()
    columns = [*_COLUMNS, "cluster"]
    kept = read_curated(store, columns, (pl.col("verdict") == "kept") & whole, night + dt.timedelta(days=1))
    kept = kept.unique("sha256", keep="first", maintain_order=True).sort("sha256")
    kept = kept.filter(~read_tombstones(store).strikes(kept))
    decisions = read_decided(store)
    kept = apply_decisions(kept, decisions).kept
    rows = newest_in_turns(kept, settings.max_images)
    known = pl.Series("decided", [sha256 in decisions.pictures for sha256 in rows["sha256"]], dtype=pl.Boolean)
    return rows.select(_COLUMNS).with_columns(known)


def _judge(store: Store, settings: Settings, plan: OutlierModel, rows: pl.DataFrame, weights: str | None) -> None:
    least = settings.outliers.min_images
    if rows.group_by("style_code").len().filter(pl.col("len") >= least).is_empty():
        note = f"no product has {least} kept pictures (outliers.min_images), so it is not known what is usual"
        write_table(store, keys.outliers(plan.night, SCORES), schemas.OUTLIERS.to_frame(), schemas.OUTLIERS)
        said = plan.model_copy(update={"start": None, "images": rows.height, "note": note})
        store.put_json(keys.outliers(plan.night, MODEL), said.model_dump(mode="json"))
        return

    def make(folder: Path, cache: Path) -> OutlierJob:
        rows.write_parquet(folder / ROWS_NAME)
        return OutlierJob.asked(
            settings,
            folder,
            cache,
            night=plan.night,
            key=plan.key,
            start=plan.start,
            start_sha256=weights,
        )

    run_job("lvbag.learn.outliers.run_judging", settings, make)


def _digest_of(rows: pl.DataFrame) -> str:
    lines = ("|".join(map(str, row)) for row in rows.select("sha256", "crop_sha256", "style_code", "decided").rows())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
