"""Great Expectations at work: the expectations as suites over the four tables, one checkpoint, its data docs.

Everything happens in a temporary folder; nothing here knows the store, or decides what a failure does. Great
Expectations is imported inside the functions: it costs seconds and 200 MB, which only the task that validates pays.
"""

from __future__ import annotations

import datetime as dt
import html
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lvbag.curate.errors import CurateError
from lvbag.curate.validation.expected import SUITES, Expected, Failure, Suite, shown
from lvbag.curate.validation.validation_tables import Tables

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

_GX_SEVERITY = {"row": "warning", "batch": "critical", "note": "info"}


def run_suites(folder: Path, night: dt.date, tables: Tables, declared: Sequence[Expected]) -> list[Failure]:
    """Run every suite and build the data docs in `folder/docs`; the failures in the order of the declarations.

    Raises `CurateError` where a check cannot be computed.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import: it decides there whether to send usage events
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    _name_docs_site(context, folder / "docs")
    source = context.data_sources.add_pandas_filesystem("night", base_directory=folder)
    definitions = []
    for name in SUITES:
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
    by_name = {expected.name: expected for expected in declared}
    results = [result for suite_result in answer.run_results.values() for result in suite_result.results]
    failures = [_failure(by_name[result.expectation_config.meta["name"]], result, tables) for result in results]
    order = {expected.name: place for place, expected in enumerate(declared)}
    return sorted((one for one in failures if one is not None), key=lambda one: order[one.expected.name])


def _name_docs_site(context: AbstractDataContext, folder: Path) -> None:
    """One site, in this folder, in place of the one whose folder the context made for itself and would leave behind."""
    for name, site in dict(context.variables.data_docs_sites or {}).items():
        context.delete_data_docs_site(name)
        shutil.rmtree(site["store_backend"]["base_directory"], ignore_errors=True)
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
        getattr(gxe, expected.check.kind)(
            column=expected.check.column,
            severity=_GX_SEVERITY[expected.severity],
            notes=f"{expected.name} ({expected.severity}): {expected.why}",
            meta={"name": expected.name},
            **{key: list(value) if isinstance(value, tuple) else value for key, value in expected.check.bounds.items()},
        )
        for expected in declared
        if expected.suite == name
    ]


def _failure(expected: Expected, result: Any, tables: Tables) -> Failure | None:
    """Read one answer of Great Expectations; None where the expectation holds."""
    if result.success:
        return None
    if "unexpected_index_list" not in result.result:
        raise CurateError(
            f"expectation {expected.name} on column {expected.check.column!r} could not be computed: "
            f"{result.exception_info}; its column is made in lvbag.curate.validation.validation_tables"
        )
    rows = sorted(int(item["row"]) for item in result.result["unexpected_index_list"] or [])
    failed = tables[expected.suite][rows]
    seen = failed[expected.check.column][0] if rows else None
    return Failure(expected, tuple(rows), shown(seen), tuple(failed["source"].unique().sort()))


def _escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """Text as HTML: data docs show values from crawled pages and do not escape them."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(pl.col(name).map_elements(html.escape, return_dtype=pl.String) for name in texts)
