"""Secrets are stars in what tasks write, also where an error quotes them, and stand in nothing else."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import polars as pl
import pytest
import zstandard
from dag_processes import in_process_client, queued_run

import lvbag.care
from leaks import leaks
from lvbag.settings import Settings
from lvbag.store import Store
from notify_receivers import TOKEN, Webhook
from store_env import name_store

API_KEY = "k3y-of-a-source"
ROLE_KEY = "s3cret-of-the-operator"


def test_a_secret_that_an_error_quotes_is_stars_in_the_log(
    dagbag: Any, airflow_home: Path, settings: Settings, store: Store, told: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_store(monkeypatch, settings.store)
    keys = {"access_key": "known-to-all", "secret_key": settings.store.secret_key.get_secret_value()}
    roles = {"reader": keys, "operator": {**keys, "secret_key": ROLE_KEY}}
    monkeypatch.setenv("LVBAG_STORE__ROLES", json.dumps(roles))
    source = {"kind": "google_images", "enabled": False, "api_key": API_KEY}
    monkeypatch.setenv("LVBAG_CRAWL__SOURCES", json.dumps({"closed": source}))
    text = f"GET {told.url} with {API_KEY} and {ROLE_KEY} was refused by /hooks/{TOKEN}"
    monkeypatch.setattr(
        lvbag.care, "verify_store", create_autospec(lvbag.care.verify_store, side_effect=RuntimeError(text))
    )

    log = supervised(dagbag, "lvbag_operate", "verify", airflow_home)

    assert "GET *** with *** and *** was refused by ***" in log.read_text()
    planted = {"webhook": TOKEN, "source": API_KEY, "role": ROLE_KEY}
    assert leaks(planted, airflow_home) == [], "logs, rendered fields, results and all else in the database"


def supervised(dagbag: Any, dag_id: str, task_id: str, home: Path) -> Path:
    """Run one task as a worker does, in a process of its own with a supervisor; returns its log."""
    from airflow.executors.workloads import ExecuteTask
    from airflow.sdk.execution_time import supervisor
    from airflow.utils.session import create_session

    with create_session() as session:
        run = queued_run(dagbag, dag_id, session)
        run.conf, run.state = {"action": task_id}, "running"
        (ti,) = (ti for ti in run.get_task_instances(session=session) if ti.task_id == task_id)
        ti.state = "queued"
        session.flush()
        work = ExecuteTask.make(ti)
    supervisor.supervise_task(
        ti=work.ti,
        bundle_info=work.bundle_info,
        dag_rel_path=work.dag_rel_path,
        token=work.token,
        log_path=work.log_path,
        client=in_process_client(),
    )
    return home / "logs" / str(work.log_path)


def test_what_looks_for_leaks_finds_them_wherever_they_stand(tmp_path: Path) -> None:
    secret = "s3cret/with+signs"
    (tmp_path / "task.log").write_text(f"sent {secret}")
    (tmp_path / "url.html").write_text("?key=s3cret%2Fwith%2Bsigns")
    (tmp_path / "page.zst").write_bytes(zstandard.compress(secret.encode()))
    pl.DataFrame({"reason": [secret]}).write_parquet(tmp_path / "rows.parquet")
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        database.execute("CREATE TABLE xcom (value TEXT)")
        database.execute("INSERT INTO xcom VALUES (?)", [f"{'x' * 4090}{secret}{'x' * 9000}"])
    (tmp_path / "secrets.json").write_text(secret)

    found = leaks({"key": secret}, tmp_path, ["secrets.json"])

    assert found == [
        *("key in airflow.db (xcom)", "key in page.zst", "key in rows.parquet", "key in task.log", "key in url.html")
    ]
