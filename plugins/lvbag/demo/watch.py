"""Follow Airflow's runs in the terminal: a line when a task starts or ends, and the end of a failed task's log."""

from __future__ import annotations

import time
from collections.abc import Callable

from lvbag.errors import LvbagError
from lvbag.services.airflow_client import AirflowClient, Run, TaskState

POLL_S = 1.0
APPEAR_S = 120.0
"""An asset's event becomes a run within a few seconds; on a busy machine later."""

QUIET_S = 10.0
"""A task that runs longer without a change lets its log speak."""

_TOLD = frozenset({"running", "success", "failed", "skipped", "upstream_failed", "up_for_retry"})


class DemoError(LvbagError):
    """A run of the demo failed or did not start."""


def follow(client: AirflowClient, dag_id: str, run_id: str, say: Callable[[str], None]) -> None:
    """Print what a run does until it ends; raises `DemoError` with the log of the task that failed."""
    watch = _Watch(client, dag_id, run_id, say)
    while (state := client.run_state(dag_id, run_id)) not in ("success", "failed"):
        watch.look()
        time.sleep(POLL_S)
    watch.look()
    if state == "failed":
        raise DemoError(_why(client, dag_id, run_id))


class _Watch:
    """Says each change once: states of tasks, and of a task that takes long the newest line of its log."""

    def __init__(self, client: AirflowClient, dag_id: str, run_id: str, say: Callable[[str], None]) -> None:
        self.client, self.dag_id, self.run_id, self.say = client, dag_id, run_id, say
        self.started = time.monotonic()
        self.states: dict[tuple[str, int], str] = {}
        self.spoke: dict[tuple[str, int], float] = {}

    def look(self) -> None:
        """Ask once, and say what is new."""
        for task in self.client.tasks(self.dag_id, self.run_id):
            key = (task.task_id, task.map_index)
            name = task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
            if task.state in _TOLD and task.state != self.states.get(key):
                self.states[key] = task.state
                self._line(key, f"{name:<28} {task.state}")
            elif task.state == "running" and time.monotonic() - self.spoke[key] > QUIET_S:
                self._line(key, f"{name:<28} {self._newest_line(task)}")

    def _newest_line(self, task: TaskState) -> str:
        """What the task logged last; Airflow's own marks begin with `::`."""
        lines = self.client.log_tail(self.dag_id, self.run_id, task, lines=5).splitlines()
        return next((line.strip()[:90] for line in reversed(lines) if line.strip() and line[:2] != "::"), "")

    def _line(self, key: tuple[str, int], text: str) -> None:
        self.spoke[key] = time.monotonic()
        self.say(f"  {time.monotonic() - self.started:4.0f} s  {self.dag_id:<21} {text}")


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
