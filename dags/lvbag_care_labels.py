"""### Which labels are likely wrong

Every Sunday the labels of the newest snapshot are judged by networks that have not seen them: its pictures are dealt
into folds, near-duplicates and the pictures of a listing always together, and for each fold a network is trained on the
others (`suspicions.recipe`, `suspicions.folds`). Where its answers speak against a label, the picture goes to review
(`lvbag review list --kind suspicious_label`), the most suspicious first, `suspicions.questions` at a time.

**Nothing is changed by itself.** People keep, refuse or relabel, and the next snapshot holds to that.

**What it leaves:** `suspicions/<snapshot>/` in the curated bucket. The networks are thrown away. Where the same labels
were judged already, nothing is trained; what people decided since makes room for further questions.

**By hand:** *Trigger* and name a snapshot, or leave it empty for the newest one; *again* judges anew.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from lvbag.orchestrate import context
from lvbag.orchestrate.defaults import DEFAULT_ARGS, LONG_TRAINING, TAG
from lvbag.orchestrate.notifying import TellFailed
from lvbag.store_roles import StoreRole

log = logging.getLogger(__name__)


@dag(
    dag_id="lvbag_care_labels",
    description="Finds labels that are likely wrong and asks people about them.",
    doc_md=__doc__,
    # the first run is next Sunday's, not one that was missed
    schedule=CronTriggerTimetable("0 12 * * 0", timezone="UTC", run_immediately=dt.timedelta(0)),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellFailed(),
    tags=[TAG, "weekly", "training"],
    params={
        "snapshot": Param(None, type=["null", "string"], description="Whose labels; empty: the newest snapshot's."),
        "again": Param(False, type="boolean", description="Also where the same labels were judged so already."),
    },
)
def lvbag_care_labels() -> None:
    """One task."""

    find_suspicions()


@task(pool="gpu", queue="gpu", execution_timeout=LONG_TRAINING)
def find_suspicions() -> dict[str, Any]:
    """Train a network without each fold, ask it about that fold's labels, and rank them; in a process of its own."""
    from lvbag import curate, learn

    store, settings = context.open_store(StoreRole.TRAINER)
    params = context.current().params
    snapshot = params["snapshot"] or curate.newest_snapshot(store)
    if snapshot is None:
        raise AirflowSkipException("there is no snapshot yet; a night with enough pictures makes the first")
    result = learn.find_suspicions(store, settings, str(snapshot), bool(params["again"]))
    if result.note:
        raise AirflowSkipException(result.note)
    log.info("suspicions %s", result)
    found: dict[str, Any] = context.plain(result)
    return found


lvbag_care_labels()
