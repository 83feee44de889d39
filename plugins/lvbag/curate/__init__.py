"""Curation: from a night's raw bytes to a snapshot that a classifier can be trained on.

The functions below are what DAGs, pages and the command line call. They are imported when they are first used, so
that naming this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.curate.clean import clean_part, plan_cleaning
    from lvbag.curate.crops import mark_crops
    from lvbag.curate.errors import CurateError
    from lvbag.curate.exact import mark_exact
    from lvbag.curate.near import mark_near
    from lvbag.curate.reclean import (
        begin_recleaning,
        compare_again,
        end_recleaning,
        plan_recleaning,
        reclean_part,
    )
    from lvbag.curate.reports.report import load_funnel, report_night
    from lvbag.curate.results import (
        CleaningPlan,
        RecleanedPart,
        RecleaningJob,
        RecleaningPlan,
        ReportResult,
        SnapshotResult,
        StageResult,
        ValidationResult,
    )
    from lvbag.curate.snapshots.diff import diff_snapshots
    from lvbag.curate.snapshots.snapshot import build_snapshot, newest_snapshot, publish_snapshot, write_snapshot
    from lvbag.curate.snapshots.straddle import check_snapshot
    from lvbag.curate.validation.statistics import quarantined_sources
    from lvbag.curate.validation.validate import validate_night
    from lvbag.curate.waiting import closed_nights, with_waiting
    from lvbag.curate.whole import curate_night, reclean_all

_HOMES = {
    "CleaningPlan": "results",
    "CurateError": "errors",
    "RecleanedPart": "results",
    "RecleaningJob": "results",
    "RecleaningPlan": "results",
    "ReportResult": "results",
    "SnapshotResult": "results",
    "StageResult": "results",
    "ValidationResult": "results",
    "begin_recleaning": "reclean",
    "build_snapshot": "snapshots.snapshot",
    "check_snapshot": "snapshots.straddle",
    "clean_part": "clean",
    "closed_nights": "waiting",
    "compare_again": "reclean",
    "curate_night": "whole",
    "diff_snapshots": "snapshots.diff",
    "end_recleaning": "reclean",
    "load_funnel": "reports.report",
    "mark_crops": "crops",
    "mark_exact": "exact",
    "mark_near": "near",
    "newest_snapshot": "snapshots.snapshot",
    "plan_cleaning": "clean",
    "plan_recleaning": "reclean",
    "publish_snapshot": "snapshots.snapshot",
    "quarantined_sources": "validation.statistics",
    "reclean_all": "whole",
    "reclean_part": "reclean",
    "report_night": "reports.report",
    "validate_night": "validation.validate",
    "with_waiting": "waiting",
    "write_snapshot": "snapshots.snapshot",
}

__all__ = [
    "CleaningPlan",
    "CurateError",
    "RecleanedPart",
    "RecleaningJob",
    "RecleaningPlan",
    "ReportResult",
    "SnapshotResult",
    "StageResult",
    "ValidationResult",
    "begin_recleaning",
    "build_snapshot",
    "check_snapshot",
    "clean_part",
    "closed_nights",
    "compare_again",
    "curate_night",
    "diff_snapshots",
    "end_recleaning",
    "load_funnel",
    "mark_crops",
    "mark_exact",
    "mark_near",
    "newest_snapshot",
    "plan_cleaning",
    "plan_recleaning",
    "publish_snapshot",
    "quarantined_sources",
    "reclean_all",
    "reclean_part",
    "report_night",
    "validate_night",
    "with_waiting",
    "write_snapshot",
]

__getattr__ = lazy_exports(__name__, _HOMES)
