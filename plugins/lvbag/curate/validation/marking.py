"""What failed expectations do: which pictures are refused, which sources are set aside, what is noted. Pure decisions.

A picture that fails is refused with `expectation: <name>: <seen>`. Of a source that is set aside every picture is
refused with `quarantined: <name>: <seen>`, and so is a picture of a sound source that was refused for being the same as
one of them: nobody has kept it, and a later night may take both again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from lvbag.curate.reasons import KEPT, REFUSED, rule_is
from lvbag.curate.validation.expected import Failure, shown
from lvbag.curate.validation.validation_tables import Tables
from lvbag.validation_settings import ValidationSettings

QUARANTINED = "quarantined"
ROWS_REFUSED = "rows_refused"
"""The name under which a source is set aside because too many of its pictures fail."""

_BESIDE_ANOTHER = ("duplicate_exact", "duplicate_near", "label_conflict")
"""Rules that refuse a picture for another one."""

_PICTURE_OF = {
    "listings": ("source", "listing_id"),
    "fetches": ("source", "listing_id", "position", "sha256"),
    "images": ("sha256",),
}
"""By which columns a failing row finds its pictures."""


def refusals(tables: Tables, failures: Sequence[Failure]) -> dict[str, str]:
    """The reason by sha256 of every picture that fails; a failing listing or fetch takes its pictures along."""
    reasons: dict[str, str] = {}
    images = tables["images"]
    for failure in failures:
        if failure.expected.severity != "row":
            continue
        keys = list(_PICTURE_OF[failure.expected.suite])
        failed = (
            tables[failure.expected.suite]
            .filter(pl.col("row").is_in(failure.rows))
            .select(*keys, pl.col(failure.expected.check.column).alias("_seen"))
            .unique(keys, keep="first", maintain_order=True)
        )
        found = images.select("row", "sha256", *(key for key in keys if key != "sha256"))
        pictures = found.join(failed, on=keys, how="inner", maintain_order="left").sort("row")
        for sha256, seen in pictures.select("sha256", "_seen").iter_rows():
            reasons.setdefault(sha256, f"expectation: {failure.expected.name}: {shown(seen)}")
    return reasons


def quarantines(
    tables: Tables, failures: Sequence[Failure], reasons: Mapping[str, str], settings: ValidationSettings
) -> dict[str, str]:
    """Why a source is set aside, by source: a batch expectation fails, or too many of its new pictures do."""
    found: dict[str, str] = {}
    for failure in failures:
        if failure.expected.severity == "batch":
            failed = tables[failure.expected.suite].filter(pl.col("row").is_in(failure.rows))
            for source, seen in failed.select("source", failure.expected.check.column).iter_rows():
                found.setdefault(source, f"{failure.expected.name}: {shown(seen)}")
    counts = tables["images"].group_by("source").agg(pl.len(), pl.col("sha256").is_in(list(reasons)).sum().alias("bad"))
    for source, rows, bad in counts.sort("source").iter_rows():
        if rows >= settings.min_batch_rows and bad > settings.max_refused_share * rows:
            bound = f"curate.max_refused_share is {settings.max_refused_share:g}"
            found.setdefault(source, f"{ROWS_REFUSED}: {bad} of {rows} pictures fail, {bound}")
    return dict(sorted(found.items()))


def mark(near: pl.DataFrame, reasons: Mapping[str, str], quarantined: Mapping[str, str]) -> pl.DataFrame:
    """Stage `near` with every verdict of validation."""
    kept = pl.col("verdict") == KEPT
    set_aside = pl.col("source").is_in(list(quarantined))
    lost = near.filter(kept & set_aside)["sha256"].implode()
    twin = ~set_aside & ~kept & rule_is(*_BESIDE_ANOTHER)
    twin &= pl.col("sha256").is_in(lost) | pl.col("representative").is_in(lost).fill_null(False)
    reason = (
        pl.when(kept & set_aside)
        .then(f"{QUARANTINED}: " + pl.col("source").replace_strict(quarantined, default=None, return_dtype=pl.String))
        .when(kept)
        .then(pl.col("sha256").replace_strict(reasons, default=None, return_dtype=pl.String))
        .when(twin)
        .then(pl.format(f"{QUARANTINED}: with its twin, {{}}", pl.col("reason")))
        .otherwise("reason")
    )
    return near.with_columns(
        pl.when(reason.is_not_null()).then(pl.lit(REFUSED)).otherwise("verdict").alias("verdict"),
        reason.alias("reason"),
    )


def notes(tables: Tables, failures: Sequence[Failure]) -> tuple[str, ...]:
    """What is noted and refuses nothing, without a word from outside: a source with its figure, or a count of rows."""
    found = []
    for failure in failures:
        if failure.expected.severity != "note":
            continue
        table, name = tables[failure.expected.suite], failure.expected.name
        if failure.expected.suite == "night":
            failed = table.filter(pl.col("row").is_in(failure.rows)).select("source", failure.expected.check.column)
            found += [f"{name}: {source}: {shown(seen)}" for source, seen in failed.iter_rows()]
        else:
            found.append(f"{name}: {len(failure.rows)} of {table.height} rows")
    return tuple(found)
