"""### What an operator does by hand

*Trigger* and choose an action; *dry_run* says what would be done and changes nothing.

| action | does |
|---|---|
| `verify` | reads every file of both champions back and compares its digest; fails when one differs |
| `rollback` | makes an old version the champion again, and records who, when and why |
| `re_clean` | cleans a night again with today's detector champion and builds its snapshot; a new one starts training |

Nothing runs here by itself.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from lvbag.orchestrate import context
from lvbag.orchestrate.assets import DETECTOR, LISTINGS, MODEL
from lvbag.orchestrate.cleaning import add_cleaning, as_text
from lvbag.orchestrate.defaults import DEFAULT_ARGS, TAG

log = logging.getLogger(__name__)


@dag(
    dag_id="lvbag_operate",
    description="Verify the champions, roll one back, clean a night again.",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[TAG, "by hand"],
    params={
        "dry_run": Param(True, type="boolean", description="Only say what would be done."),
        "action": Param("verify", enum=["verify", "rollback", "re_clean"], description="What to do."),
        "kind": Param("classifier", enum=["classifier", "detector"], description="rollback: which model."),
        "version": Param(None, type=["null", "integer"], minimum=1, description="rollback: the version to bring back."),
        "why": Param("", type="string", maxLength=500, description="rollback: the reason, kept in the history."),
        "night": Param(
            None, type=["null", "string"], format="date", description="re_clean: YYYY-MM-DD; empty: the newest night."
        ),
    },
)
def lvbag_operate() -> None:
    """One branch an action."""

    chosen = choose()
    back = rollback()
    again = re_clean()
    chosen >> [verify(), back, again]
    announce_model(back)
    announce_detector(back)
    add_cleaning(again)


@task.branch
def choose() -> str:
    """Only the chosen action runs."""
    return str(context.current().params["action"])


@task
def verify() -> list[dict[str, Any]]:
    """Read every file of both champions and compare digests."""
    from lvbag.orchestrate.verify import verify_champions

    store, _ = context.open_store()
    findings = verify_champions(store)
    for finding in findings:
        log.info("%s %04d: %d files, %d problems", finding.kind, finding.version, finding.files, len(finding.problems))
    problems = [problem for finding in findings for problem in finding.problems]
    if problems:
        raise AirflowFailException("\n".join(problems))
    return context.plain(findings)


@task(retries=0)  # what a person asked for and the registry refuses is refused the second time, too
def rollback() -> str:
    """Make an old version the champion; returns the kind of model that changed."""
    from lvbag import registry
    from lvbag.store import ModelKind

    run = context.current()
    store, _ = context.open_store()
    kind, version, why = ModelKind(run.params["kind"]), run.params["version"], str(run.params["why"])
    if version is None:
        raise AirflowFailException("name the version to bring back in the parameter `version`")
    record = registry.load_version(store, kind, version)
    log.info("%s %04d of %s, recipe %s: %s", kind, version, record.created_at, record.recipe, record.metrics)
    if run.params["dry_run"]:
        raise AirflowSkipException(f"dry run: {kind} {version:04d} would become the champion")
    registry.rollback(store, kind, version, run.at, run.by, why)
    return kind.value


@task(outlets=[MODEL])
def announce_model(kind: str, *, outlet_events: Any = None) -> None:
    """Another classifier is champion."""
    if kind != "classifier":
        raise AirflowSkipException("the classifier's champion stays")
    outlet_events[MODEL].extra = {"kind": kind, "version": context.current().params["version"]}


@task(outlets=[DETECTOR])
def announce_detector(kind: str, *, outlet_events: Any = None) -> None:
    """Another detector is champion."""
    if kind != "detector":
        raise AirflowSkipException("the detector's champion stays")
    outlet_events[DETECTOR].extra = {"kind": kind, "version": context.current().params["version"]}


@task
def re_clean() -> list[str]:
    """Which night to clean again."""
    from lvbag import curate

    run = context.current()
    store, settings = context.open_store()
    nights = context.nights_of(run, LISTINGS.name, context.newest_crawled(store))
    if run.params["dry_run"]:
        plans = [curate.plan_cleaning(store, settings, night) for night in nights]
        raise AirflowSkipException(f"dry run: these would be cleaned: {plans}")
    return as_text(nights)


lvbag_operate()
