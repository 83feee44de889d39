"""Validation: does the night look as a night must? Rows that do not are refused; a broken night is set aside whole.

The expectations stand in `lvbag.curate.expectations`; here they become Great Expectations suites over three tables,
run by one checkpoint in a temporary folder. Its data docs go to the reports bucket. What was refused before stays as
it is. A night that keeps nothing has nothing to validate and passes.
"""

from __future__ import annotations

import datetime as dt
import html
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lvbag import schemas
from lvbag.curate import data_docs
from lvbag.curate.errors import CurateError
from lvbag.curate.expectations import NOT_UNDERSTOOD, Expected, Suite, expectations
from lvbag.curate.reasons import KEPT, REFUSED, count_kept, count_refused
from lvbag.curate.results import ValidationResult
from lvbag.settings import Settings
from lvbag.store import Bucket, ObjectMissing, Ref, Store, keys
from lvbag.store.tables import read_table, read_tables, write_table

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

log = logging.getLogger(__name__)

_GX_SEVERITY = {"row": "warning", "batch": "critical", "note": "info"}
_SUITES: tuple[Suite, ...] = ("listings", "images", "night")


@dataclass(frozen=True)
class Failure:
    """An expectation that does not hold; `rows` are row numbers of its table, `seen` the first value that failed."""

    expected: Expected
    rows: tuple[int, ...]
    seen: str


def validate_night(store: Store, settings: Settings, night: dt.date) -> ValidationResult:
    """Check stage `near` and the night's listings; writes stage `validate`, data docs and, if need be, quarantine.

    Raises `CurateError` where stage `near` is missing or a check cannot be computed.
    """
    near = _read_near(store, night)
    listing_refs = [item.ref for item in store.list_objects(Bucket.RAW, keys.listings_prefix(night))]
    listings = read_tables(store, listing_refs, schemas.LISTINGS)
    if not count_kept(near):
        log.info("curate.validate nothing to validate night=%s rows=%d kept=0", night, near.height)
        _remove_others(store, Bucket.REPORTS, keys.data_docs_prefix(night), set())
        _set_aside(store, night, near, listings, None)
        return _finish(store, night, near, quarantined=False, docs="")
    tables = _tables(near, listings)
    declared = expectations(settings.curate, settings.images, _style_codes(listings))
    with tempfile.TemporaryDirectory(prefix="lvbag-validate-") as name:
        failures = _run(Path(name), night, tables, declared)
        index = _upload(store, night, Path(name) / "docs")
    reasons = refusals(tables, failures)
    broken = quarantine_reason(near, reasons, failures, settings.curate.max_refused_share)
    for failure in failures:
        log.warning(
            "curate.validate failed night=%s expectation=%s severity=%s rows=%d seen=%s",
            *(night, failure.expected.name, failure.expected.severity, len(failure.rows), failure.seen),
        )
    validated = _mark_all(near, f"quarantined: {broken}") if broken else _mark(near, reasons)
    _set_aside(store, night, near, listings, broken)
    return _finish(store, night, validated, quarantined=broken is not None, docs=store.uri(index))


def refusals(tables: dict[Suite, pl.DataFrame], failures: Sequence[Failure]) -> dict[str, str]:
    """The reason by sha256 of every picture that fails; a failing listing takes its pictures along."""
    reasons: dict[str, str] = {}
    images = tables["images"]
    for failure in failures:
        if failure.expected.severity != "row":
            continue
        table = tables[failure.expected.suite].filter(pl.col("row").is_in(failure.rows))
        if failure.expected.suite == "listings":
            table = images.join(
                table.select("source", "listing_id", pl.col(failure.expected.column).alias("_seen")).unique(
                    ["source", "listing_id"], keep="first", maintain_order=True
                ),
                on=["source", "listing_id"],
                how="inner",
                maintain_order="left",
            )
        else:
            table = table.with_columns(pl.col(failure.expected.column).alias("_seen"))
        for sha256, seen in table.select("sha256", "_seen").iter_rows():
            reasons.setdefault(sha256, f"expectation: {failure.expected.name}: {_text(seen)}")
    return reasons


def quarantine_reason(
    near: pl.DataFrame, reasons: dict[str, str], failures: Sequence[Failure], max_refused_share: float
) -> str | None:
    """Why the night is set aside whole, or None: a batch expectation fails, or too many kept rows do."""
    for failure in failures:
        if failure.expected.severity == "batch":
            return f"{failure.expected.name}: {failure.seen}"
    kept = count_kept(near)
    if len(reasons) > max_refused_share * kept:
        return f"{len(reasons)} of {kept} pictures fail, curate.max_refused_share is {max_refused_share:g}"
    return None


# ------------------------------------------------------------------ tables


def _read_near(store: Store, night: dt.date) -> pl.DataFrame:
    try:
        return read_table(store, keys.stage(night, "near"), schemas.STAGE_NEAR)
    except ObjectMissing as error:
        raise CurateError(f"night {night} cannot be validated: {error}; run `near` of this night first") from error


def _style_codes(listings: pl.DataFrame) -> list[str]:
    return listings["style_code"].drop_nulls().unique().sort().to_list()


def _tables(near: pl.DataFrame, listings: pl.DataFrame) -> dict[Suite, pl.DataFrame]:
    """What is checked, with the measures that the expectations name.

    `row` numbers the rows of each table; `key` names them for a reader of the data docs.
    """
    images = near.filter(pl.col("verdict") == KEPT).select(
        "source",
        "listing_id",
        "sha256",
        "style_code",
        pl.min_horizontal("width", "height").alias("shorter_side"),
        (pl.max_horizontal("width", "height") / pl.min_horizontal("width", "height")).alias("aspect"),
        "contrast",
        "entropy",
    )
    kept = listings.filter(pl.col("verdict") == KEPT).select(
        "source",
        "listing_id",
        "url",
        "title",
        "price",
        "currency",
        pl.col("style_code")
        .drop_nulls()
        .n_unique()
        .over("source", "listing_id")
        .cast(pl.Int64)
        .alias("products_of_listing"),
    )
    counts = pl.DataFrame(
        {
            "pictures": [near.height],
            "listings": [listings.height],
            "understood_share": [_understood_share(listings)],
            "kept_share": [images.height / near.height],
        }
    )
    return {
        "listings": kept.with_columns(pl.format("{}/{}", "source", "listing_id").alias("key")).with_row_index("row"),
        "images": images.with_columns(pl.col("sha256").alias("key")).with_row_index("row"),
        "night": counts.with_columns(pl.lit("night").alias("key")).with_row_index("row"),
    }


def _understood_share(listings: pl.DataFrame) -> float:
    """Of the listing pages that came, those from which a listing could be read; 0 where there are no listings."""
    failed = listings.filter(pl.col("reason").str.split(":").list.first().is_in(NOT_UNDERSTOOD)).height
    read = listings.filter(pl.col("title").is_not_null()).height
    return read / (read + failed) if read + failed else 0.0


def _mark(near: pl.DataFrame, reasons: dict[str, str]) -> pl.DataFrame:
    failed = pl.col("sha256").is_in(list(reasons)) & (pl.col("verdict") == KEPT)
    found = pl.col("sha256").replace_strict(reasons, default=None, return_dtype=pl.String)
    return near.with_columns(
        pl.when(failed).then(pl.lit(REFUSED)).otherwise("verdict").alias("verdict"),
        pl.when(failed).then(found).otherwise("reason").alias("reason"),
    )


def _mark_all(near: pl.DataFrame, reason: str) -> pl.DataFrame:
    kept = pl.col("verdict") == KEPT
    return near.with_columns(
        pl.when(kept).then(pl.lit(REFUSED)).otherwise("verdict").alias("verdict"),
        pl.when(kept).then(pl.lit(reason)).otherwise("reason").alias("reason"),
    )


def _text(value: object) -> str:
    """A value as it stands in a reason: short, on one line."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = " ".join(str("null" if value is None else value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


# ------------------------------------------------------------------ Great Expectations


def _run(
    folder: Path, night: dt.date, tables: dict[Suite, pl.DataFrame], declared: Sequence[Expected]
) -> list[Failure]:
    """Run one checkpoint over all suites and build its data docs in `folder/docs`."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import: it decides there whether to send usage events
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    _name_docs_site(context, folder / "docs")
    source = context.data_sources.add_pandas_filesystem("night", base_directory=folder)
    definitions = []
    for name in _SUITES:
        _escaped(tables[name]).write_parquet(folder / f"{name}.parquet")
        batch = source.add_parquet_asset(name).add_batch_definition_path(name, path=f"{name}.parquet")
        suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=_suite(name, declared)))
        definitions.append(
            context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name="night",
            validation_definitions=definitions,
            actions=[],
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["row", "key"]},
        )
    )
    # the run is named by the night and not by the clock, so that a second run writes the same pages
    midnight = dt.datetime(night.year, night.month, night.day, tzinfo=dt.UTC)
    answer = checkpoint.run(run_id=RunIdentifier(run_name=night.isoformat(), run_time=midnight))
    context.build_data_docs(site_names=["night"])
    data_docs.settle(folder / "docs", night, folder)
    by_name = {expected.name: expected for expected in declared}
    results = [result for suite_result in answer.run_results.values() for result in suite_result.results]
    failures = [_failure(by_name[result.expectation_config.meta["name"]], result, tables) for result in results]
    order = {expected.name: place for place, expected in enumerate(declared)}
    return sorted((one for one in failures if one is not None), key=lambda one: order[one.expected.name])


def _name_docs_site(context: AbstractDataContext, folder: Path) -> None:
    for name in list(context.get_site_names()):
        context.delete_data_docs_site(name)
    context.add_data_docs_site(
        "night",
        {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )


def _suite(name: Suite, declared: Sequence[Expected]) -> list[Any]:
    import great_expectations.expectations as gxe

    return [
        getattr(gxe, expected.check)(
            column=expected.column,
            severity=_GX_SEVERITY[expected.severity],
            notes=expected.why,
            meta={"name": expected.name},
            **{key: list(value) if isinstance(value, tuple) else value for key, value in expected.bounds.items()},
        )
        for expected in declared
        if expected.suite == name
    ]


def _failure(expected: Expected, result: Any, tables: dict[Suite, pl.DataFrame]) -> Failure | None:
    """Read one answer of Great Expectations; None where the expectation holds."""
    if result.success:
        return None
    if "unexpected_index_list" not in result.result:
        raise CurateError(
            f"expectation {expected.name} on column {expected.column!r} could not be computed: {result.exception_info}"
        )
    rows = sorted(int(item["row"]) for item in result.result["unexpected_index_list"] or [])
    seen = tables[expected.suite][expected.column][rows[0]] if rows else None
    return Failure(expected, tuple(rows), _text(seen))


def _escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """Text as HTML: data docs show values from crawled pages and do not escape them."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(pl.col(name).map_elements(html.escape, return_dtype=pl.String) for name in texts)


# ------------------------------------------------------------------ writing


def _upload(store: Store, night: dt.date, folder: Path) -> Ref:
    """Every page under the night's prefix, the index last; pages of an earlier run that are no more are removed."""
    index = folder / "index.html"
    pages = [*sorted(path for path in folder.rglob("*") if path.is_file() and path != index), index]
    written = set()
    for page in pages:
        ref = keys.data_doc(night, page.relative_to(folder).as_posix())
        store.put(ref, page.read_bytes(), data_docs.content_type(page))
        written.add(ref)
    _remove_others(store, Bucket.REPORTS, keys.data_docs_prefix(night), written)
    return keys.data_doc(night, "index.html")


def _remove_others(store: Store, bucket: Bucket, prefix: str, written: set[Ref]) -> None:
    for item in list(store.list_objects(bucket, prefix)):
        if item.ref not in written:
            store.delete(item.ref)


def _set_aside(store: Store, night: dt.date, near: pl.DataFrame, listings: pl.DataFrame, broken: str | None) -> None:
    """Keep a broken night's tables as they came; of a sound one, remove what an earlier run set aside."""
    written = set()
    if broken:
        for ref, table, schema in (
            (keys.quarantine(night, "near"), near, schemas.STAGE_NEAR),
            (keys.quarantine(night, "listings"), listings, schemas.LISTINGS),
        ):
            write_table(store, ref, table, schema)
            written.add(ref)
        log.error("curate.validate quarantined night=%s why=%s", night, broken)
    _remove_others(store, Bucket.CURATED, keys.quarantine_prefix(night), written)


def _finish(store: Store, night: dt.date, validated: pl.DataFrame, quarantined: bool, docs: str) -> ValidationResult:
    """Write the stage's table, last of all."""
    ref = keys.stage(night, "validate")
    write_table(store, ref, validated, schemas.STAGE_VALIDATE)
    result = ValidationResult(
        night=night,
        uri=store.uri(ref),
        rows=validated.height,
        kept=count_kept(validated),
        refused=count_refused(validated),
        quarantined=quarantined,
        data_docs=docs,
    )
    log.info(
        "curate.validate done night=%s rows=%d kept=%d refused=%s", night, result.rows, result.kept, result.refused
    )
    return result
