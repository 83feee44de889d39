"""Follow Airflow's runs in the terminal: a line when a task starts or ends, and the end of a failed task's log."""

from __future__ import annotations

import time
from collections.abc import Callable

from lvbag.errors import LvbagError
from lvbag.services.airflow_client import AirflowClient, Run

POLL_S = 1.0
APPEAR_S = 120.0
"""An asset's event becomes a run within a few seconds; on a busy machine later."""

_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class DemoError(LvbagError):
    """A run of the demo failed or did not start."""


def follow(client: AirflowClient, dag_id: str, run_id: str, say: Callable[[str], None]) -> None:
    """Print what a run does until it ends; raises `DemoError` with the log of the task that failed."""
    seen: dict[tuple[str, int], str] = {}
    started = time.monotonic()
    while True:
        state = client.run_state(dag_id, run_id)
        for task in client.tasks(dag_id, run_id):
            key = (task.task_id, task.map_index)
            if task.state in (seen.get(key), None) or task.state not in (*_ENDED, "running", "up_for_retry"):
                continue
            seen[key] = task.state
            name = task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
            say(f"  {time.monotonic() - started:6.0f} s  {dag_id:<22} {name:<28} {task.state}")
        if state in ("success", "failed"):
            break
        time.sleep(POLL_S)
    if state == "failed":
        raise DemoError(_why(client, dag_id, run_id))


def next_run(client: AirflowClient, dag_id: str, known: set[str]) -> Run:
    """The run that an asset's event starts: one that is not known yet; waits for it."""
    run = client.wait_for_new_run(dag_id, known, APPEAR_S)
    if run is None:
        raise DemoError(f"no run of {dag_id} started within {APPEAR_S:.0f} s of the event that should start it")
    return run


def _why(client: AirflowClient, dag_id: str, run_id: str) -> str:
    failed = [task for task in client.tasks(dag_id, run_id) if task.state == "failed"]
    if not failed:
        return f"{dag_id} {run_id} failed without a failed task; see its page in Airflow"
    task = failed[0]
    return (
        f"{dag_id}: task {task.task_id} failed; the end of its log:\n{client.log_tail(dag_id, run_id, task, lines=25)}"
    )
