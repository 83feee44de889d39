"""### Train challengers, promote only what is better

Starts when there is a new snapshot. When it holds enough new training images (`train.min_new_images`), one challenger
is trained for each recipe; champion and challengers are measured on the same leak-free test set; the gate decides.
Promotions *and* refusals are recorded with all figures in `classifier/history/` of the models bucket.

**With too little new data** `enough_new` says why in its log and the rest is skipped. **With `train.approval`** a
person approves each promotion: the run waits at `approve` (menu *Required Actions*), at most a week.

**By hand:** *force* trains although there is little new; *recipes* names files in `config/recipes/`; a snapshot that
was trained with the same recipe and seed is reused, not trained again.

**When a recipe fails** after its retries, the other challengers are still measured. The champion stays until a better
one passes the gate, so a failing run changes nothing.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Param, dag, task

from lvbag.orchestrate import context
from lvbag.orchestrate.assets import DATASET, MODEL
from lvbag.orchestrate.defaults import DEFAULT_ARGS, LONG_TRAINING, TAG
from lvbag.orchestrate.notifying import TellFailed, late_alert
from lvbag.orchestrate.promotion import add_promotion
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)


@dag(
    dag_id="lvbag_train",
    description="Trains classifiers on the newest snapshot and promotes the one that beats the champion.",
    doc_md=__doc__,
    schedule=[DATASET],
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellFailed(),
    deadline=late_alert(),
    tags=[TAG, "nightly", "training"],
    params={
        "snapshot": Param(None, type=["null", "string"], description="Snapshot to train on; empty: the newest one."),
        "recipes": Param(
            [], type="array", items={"type": "string"}, description="One challenger each; empty: train.recipes."
        ),
        "seed": Param(
            0, type="integer", minimum=0, description="The same seed, recipe and data are not trained twice."
        ),
        "force": Param(False, type="boolean", description="Train even if there is little new."),
    },
)
def lvbag_train() -> None:
    """Is there enough new? Train, evaluate, judge, promote."""

    snapshot = which_snapshot()
    recipes = which_recipes()
    enough_new(snapshot) >> recipes
    trained = train_classifier.partial(snapshot=snapshot).expand(recipe=recipes)
    add_promotion("classifier", evaluate(snapshot, trained), MODEL)


@task
def which_snapshot() -> str:
    """The snapshot to train on."""
    from lvbag import curate

    store, _ = context.open_store(StoreRole.TRAINER)
    newest = curate.newest_snapshot(store)
    return context.name_of(context.current(), "snapshot", DATASET.name, newest, "run lvbag_curate first")


@task.short_circuit
def enough_new(snapshot: str) -> bool:
    """Compare with the champion's snapshot; everything after is skipped when too little is new."""
    from lvbag import learn

    store, settings = context.open_store(StoreRole.TRAINER)
    readiness = learn.enough_new(store, settings, snapshot, bool(context.current().params["force"]))
    log.info("%s: %s", "training" if readiness.ready else "no training", readiness.why)
    return readiness.ready


@task
def which_recipes() -> list[str]:
    """The recipes: of the parameter, else of the settings."""
    _, settings = context.open_store(StoreRole.TRAINER)
    return list(context.current().params["recipes"] or settings.train.recipes)


@task(pool="gpu", queue="gpu", execution_timeout=LONG_TRAINING)
def train_classifier(recipe: str, snapshot: str) -> dict[str, Any]:
    """One challenger, in a process of its own; its progress is in this log."""
    from lvbag import learn

    store, settings = context.open_store(StoreRole.TRAINER)
    seed = int(context.current().params["seed"])
    return context.plain(learn.train_classifier(store, settings, snapshot, recipe, seed))


@task(
    trigger_rule="all_done_min_one_success",  # one failed recipe must not keep the others from being measured
    pool="gpu",
    queue="gpu",
    execution_timeout=LONG_TRAINING,
)
def evaluate(snapshot: str, trained: Any) -> str:
    """Champion and challengers on one test set, in one process; returns the evaluation's key."""
    from lvbag import learn

    store, settings = context.open_store(StoreRole.TRAINER)
    versions = sorted({int(result["version"]) for result in trained})
    return learn.evaluate_classifiers(store, settings, snapshot, versions).key


lvbag_train()
