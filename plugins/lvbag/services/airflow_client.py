"""A small client of Airflow's REST API: start runs, wait for them, read what their tasks did.

Only what lvbag itself and its tests need; it signs in with a name and a password (`POST /auth/token`) and signs in
again when the token has run out.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from lvbag.services.errors import AirflowError

FINISHED = frozenset({"success", "failed"})
_PATIENCE = Retry(total=3, connect=0, status=0, redirect=0, other=0, read=3, allowed_methods={"GET"})
"""On a busy machine Airflow may take longer for an answer than one waits: what only reads is asked again."""
POLL_S = 1.0


@dataclass(frozen=True)
class Run:
    """A run of a DAG; `state` is queued, running, success or failed, times are null before they are known."""

    run_id: str
    state: str
    run_type: str
    start: dt.datetime | None
    end: dt.datetime | None


@dataclass(frozen=True)
class TaskState:
    """A task of a run; `map_index` is -1 for one that is not mapped, `state` null before it is scheduled."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int


@dataclass(frozen=True)
class BrokenDag:
    """A DAG file that Airflow could not read."""

    file: str
    error: str


class AirflowClient:
    """One signed-in user of one Airflow; raises `AirflowError` whenever the answer is not what was asked for."""

    def __init__(self, base_url: str, user: str, password: str, timeout_s: float = 20.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._user = user
        self._password = password
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy for the internet must not stand between us and loopback
        self._session.mount(f"{self.base_url}/", HTTPAdapter(max_retries=_PATIENCE))
        self._signed_in = False

    # -------------------------------------------------------------- runs

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run with these parameters; returns its id. Parameters that the DAG refuses raise with the reason."""
        answer = self._ask("POST", f"/dags/{_name(dag_id)}/dagRuns", {"logical_date": None, "conf": dict(conf or {})})
        return str(answer["dag_run_id"])

    def runs(self, dag_id: str, limit: int = 25) -> list[Run]:
        """The newest runs of a DAG, the newest first."""
        answer = self._ask("GET", f"/dags/{_name(dag_id)}/dagRuns?order_by=-run_after&limit={limit}")
        return [_run(item) for item in answer["dag_runs"]]

    def run(self, dag_id: str, run_id: str) -> Run:
        """One run."""
        return _run(self._ask("GET", f"/dags/{_name(dag_id)}/dagRuns/{_name(run_id)}"))

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of one run."""
        return self.run(dag_id, run_id).state

    def wait_for_run(
        self, dag_id: str, run_id: str, timeout_s: float, watch: Callable[[Run], None] | None = None
    ) -> Run:
        """Wait until a run has finished, whether it succeeded or failed; `watch` is called at every look."""
        return self.wait_for_runs([(dag_id, run_id)], timeout_s, watch)[0]

    def wait_for_runs(
        self, which: Sequence[tuple[str, str]], timeout_s: float, watch: Callable[[Run], None] | None = None
    ) -> list[Run]:
        """Wait until all these (DAG, run) have finished; raises `AirflowError` naming the first that is late."""
        deadline = time.monotonic() + timeout_s
        done = []
        for dag_id, run_id in which:
            while (run := self.run(dag_id, run_id)).state not in FINISHED:
                if watch is not None:
                    watch(run)
                if time.monotonic() > deadline:
                    raise AirflowError(
                        f"run {run_id} of {dag_id} is still {run.state} after {timeout_s:.0f} s; "
                        f"see {self.base_url}/dags/{dag_id}/runs/{run_id}"
                    )
                time.sleep(POLL_S)
            done.append(run)
        return done

    def wait_for_new_run(self, dag_id: str, known: set[str], timeout_s: float) -> Run | None:
        """Wait for a run of a DAG that is not among the known ids (an asset event starts one); None if none came."""
        deadline = time.monotonic() + timeout_s
        while True:
            for run in reversed(self.runs(dag_id)):
                if run.run_id not in known:
                    return run
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_S)

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Run every task of a finished run again."""
        path = f"/dags/{_name(dag_id)}/dagRuns/{_name(run_id)}/clear"
        self._ask("POST", path, {"dry_run": False, "only_failed": False})

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """All tasks of a run, sorted by name and map index."""
        path = f"/dags/{_name(dag_id)}/dagRuns/{_name(run_id)}/taskInstances"
        states: list[TaskState] = []
        while True:
            answer = self._ask("GET", f"{path}?limit=100&offset={len(states)}")
            page = [
                TaskState(item["task_id"], int(item["map_index"]), item["state"], int(item["try_number"]))
                for item in answer["task_instances"]
            ]
            states.extend(page)
            if not page or len(states) >= int(answer["total_entries"]):
                return sorted(states, key=lambda task: (task.task_id, task.map_index))

    def log_tail(self, dag_id: str, run_id: str, task: TaskState, lines: int = 40) -> str:
        """The last lines of a task's log, of its newest try, without times and levels."""
        path = f"/dags/{_name(dag_id)}/dagRuns/{_name(run_id)}/taskInstances/{_name(task.task_id)}"
        content = self._ask(
            "GET", f"{path}/logs/{max(1, task.try_number)}?map_index={task.map_index}&full_content=true"
        )["content"]
        texts = [str(item.get("event", "")) if isinstance(item, dict) else str(item) for item in content]
        return "\n".join(texts[-lines:])

    def announced(self, dag_id: str, run_id: str) -> bool:
        """Whether the run has sent its asset event; a run that found nothing new has not.

        Told by the task `announce`, which each of our DAGs ends with: Airflow 3.3.2 answers 500 to `/assets/events`
        while the run that an event has started is still queued (`DagRunAssetReference.start_date` must not be null).
        """
        return any(task.task_id == "announce" and task.state == "success" for task in self.tasks(dag_id, run_id))

    # -------------------------------------------------------------- set-up

    def dag_ids(self) -> dict[str, bool]:
        """All DAGs that Airflow knows, each with whether it is paused."""
        answer = self._ask("GET", "/dags?limit=100")
        return {str(item["dag_id"]): bool(item["is_paused"]) for item in answer["dags"]}

    def pause(self, dag_id: str, paused: bool = True) -> None:
        """Pause a DAG, or let it run."""
        self._ask("PATCH", f"/dags/{_name(dag_id)}", {"is_paused": paused})

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run by its schedule and by hand."""
        self.pause(dag_id, paused=False)

    def import_errors(self) -> list[BrokenDag]:
        """DAG files that could not be read."""
        answer = self._ask("GET", "/importErrors?limit=100")
        return [BrokenDag(str(item["filename"]), str(item["stack_trace"])) for item in answer["import_errors"]]

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool unless there is one; a pool that a person resized is left as it is."""
        known = self._ask("GET", "/pools?limit=100")
        if any(item["name"] == name for item in known["pools"]):
            return
        self._ask(
            "POST",
            "/pools",
            {"name": name, "slots": slots, "description": description, "include_deferred": False},
        )

    def emit_asset_event(self, name: str, extra: Mapping[str, Any]) -> None:
        """Tell Airflow that an asset has changed, as if a task had; the DAGs scheduled on it start."""
        found = self._ask("GET", f"/assets?name_pattern={quote(name, safe='')}&limit=100")
        ids = [item["id"] for item in found["assets"] if item["name"] == name]
        if not ids:
            raise AirflowError(f"Airflow at {self.base_url} knows no asset {name!r}; are the DAGs read without errors?")
        self._ask("POST", "/assets/events", {"asset_id": ids[0], "extra": dict(extra)})

    def health(self) -> dict[str, Any]:
        """What `/api/v2/monitor/health` says; needs no sign-in."""
        return read_health(self.base_url, self._timeout_s)

    # -------------------------------------------------------------- wire

    def sign_in(self) -> None:
        """Get a token; raises `AirflowError` when name or password are wrong."""
        try:
            response = self._session.post(
                f"{self.base_url}/auth/token",
                json={"username": self._user, "password": self._password},
                timeout=self._timeout_s,
            )
        except requests.RequestException as error:
            raise self._unreachable(error) from error
        if response.status_code not in (200, 201):
            raise AirflowError(
                f"Airflow at {self.base_url} refuses user {self._user!r} ({response.status_code}); the password stands "
                "in secrets.json in the home folder (`lvbag status` names it)"
            )
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        self._signed_in = True

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        if not self._signed_in:
            self.sign_in()
        response = self._send(method, path, body)
        if response.status_code == 401:
            self.sign_in()
            response = self._send(method, path, body)
        if response.status_code >= 400:
            raise AirflowError(f"Airflow answered {response.status_code} to {method} {path}: {_detail(response)}")
        return response.json() if response.content else {}

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            return self._session.request(
                method,
                f"{self.base_url}/api/v2{path}",
                json=body,
                timeout=self._timeout_s,
                headers={"Accept": "application/json"},
            )
        except requests.RequestException as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: requests.RequestException) -> AirflowError:
        return AirflowError(
            f"Airflow at {self.base_url} does not answer ({type(error).__name__}); `lvbag status` says what runs, "
            "`lvbag up` starts it"
        )


def read_health(base_url: str, timeout_s: float = 2.0) -> dict[str, Any]:
    """The health of Airflow's components; an empty answer while it does not answer."""
    session = requests.Session()
    session.trust_env = False
    try:
        response = session.get(f"{base_url.rstrip('/')}/api/v2/monitor/health", timeout=timeout_s)
        answer = response.json() if response.status_code == 200 else {}
    except (requests.RequestException, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _run(item: Mapping[str, Any]) -> Run:
    return Run(
        run_id=str(item["dag_run_id"]),
        state=str(item["state"]),
        run_type=str(item["run_type"]),
        start=_time(item["start_date"]),
        end=_time(item["end_date"]),
    )


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _detail(response: requests.Response) -> str:
    try:
        return str(response.json().get("detail", response.text))[:500]
    except (ValueError, AttributeError):
        return response.text[:500]


def _name(text: str) -> str:
    return quote(text, safe="")
