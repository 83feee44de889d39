"""What lvbag_operate does to look after the store: verify, plan re-cleaning, take down, collect garbage. The form's
values come in plain.

A dry run logs what would be done, and the task is skipped then, so that nobody takes it for done.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from lvbag.nights import parse_night
from lvbag.orchestrate import context

if TYPE_CHECKING:
    from lvbag.orchestrate.context import TaskRun
    from lvbag.settings import Settings
    from lvbag.store import Store

log = logging.getLogger(__name__)

_NAMED = 20
"""Findings in the error itself; the log has all."""


def verify(store: Store, params: Mapping[str, Any]) -> dict[str, int]:
    """Read back what the form names; returns how much was checked, and fails with what was found."""
    from lvbag import care

    said: dict[str, int] = {}

    def tell(area: str, done: int, total: int) -> None:
        percent = 100 * done // max(1, total)
        if percent // 10 > said.get(area, -1):
            said[area] = percent // 10
            log.info("verify %s: %d of %d checks, %d %%", area, done, total, percent)

    result = care.verify_store(store, tuple(params["what"]), sample=params["sample"], on_progress=tell)
    if result.findings:
        lines = [f"{found.kind} {found.uri}: {found.problem}. {found.remedy}" for found in result.findings]
        more = [f"… and {len(lines) - _NAMED} more, in the log"] if len(lines) > _NAMED else []
        raise AirflowFailException("\n".join([*lines[:_NAMED], *more]))
    return result.checked


def plan_recleaning(store: Store, settings: Settings, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The jobs of a re-cleaning, and a note that they are under way; skipped where there is none."""
    from lvbag import curate

    nights = [parse_night(params["night"])] if params["night"] else []
    plan = curate.plan_recleaning(store, settings, nights, bool(params["all"]))
    for job in plan.jobs:
        log.info("night %s part %d: %d pictures to judge again", job.night, job.part, job.pictures)
    if not plan.jobs:
        raise AirflowSkipException(f"nothing to judge again: detector {plan.detector} has decided all of it")
    said = f"{plan.pictures} pictures of {len(plan.nights)} nights with detector {plan.detector}"
    if params["dry_run"]:
        raise AirflowSkipException(f"dry run: these would be judged again: {said}")
    curate.begin_recleaning(store, plan)
    jobs: list[dict[str, Any]] = context.plain(plan.jobs)
    return jobs


def take_down(store: Store, settings: Settings, run: TaskRun) -> dict[str, Any]:
    """Take down what the form names; returns what went, in numbers."""
    from lvbag import care

    params = run.params
    make = {
        "listing": care.listing_target,
        "seller": care.seller_target,
        "url": care.url_target,
        "image": care.image_target,
    }[params["target_kind"]]
    if not str(params["target"]).strip():
        raise AirflowFailException("name what to take down in the parameter `target`")
    try:
        plan = care.plan_takedown(store, make(params["target"]), not params["only_this"], params["even_if_unknown"])
    except care.CareError as error:
        raise AirflowFailException(str(error)) from None
    log.info("%s: %s", plan.target.name, plan.removed.as_json())
    for piece in plan.pieces:
        log.info("%s %s, %d bytes", piece.kind, store.uri(piece.ref), piece.bytes)
    for sha256, place in plan.found.spared.items():
        log.info("%s stays, for %s shows it as well", sha256, place)
    if params["dry_run"]:
        raise AirflowSkipException(f"dry run: {plan.target.name} would be taken down: {plan.removed.as_json()}")
    return care.take_down(store, settings, plan, care.Reason(str(params["why"]), run.by, run.at)).as_json()


def collect_garbage(store: Store, settings: Settings, params: Mapping[str, Any], now: dt.datetime) -> dict[str, int]:
    """Collect what the form's limits leave; returns how many objects of each kind went."""
    from lvbag import care

    limits = care.Limits(params["older_than_days"], params["keep_snapshots"])
    plan = care.plan_collection(store, settings, limits, now)
    for kind in plan.kinds:
        log.info(
            "%s: %d objects, %d bytes; %s; stays: %s", kind.kind, len(kind.objects), kind.bytes, kind.why, kind.protects
        )
    for name, why in plan.kept_snapshots.items():
        log.info("snapshot %s stays: %s", name, why)
    if params["dry_run"]:
        raise AirflowSkipException(f"dry run: {plan.objects} objects, {plan.bytes} bytes would be removed")
    return care.collect(store, settings, plan)
