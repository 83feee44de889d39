"""The table of suspicious labels that learning leaves and that reviews read: where learning and people meet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import polars as pl

from lvbag import schemas
from lvbag.settings import SuspicionSettings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table

SCORES, RUN = "scores.parquet", "run.json"


def read_suspicions(store: Store, snapshot: str) -> pl.DataFrame | None:
    """The scores (`schemas.SUSPICIONS`) of a snapshot's labels; None where they were not finished, or never begun."""
    if not store.exists(keys.suspicions(snapshot, RUN)):
        return None
    return read_table(store, keys.suspicions(snapshot, SCORES), schemas.SUSPICIONS)


def suspicions_of_night(store: Store, night: dt.date) -> pl.DataFrame | None:
    """The scores of the snapshot of a night that was looked at last; None where none was."""
    names = [
        name
        for name in store.list_folders(Bucket.CURATED, keys.suspicions_prefix())
        if name.startswith(f"{night.isoformat()}-")  # a snapshot is named by the night of its newest picture
    ]
    found = [(info.modified or dt.datetime.min.replace(tzinfo=dt.UTC), name) for name in names
             if (info := store.head(keys.suspicions(name, RUN))) is not None]  # fmt: skip
    return read_suspicions(store, max(found)[1]) if found else None


def with_ranks(scores: pl.DataFrame, decided: Collection[str]) -> pl.DataFrame:
    """The scores with places among the suspicious ones whose picture (sha256) nobody has decided about."""
    known = pl.col("sha256").is_in(pl.Series(list(decided), dtype=pl.String).implode())
    order = scores.filter(pl.col("suspicious") & ~known).sort("quality", "sha256")["sha256"]
    place = {sha256: number for number, sha256 in enumerate(order, start=1)}
    ranks = pl.Series("rank", [place.get(sha256, 0) for sha256 in scores["sha256"]], dtype=pl.Int32)
    return scores.with_columns(ranks)


def is_asked(settings: SuspicionSettings) -> pl.Expr:
    """Which rows people are asked about: the most suspicious that nobody has decided about."""
    return (pl.col("rank") >= 1) & (pl.col("rank") <= settings.questions)
