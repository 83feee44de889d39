"""The four tables that validation looks at, with the columns that the expectations name. Pure, no store, no checks.

Each has `row` (its number, by which failures are traced back), `key` (what names the row for a reader of the data
docs) and `source`. A null is what nobody stated, or what cannot be judged yet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from lvbag.curate.reasons import KEPT, REFUSED
from lvbag.curate.validation.drift import FLOORS, Drift
from lvbag.curate.validation.expected import Suite
from lvbag.curate.validation.statistics import SourceStatistics

Tables = dict[Suite, pl.DataFrame]


def validation_tables(
    night: dt.date,
    listings: pl.DataFrame,
    fetches: pl.DataFrame,
    near: pl.DataFrame,
    batches: pl.DataFrame,
) -> Tables:
    """What each suite is run over; `batches` as `batch_table` makes it."""
    return {
        "listings": _numbered(_listings(listings), pl.format("{}/{}", "source", "listing_id")),
        "fetches": _numbered(_fetches(night, fetches), pl.format("{}/{}/{}", "source", "listing_id", "position")),
        "images": _numbered(_images(near), pl.col("sha256")),
        "night": _numbered(batches, pl.col("source")),
    }


def batch_table(
    sources: Mapping[str, SourceStatistics], drifts: Mapping[str, Drift], min_batch_rows: int
) -> pl.DataFrame:
    """A row a source; shares of fewer rows than `min_batch_rows` are null."""

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole >= min_batch_rows else None

    rows = [
        {
            "source": name,
            "found": one.found,
            "understood_share": share(one.pages_read, one.pages_read + one.pages_not_understood),
            "kept_share": share(one.kept, one.rows),
            "failed_share": share(one.failed_fetches, one.fetches),
            "same_share": share(one.same_picture, one.new_pictures),
            "listings_ratio": drifts[name].listings_ratio,
            "pictures_ratio": drifts[name].pictures_ratio,
            "price_loss": drifts[name].price_loss,
            "product_shift": drifts[name].product_shift,
            "class_shift": drifts[name].class_shift,
            "same_rise": drifts[name].same_rise,
            **{f"{measure}_drift": drifts[name].measures.get(measure) for measure in FLOORS},
            "jumps": drifts[name].jumps,
        }
        for name, one in sources.items()
    ]
    return pl.DataFrame(rows, schema=_BATCH)


_BATCH = pl.Schema(
    {
        "source": pl.String(),
        "found": pl.Int64(),
        **dict.fromkeys(("understood_share", "kept_share", "failed_share", "same_share"), pl.Float64()),
        **dict.fromkeys(("listings_ratio", "pictures_ratio", "price_loss"), pl.Float64()),
        **dict.fromkeys(("product_shift", "class_shift", "same_rise"), pl.Float64()),
        **{f"{measure}_drift": pl.Float64() for measure in FLOORS},
        "jumps": pl.Int64(),
    }
)


def _numbered(table: pl.DataFrame, key: pl.Expr) -> pl.DataFrame:
    return table.with_columns(key.alias("key")).with_row_index("row")


def _listings(listings: pl.DataFrame) -> pl.DataFrame:
    products = pl.col("style_code").drop_nulls().n_unique().over("source", "listing_id")
    return listings.filter(pl.col("verdict") == KEPT).select(
        *("source", "listing_id", "url", "title", "price", "currency"),
        products.cast(pl.Int64).alias("products_of_listing"),
    )


def _fetches(night: dt.date, fetches: pl.DataFrame) -> pl.DataFrame:
    midnight = dt.datetime(night.year, night.month, night.day, tzinfo=dt.UTC)
    place = ("source", "shard", "listing_id", "position")
    return fetches.filter(pl.col("verdict") != REFUSED).select(
        *("source", "listing_id", "position", "image_url", "bytes", "sha256"),
        pl.col("http_status").cast(pl.String),
        pl.col("format").fill_null("unknown"),
        ((pl.col("fetched_at") - midnight).dt.total_seconds() / 3600.0).alias("hours_after_midnight"),
        pl.len().over(place).cast(pl.Int64).alias("rows_of_place"),
    )


def _images(near: pl.DataFrame) -> pl.DataFrame:
    # as floats: 0 by 0 pixels would wrap around otherwise
    width, height = pl.col("width").cast(pl.Float64), pl.col("height").cast(pl.Float64)
    size = (width * height).sqrt()
    return near.filter(pl.col("verdict") == KEPT).select(
        *("source", "listing_id", "position", "sha256", "style_code"),
        pl.min_horizontal("width", "height").alias("shorter_side"),
        (pl.max_horizontal(width, height) / pl.min_horizontal(width, height)).alias("aspect"),
        (size / size.median().over("source")).alias("size_ratio"),
        *("brightness", "contrast", "blur", "entropy", "chroma"),
    )


def style_codes(listings: pl.DataFrame) -> Sequence[str]:
    """The products that the night's listings were matched to."""
    return listings["style_code"].drop_nulls().unique().sort().to_list()
