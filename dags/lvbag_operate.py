"""### What an operator does by hand

*Trigger* and choose an action; *dry_run* says what would be done and changes nothing.

| action | does |
|---|---|
| `verify` | reads a sample of what is stored, or everything, and compares digests; fails with what is wrong |
| `rollback` | tries an old version, makes it the champion again, and records who, when and why |
| `show` | the record of a version, or of all versions of a *kind*, in the log and as the task's result |
| `compare` | sets *version* and *other* side by side: what they were made of, figures, products that changed |
| `export` | puts a version into the reports bucket, `exports/<kind>-<version>/`, for use without lvbag |
| `re_clean` | judges again what an earlier detector decided narrowly (or *all*); a new snapshot starts training |
| `take_down` | removes a listing, a seller, an address or an image wherever its pictures stand, and keeps a tombstone |
| `collect_garbage` | removes what no night, snapshot or model refers to any more |

Nothing runs here by itself but `re_clean`, which `lvbag_train_detector` starts when it has promoted a detector.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from lvbag.orchestrate import caring, consulting, context
from lvbag.orchestrate.assets import DETECTOR, MODEL
from lvbag.orchestrate.cleaning import add_recleaning
from lvbag.orchestrate.defaults import DEFAULT_ARGS, LONG_CARE, TAG
from lvbag.orchestrate.notifying import TellFailed
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)

ACTIONS = ["verify", "rollback", "show", "compare", "export", "re_clean", "take_down", "collect_garbage"]
AREAS = ["raw", "crops", "tables", "snapshots", "models"]


@dag(
    dag_id="lvbag_operate",
    description="Verify what is stored, compare, export or roll back models, clean again, take down, collect garbage.",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellFailed(),
    tags=[TAG, "by hand"],
    params={
        "dry_run": Param(True, type="boolean", description="Only say what would be done."),
        "action": Param("verify", enum=ACTIONS, description="What to do."),
        "what": Param(
            AREAS, type="array", items={"type": "string", "enum": AREAS}, description="verify: what to read."
        ),
        "sample": Param(
            200, type=["null", "integer"], minimum=1, description="verify: objects of each kind; empty: everything."
        ),
        "kind": Param(
            "classifier", enum=["classifier", "detector"], description="rollback, show, compare, export: which model."
        ),
        "version": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="rollback: the version to bring back. compare, export: empty means the champion; show: all.",
        ),
        "other": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="compare: the other version, to which changes are counted; empty: the champion.",
        ),
        "why": Param("", type="string", maxLength=500, description="rollback, take_down: the reason, which is kept."),
        "night": Param(
            None,
            type=["null", "string"],
            format="date",
            description="re_clean: YYYY-MM-DD; empty: every curated night.",
        ),
        "all": Param(
            False, type="boolean", description="re_clean: all that another detector decided, not only what was narrow."
        ),
        "target_kind": Param(
            "listing", enum=["listing", "seller", "url", "image"], description="take_down: what `target` names."
        ),
        "target": Param(
            "",
            type="string",
            maxLength=2000,
            description="take_down: SOURCE/ID, SOURCE/NAME, an address, or a sha256. "
            "The run keeps what you write; `lvbag takedown` does not.",
        ),
        "only_this": Param(
            False, type="boolean", description="take_down: leave photos that other listings show as well."
        ),
        "even_if_unknown": Param(
            False, type="boolean", description="take_down: also what no night has met, so that none ever will."
        ),
        "older_than_days": Param(
            30, type="integer", minimum=1, description="collect_garbage: what was written since is left alone."
        ),
        "keep_snapshots": Param(
            7, type="integer", minimum=1, description="collect_garbage: the newest that stay, whoever needs them."
        ),
    },
)
def lvbag_operate() -> None:
    """One branch an action."""

    chosen = choose()
    back = rollback()
    again = re_clean()
    chosen >> [verify(), back, show(), compare(), export(), again, take_down(), collect_garbage()]
    announce_model(back)
    announce_detector(back)
    add_recleaning(again)


@task.branch
def choose() -> str:
    """Only the chosen action runs."""
    return str(context.current().params["action"])


@task(execution_timeout=LONG_CARE)
def verify() -> dict[str, int]:
    """Read back a sample of what is stored, or everything, and compare digests."""
    store, _ = context.open_store(StoreRole.READER)
    return caring.verify(store, context.current().params)


@task(retries=0)  # what a person asked for and the registry refuses is refused the second time, too
def rollback() -> str:
    """Try an old version and make it the champion; returns the kind of model that changed."""
    from lvbag import care, registry
    from lvbag.store import ModelKind

    run = context.current()
    store, settings = context.open_store(StoreRole.OPERATOR)
    kind, version, why = ModelKind(run.params["kind"]), run.params["version"], str(run.params["why"])
    if version is None:
        raise AirflowFailException("name the version to bring back in the parameter `version`")
    record = registry.load_version(store, kind, version)
    log.info("%s %04d of %s, recipe %s: %s", kind, version, record.created_at, record.recipe, record.metrics)
    if run.params["dry_run"]:
        said = care.try_version(store, settings, kind, version).said
        raise AirflowSkipException(f"dry run: {kind} {version:04d} would become the champion; {said}")
    log.info("%s", care.roll_back(store, settings, kind, version, run.at, run.by, why).said)
    return kind.value


@task
def show() -> list[dict[str, Any]]:
    """The record of a version, or of all."""
    store, _ = context.open_store(StoreRole.READER)
    return consulting.show(store, context.current().params)


@task
def compare() -> dict[str, Any]:
    """Two versions side by side; changes are counted from `version` to `other`."""
    store, _ = context.open_store(StoreRole.READER)
    return consulting.compare(store, context.current().params)


@task
def export() -> dict[str, str]:
    """Hand a version out for use without lvbag; returns where its files stand."""
    store, settings = context.open_store(StoreRole.OPERATOR)
    return consulting.export(store, settings, context.current().params)


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


@task(execution_timeout=LONG_CARE)
def re_clean() -> list[dict[str, Any]]:
    """What there is to judge again, part by part; skipped where the detector in use has decided all of it."""
    store, settings = context.open_store(StoreRole.CURATOR)
    return caring.plan_recleaning(store, settings, context.current().params)


@task(execution_timeout=LONG_CARE)
def take_down() -> dict[str, Any]:
    """Remove what was named and keep a tombstone; tried again, it goes on where it stopped."""
    store, settings = context.open_store(StoreRole.OPERATOR)
    return caring.take_down(store, settings, context.current())


@task(execution_timeout=LONG_CARE)
def collect_garbage() -> dict[str, int]:
    """Remove what nothing refers to any more."""
    store, settings = context.open_store(StoreRole.OPERATOR)
    return caring.collect_garbage(store, settings, context.current().params, dt.datetime.now(dt.UTC))


lvbag_operate()
