"""Which pictures are looked at where there are more than time allows."""

from __future__ import annotations

import polars as pl


def newest_in_turns(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many rows, every product's newest in turns, sorted by sha256.

    Reads the columns `night`, `sha256` and `style_code`.
    """
    newest = rows.sort(pl.col("night"), "sha256", descending=[True, False])
    turns = newest.with_columns(pl.int_range(pl.len()).over("style_code").alias("_turn"))
    return turns.sort("_turn", "style_code", maintain_order=True).head(most).drop("_turn").sort("sha256")
