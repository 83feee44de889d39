"""### Train the detector that finds the bag

Starts when labels are imported (`lvbag labels import`), or by hand. Trains YOLO on a label set, measures champion and
challenger on the same held-out labels, and promotes the challenger only if it passes the gate.

**Labels** come from CVAT as a *YOLO 1.1* export. Either import them first and name the label set, or give the
path of an export that the worker can read: it is imported, checked and kept as it came.

**Afterwards** new nights are cleaned with the new champion. Of the nights before, *re_clean* (a run of `lvbag_operate`,
started here) judges again what the older detector decided narrowly, or what passed uncropped. Start it by hand with
*all* to judge everything again.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, task

from lvbag.orchestrate import context
from lvbag.orchestrate.assets import DETECTOR, LABELS
from lvbag.orchestrate.defaults import DEFAULT_ARGS, LONG_TRAINING, TAG
from lvbag.orchestrate.notifying import TellFailed
from lvbag.orchestrate.promotion import add_promotion
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)


@dag(
    dag_id="lvbag_train_detector",
    description="Trains the bag detector on a label set and promotes it if it beats the champion.",
    doc_md=__doc__,
    schedule=[LABELS],
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellFailed(),
    tags=[TAG, "training"],
    params={
        "labels": Param(None, type=["null", "string"], description="Label set; empty: the one imported last."),
        "export": Param(
            None, type=["null", "string"], description="Path of a YOLO 1.1 export (zip or folder) to import first."
        ),
        "recipe": Param(None, type=["null", "string"], description="Recipe; empty: detector.recipe of the settings."),
        "seed": Param(
            0, type="integer", minimum=0, description="The same seed, recipe and data are not trained twice."
        ),
    },
)
def lvbag_train_detector() -> None:
    """Import labels, train, evaluate, judge, promote."""

    label_set = which_labels()
    promoted = add_promotion("detector", evaluate(label_set, train_detector(label_set)), DETECTOR)
    promoted >> TriggerDagRunOperator(
        task_id="re_clean",
        trigger_dag_id="lvbag_operate",
        trigger_run_id="re_clean__{{ run_id }}",  # a task that is tried again finds the run that it has started
        skip_when_already_exists=True,
        conf={"action": "re_clean", "dry_run": False},
    )


@task
def which_labels() -> str:
    """The label set to train on; an export that was named is imported first."""
    from lvbag import labels

    run = context.current()
    store, settings = context.open_store(StoreRole.CURATOR)
    if export := run.params["export"]:
        imported = labels.import_labels(store, settings, Path(export))
        log.info("imported %s: %d pictures, %d boxes", imported.name, imported.images, imported.boxes)
        return imported.name
    newest = labels.newest_labels(store)
    return context.name_of(run, "labels", LABELS.name, newest, "import some with `lvbag labels import EXPORT`")


@task(pool="gpu", queue="gpu", execution_timeout=LONG_TRAINING)
def train_detector(label_set: str) -> dict[str, Any]:
    """One challenger, in a process of its own; its progress is in this log."""
    from lvbag import learn

    run = context.current()
    store, settings = context.open_store(StoreRole.TRAINER)
    recipe = run.params["recipe"] or settings.detector.recipe
    return context.plain(learn.train_detector(store, settings, label_set, recipe, int(run.params["seed"])))


@task(pool="gpu", queue="gpu", execution_timeout=LONG_TRAINING)
def evaluate(label_set: str, trained: dict[str, Any]) -> str:
    """Champion and challenger on the same held-out labels; returns the evaluation's key."""
    from lvbag import learn

    store, settings = context.open_store(StoreRole.TRAINER)
    return learn.evaluate_detectors(store, settings, label_set, [int(trained["version"])]).key


lvbag_train_detector()
