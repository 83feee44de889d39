"""The whole machine: a real Airflow with its own scheduler, up and down. About a minute."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import psutil
import pytest
import requests
from services_support import marked

from lvbag.services import machine, processes
from lvbag.services.airflow_client import AirflowClient
from lvbag.services.airflow_server import is_healthy
from lvbag.services.doctor import examine
from lvbag.services.errors import AirflowError
from lvbag.services.home import Home


@pytest.mark.slow
def test_airflow_comes_up_works_and_leaves_nothing(home: Path, said: list[str]) -> None:
    running = machine.up(home, say=said.append)
    everybody = _everybody(home)
    client = AirflowClient(running.airflow_url, running.user, running.password)

    # healthy, reachable with the generated password and with no other, and on loopback only
    health = client.health()
    assert all(is_healthy(health, part) for part in ("metadatabase", "scheduler", "dag_processor"))
    with pytest.raises(AirflowError, match="refuses user 'admin' \\(401\\)"):
        AirflowClient(running.airflow_url, running.user, "wrong").sign_in()
    assert requests.get(f"{running.airflow_url}/api/v2/dags", timeout=10).status_code == 401
    assert _listening(everybody) == {"127.0.0.1"}

    # the DAGs are read; those that an event starts may run, the nightly one waits for a source
    assert client.import_errors() == []
    assert client.dag_ids() == {
        "lvbag_care_labels": True,
        "lvbag_crawl": True,
        "lvbag_curate": False,
        "lvbag_operate": False,
        "lvbag_train": False,
        "lvbag_train_detector": False,
    }
    assert any("lvbag_crawl and lvbag_care_labels stay paused" in line for line in said)

    # a run by hand, with a form that is checked
    run_id = client.trigger("lvbag_operate", {"action": "verify"})
    assert client.wait_for_run("lvbag_operate", run_id, 90).state == "success"
    states = {task.task_id: task for task in client.tasks("lvbag_operate", run_id)}
    assert (states["verify"].state, states["rollback"].state) == ("success", "skipped")
    assert "Returned value was: {'raw': 0, 'crops': 0" in client.log_tail("lvbag_operate", run_id, states["verify"])
    assert not client.announced("lvbag_operate", run_id)
    with pytest.raises(AirflowError, match="400"):
        client.trigger("lvbag_operate", {"action": "burn_everything"})

    # an event starts curation of the night that it names
    client.emit_asset_event("listings", {"night": "2026-11-21"})
    run = client.wait_for_new_run("lvbag_curate", set(), 60)
    assert run is not None
    assert "nights to curate: 2026-11-21" in _log_of(client, "lvbag_curate", run.run_id, "which_nights")

    # the page is shown to who is signed in, and to nobody else
    page = f"{running.airflow_url}/lvbag/"
    token = client._session.headers["Authorization"]
    assert requests.get(page, timeout=20).status_code == 401
    assert "No night has been reported yet" in requests.get(page, headers={"Authorization": token}, timeout=20).text

    findings = {finding.name: finding for finding in examine()}
    assert findings["airflow"].state == findings["dags"].state == findings["store"].state == "ok"

    # what a person pauses stays paused over a second, quicker start
    client.pause("lvbag_train")
    assert not machine.up(home, say=said.append).started
    everybody |= _everybody(home)
    begun = time.monotonic()
    assert machine.down(home, said.append) >= 4
    assert time.monotonic() - begun < 45
    assert [pid for pid in everybody if _alive(pid, everybody[pid])] == []
    assert marked(home) == []


def _everybody(home: Path) -> dict[int, float]:
    found = {}
    for record in processes.read_records(Home(home)):
        leader = psutil.Process(record.pid)
        for process in (leader, *leader.children(recursive=True)):
            found[process.pid] = process.create_time()
    return found


def _alive(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _listening(pids: dict[int, float]) -> set[str]:
    return {
        connection.laddr.ip
        for pid in pids
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


def _log_of(client: AirflowClient, dag_id: str, run_id: str, task_id: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        task = next((item for item in client.tasks(dag_id, run_id) if item.task_id == task_id), None)
        if task is not None and task.state == "success":
            return client.log_tail(dag_id, run_id, task)
        time.sleep(1)
    raise AssertionError(f"{task_id} did not succeed")


def test_a_heartbeat_of_the_start_before_does_not_count() -> None:
    now = dt.datetime.now(dt.UTC)
    beat = {
        "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": (now - dt.timedelta(minutes=1)).isoformat()}
    }

    assert is_healthy(beat, "scheduler")
    assert not is_healthy(beat, "scheduler", since=now)
    assert not is_healthy({}, "scheduler")


def test_a_foreign_airflow_configuration_in_the_shell_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("LVBAG_STORE__ENDPOINT", "http://elsewhere:9000")
    said: list[str] = []

    environment = machine._base_environment(said.append)

    assert not [name for name in environment if name.startswith(("AIRFLOW__", "LVBAG_STORE__"))]
    assert "127.0.0.1" in environment["NO_PROXY"]
    assert environment["PATH"] == os.environ["PATH"]
    assert "LVBAG_STORE__ENDPOINT" in said[0]
