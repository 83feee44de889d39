"""The table of outliers that learning leaves and that reports and reviews read: where learning and curation meet."""

from __future__ import annotations

import datetime as dt

import polars as pl

from lvbag import schemas
from lvbag.settings import OutlierSettings
from lvbag.store import Store, keys
from lvbag.store.tables import read_table

SCORES, MODEL, WEIGHTS = "scores.parquet", "model.json", "model.safetensors"


def read_outliers(store: Store, night: dt.date) -> pl.DataFrame | None:
    """The scores (`schemas.OUTLIERS`) of a night; None where they were not finished, or never begun."""
    if not store.exists(keys.outliers(night, MODEL)):
        return None
    return read_table(store, keys.outliers(night, SCORES), schemas.OUTLIERS)


def is_odd(settings: OutlierSettings) -> pl.Expr:
    """Which rows people are asked about: beyond the threshold, and among the oddest of their product."""
    return (pl.col("score") >= settings.threshold) & (pl.col("rank") <= settings.max_per_product)
