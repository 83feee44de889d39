"""A whole night's curation, or re-cleaning, in one go, step by step: for the command line and nights in a queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator

from lvbag.curate.clean import clean_part, plan_cleaning
from lvbag.curate.crops import mark_crops
from lvbag.curate.exact import mark_exact
from lvbag.curate.near import mark_near
from lvbag.curate.reclean import (
    begin_recleaning,
    compare_again,
    end_recleaning,
    plan_recleaning,
    reclean_part,
)
from lvbag.curate.reports.report import report_night
from lvbag.curate.results import (
    CleaningPlan,
    RecleanedPart,
    ReportResult,
    SnapshotResult,
    StageResult,
    ValidationResult,
)
from lvbag.curate.snapshots.snapshot import build_snapshot
from lvbag.curate.validation.validate import validate_night
from lvbag.settings import Settings
from lvbag.store import Store

StepResult = StageResult | ValidationResult | CleaningPlan | RecleanedPart | SnapshotResult | ReportResult


def curate_night(store: Store, settings: Settings, night: dt.date) -> Iterator[StepResult]:
    """Run every step of a night and give each one's result as it ends; nothing runs ahead of the reader."""
    yield mark_exact(store, settings, night)
    yield mark_near(store, settings, night)
    yield validate_night(store, settings, night)
    plan = plan_cleaning(store, settings, night)
    yield plan
    for part in plan.parts:
        yield clean_part(store, settings, night, part, plan.detector)
    yield mark_crops(store, settings, night, plan.parts)
    yield build_snapshot(store, settings, night, plan.parts)
    yield report_night(store, settings, night)


def reclean_all(
    store: Store, settings: Settings, nights: Collection[dt.date] = (), everything: bool = False
) -> Iterator[StepResult]:
    """Judge again what an earlier detector decided narrowly (or `everything`), compare, build the newest snapshot.

    Nothing is yielded where nothing is left to judge. Reports are written of every night whose crops were compared.
    """
    plan = plan_recleaning(store, settings, nights, everything)
    begin_recleaning(store, plan)
    for night in plan.nights:
        for job in plan.jobs:
            if job.night == night:
                yield reclean_part(store, settings, job)
        yield compare_again(store, settings, night, plan.parts(night))
    if plan.nights:
        newest = plan.nights[-1]
        yield build_snapshot(store, settings, newest, plan.parts(newest))
    for night in plan.nights:
        yield report_night(store, settings, night)
    end_recleaning(store)
