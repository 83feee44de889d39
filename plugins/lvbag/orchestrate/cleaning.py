"""The steps from a validated night to a snapshot: the end of lvbag_curate, and re-cleaning in lvbag_operate."""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from airflow.sdk import XComArg, task
from airflow.sdk.exceptions import AirflowSkipException

from lvbag.nights import parse_night
from lvbag.orchestrate import context
from lvbag.orchestrate.assets import DATASET
from lvbag.orchestrate.defaults import LONG_CLEANING
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)


def add_cleaning(nights: XComArg) -> XComArg:
    """`plan_cleaning → clean_part × N → mark_crops → build_snapshot → check_snapshot → announce`.

    Returns the snapshots' results once they are checked.
    """

    @task
    def plan_cleaning(nights: list[str]) -> list[dict[str, Any]]:
        """Which parts there are to clean, and with which detector."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        parts = []
        for night in nights:
            plan = curate.plan_cleaning(store, settings, parse_night(night))
            log.info("cleaning of %s: %d parts with detector %s", night, len(plan.parts), plan.detector)
            parts += [{"night": night, "part": part, "detector": plan.detector} for part in plan.parts]
        return parts

    @task(execution_timeout=LONG_CLEANING)
    def clean_part(job: dict[str, Any]) -> Any:
        """Find the bag in each photo of one part and cut it out."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        return context.plain(
            curate.clean_part(store, settings, parse_night(job["night"]), job["part"], job["detector"])
        )

    # a night without a photo to clean has no parts (they are skipped then), and still a snapshot
    @task(trigger_rule="none_failed_min_one_success", execution_timeout=LONG_CLEANING)
    def mark_crops(nights: list[str], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same photo framed otherwise: crops are compared with one another and with those of every night."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        for night in nights:
            log.info("crops %s", curate.mark_crops(store, settings, parse_night(night), _numbers(parts, night)))
        return parts

    parts = plan_cleaning(nights)
    cleaned = clean_part.expand(job=parts)
    compared = mark_crops(nights, parts)
    cleaned >> compared
    return _add_snapshot(nights, compared)


def add_recleaning(plan: XComArg) -> None:
    """`reclean_part × N → compare_again → build_snapshot → check_snapshot → announce, report_nights`.

    `plan` is a list of jobs (`lvbag.curate.RecleaningJob`), of which every night's are complete.
    """

    @task(execution_timeout=LONG_CLEANING)
    def reclean_part(job: dict[str, Any]) -> Any:
        """Judge again what was decided narrowly in one part, and cut it anew."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        wanted = curate.RecleaningJob(**{**job, "night": parse_night(job["night"])})
        return context.plain(curate.reclean_part(store, settings, wanted))

    @task(execution_timeout=LONG_CLEANING)
    def compare_again(jobs: list[dict[str, Any]]) -> list[str]:
        """Crops are compared again, night by night; returns the newest night, whose snapshot is built."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        nights = list(dict.fromkeys(job["night"] for job in jobs))
        for night in nights:
            log.info("crops %s", curate.compare_again(store, settings, parse_night(night), _numbers(jobs, night)))
        return nights[-1:]

    @task
    def report_nights(jobs: list[dict[str, Any]]) -> None:
        """The pages of the nights whose crops were compared again; after that nothing is owed."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        for night in dict.fromkeys(job["night"] for job in jobs):
            log.info("report %s", curate.report_night(store, settings, parse_night(night)).uri)
        curate.end_recleaning(store)

    newest = compare_again(plan)
    reclean_part.expand(job=plan) >> newest
    _add_snapshot(newest, plan) >> report_nights(plan)


def _add_snapshot(nights: XComArg, compared: XComArg) -> XComArg:
    """`build_snapshot → check_snapshot → announce`, after the crops of all parts (`compared`) were compared."""

    @task
    def build_snapshot(nights: list[str], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Split products into train, val and test without near-duplicates across, and write the snapshot."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        results = []
        for night in nights:
            result = curate.write_snapshot(store, settings, parse_night(night), _numbers(parts, night))
            log.info(
                "snapshot %s after %s: %d products, %d images (%d train, %d val, %d test)%s",
                result.snapshot,
                night,
                result.products,
                result.images,
                result.train,
                result.val,
                result.test,
                "" if result.changed else f"; nothing changed. {result.note}",
            )
            results.append(context.plain(result))
        return results

    @task
    def check_snapshot(snapshots: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Read each new snapshot back and look for pictures that straddle splits; one that leaks is never seen."""
        from lvbag import curate

        store, settings = context.open_store(StoreRole.CURATOR)
        for found in snapshots:
            result = curate.SnapshotResult(**{**found, "night": parse_night(found["night"])})
            log.info("check %s", curate.publish_snapshot(store, settings, result))
        return snapshots

    @task(outlets=[DATASET])
    def announce(snapshots: list[dict[str, Any]], *, outlet_events: Any = None) -> None:
        """Send the event of the newest snapshot; skipped when no night changed anything."""
        made = [result for result in snapshots if result["changed"]]
        if not made:
            notes = [result["note"] for result in snapshots if result["note"]]
            raise AirflowSkipException(f"nothing to train on: {notes[-1] if notes else 'the snapshot has not changed'}")
        newest = made[-1]
        counts = {name: newest[name] for name in ("products", "images", "train", "val", "test")}
        outlet_events[DATASET].extra = {"snapshot": newest["snapshot"], "night": newest["night"], "counts": counts}

    snapshots = check_snapshot(build_snapshot(nights, compared))
    announce(snapshots)
    return snapshots


def _numbers(parts: list[dict[str, Any]], night: str) -> tuple[int, ...]:
    """The parts of one night."""
    return tuple(int(job["part"]) for job in parts if job["night"] == night)


def as_text(nights: list[dt.date]) -> list[str]:
    """Nights as they travel between tasks."""
    return [night.isoformat() for night in nights]
