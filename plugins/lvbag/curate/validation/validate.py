"""Validation: does the night look as a night must? Rows that do not are refused; a broken source is set aside whole.

What is expected stands in `expectations`, what a failure does in `marking`; here is the order of things, and what is
read and written: stage `validate`, the night's statistics, its data docs, and the tables of sources that are set
aside. What was refused before stays as it is. A night that found nothing has nothing to validate.
"""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.curate.reasons import count_kept, count_refused
from lvbag.curate.results import ValidationResult
from lvbag.curate.validation import data_docs
from lvbag.curate.validation.docs_index import IndexPage, render_index, source_lines
from lvbag.curate.validation.drift import Drift, compare
from lvbag.curate.validation.expectations import expectations
from lvbag.curate.validation.expected import Failure
from lvbag.curate.validation.gx_run import run_suites
from lvbag.curate.validation.marking import mark, notes, quarantines, refusals
from lvbag.curate.validation.statistics import (
    NightStatistics,
    SourceStatistics,
    absent_sources,
    count_sources,
    read_trailing,
    write_statistics,
)
from lvbag.curate.validation.validation_tables import batch_table, style_codes, validation_tables
from lvbag.settings import Settings
from lvbag.store import Bucket, ObjectMissing, Ref, Store, keys
from lvbag.store.tables import read_table, read_tables, write_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Night:
    """What a night's steps left so far."""

    day: dt.date
    listings: pl.DataFrame
    fetches: pl.DataFrame
    near: pl.DataFrame


@dataclass(frozen=True)
class _Judgement:
    """What came of it: the table with its verdicts, and why sources were set aside."""

    validated: pl.DataFrame
    quarantined: dict[str, str]
    notes: tuple[str, ...]
    docs: str


def validate_night(store: Store, settings: Settings, night: dt.date) -> ValidationResult:
    """Check a night's listings, fetches and stage `near`, row by row and source by source against earlier nights.

    The same objects when it runs twice. Raises `CurateError` where stage `near` is missing, a check cannot be computed,
    or the statistics of an earlier night cannot be read.
    """
    found = _read(store, night)
    bounds = settings.curate
    trailing = read_trailing(store, night, bounds.trailing_nights, bounds.normal_since)
    sources = count_sources(found.listings, found.fetches, found.near)
    sources |= dict.fromkeys(absent_sources(sources, trailing), SourceStatistics())
    drifts = {
        name: compare(one, [earlier.sources[name] for earlier in trailing if name in earlier.sources], bounds)
        for name, one in sources.items()
    }
    if not sources:
        log.info("curate.validate nothing to validate night=%s", night)
        _remove_others(store, Bucket.REPORTS, keys.data_docs_prefix(night), set())
        judged = _Judgement(found.near, {}, (), "")
    else:
        judged = _judge(store, settings, found, sources, drifts)
    _set_aside(store, found, judged.quarantined)
    kept_sources = {
        name: one.model_copy(update={"quarantined": judged.quarantined.get(name)})
        for name, one in sources.items()
        if one != SourceStatistics()
    }
    write_statistics(store, NightStatistics(night=night, sources=kept_sources, notes=judged.notes))
    return _finish(store, night, judged)


def _judge(
    store: Store,
    settings: Settings,
    found: _Night,
    sources: Mapping[str, SourceStatistics],
    drifts: Mapping[str, Drift],
) -> _Judgement:
    night, bounds = found.day, settings.curate
    batches = batch_table(sources, drifts, bounds.min_batch_rows)
    tables = validation_tables(night, found.listings, found.fetches, found.near, batches)
    declared = expectations(settings, style_codes(found.listings))
    with tempfile.TemporaryDirectory(prefix="lvbag-validate-") as name:
        folder = Path(name)
        failures = run_suites(folder, night, tables, declared)
        reasons = refusals(tables, failures)
        quarantined = quarantines(tables, failures, reasons, bounds)
        validated = mark(found.near, reasons, quarantined)
        data_docs.settle(folder / "docs", night, folder)
        lines = source_lines(sources, drifts, validated, quarantined)
        index = IndexPage(night, lines, declared, failures, data_docs.result_pages(folder / "docs"))
        (folder / "docs" / "index.html").write_text(render_index(index), encoding="utf-8")
        docs = _upload(store, night, folder / "docs")
    _tell(night, failures)
    return _Judgement(validated, quarantined, notes(tables, failures), store.uri(docs))


def _tell(night: dt.date, failures: Sequence[Failure]) -> None:
    for failure in failures:
        log.warning(
            "curate.validate failed night=%s expectation=%s severity=%s rows=%d seen=%s",
            *(night, failure.expected.name, failure.expected.severity, len(failure.rows), failure.seen),
        )


# ------------------------------------------------------------------ reading


def _read(store: Store, night: dt.date) -> _Night:
    try:
        near = read_table(store, keys.stage(night, "near"), schemas.STAGE_NEAR)
    except ObjectMissing as error:
        raise CurateError(f"night {night} cannot be validated: {error}; run `near` of this night first") from error
    listings = [item.ref for item in store.list_objects(Bucket.RAW, keys.listings_prefix(night))]
    fetches = [item.ref for item in store.list_objects(Bucket.RAW, keys.fetches_prefix(night))]
    return _Night(
        night, read_tables(store, listings, schemas.LISTINGS), read_tables(store, fetches, schemas.FETCHES), near
    )


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


def _set_aside(store: Store, found: _Night, quarantined: Mapping[str, str]) -> None:
    """Keep the tables of broken sources as they came; of sound ones, remove what an earlier run set aside."""
    written = set()
    for source, why in quarantined.items():
        mine = pl.col("source") == source
        for name, table, schema in (
            ("near", found.near, schemas.STAGE_NEAR),
            ("listings", found.listings, schemas.LISTINGS),
            ("fetches", found.fetches, schemas.FETCHES),
        ):
            ref = keys.quarantine(found.day, source, name)
            write_table(store, ref, table.filter(mine), schema)
            written.add(ref)
        log.error(
            "curate.validate quarantined night=%s source=%s why=%s; tables are kept under %s; where the source has "
            "changed for good, set curate.normal_since and curate the night again",
            *(found.day, source, why, keys.quarantine_prefix(found.day)),
        )
    _remove_others(store, Bucket.CURATED, keys.quarantine_prefix(found.day), written)


def _finish(store: Store, night: dt.date, judged: _Judgement) -> ValidationResult:
    """Write the stage's table, last of all."""
    ref = keys.stage(night, "validate")
    write_table(store, ref, judged.validated, schemas.STAGE_VALIDATE)
    result = ValidationResult(
        night=night,
        uri=store.uri(ref),
        rows=judged.validated.height,
        kept=count_kept(judged.validated),
        refused=count_refused(judged.validated),
        quarantined=judged.quarantined,
        data_docs=judged.docs,
        notes=judged.notes,
    )
    log.info(
        "curate.validate done night=%s rows=%d kept=%d quarantined=%s refused=%s notes=%d",
        *(night, result.rows, result.kept, ",".join(result.quarantined) or "none", result.refused, len(result.notes)),
    )
    return result
