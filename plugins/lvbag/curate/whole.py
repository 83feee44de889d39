"""A whole night's curation in one go, step by step, for the command line and for nights that wait in a queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from lvbag.curate.clean import clean_part, plan_cleaning
from lvbag.curate.crops import mark_crops
from lvbag.curate.exact import mark_exact
from lvbag.curate.near import mark_near
from lvbag.curate.reports.report import report_night
from lvbag.curate.results import CleaningPlan, ReportResult, SnapshotResult, StageResult, ValidationResult
from lvbag.curate.snapshots.snapshot import build_snapshot
from lvbag.curate.validation.validate import validate_night
from lvbag.settings import Settings
from lvbag.store import Store

StepResult = StageResult | ValidationResult | CleaningPlan | SnapshotResult | ReportResult


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
