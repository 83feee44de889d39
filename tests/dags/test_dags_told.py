"""Messages that other processes send than a task's own: the DAG processor, the executor, the triggerer."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from dag_processes import queued_run

from notify_receivers import Webhook

DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.mark.parametrize(("failed", "told_of"), [("mark_near", ["task mark_near failed"]), ("raise_alarm", [])])
def test_the_dag_processor_tells_of_a_failed_run_unless_its_task_does_so_itself(
    dagbag: Any, told: Webhook, failed: str, told_of: list[str]
) -> None:
    from airflow.utils.session import create_session

    with create_session() as session:
        run = queued_run(dagbag, "lvbag_curate", session)
        for ti in run.get_task_instances(session=session):
            ti.state = "failed" if ti.task_id == failed else "success"
        (last,) = (ti for ti in run.get_task_instances(session=session) if ti.task_id == failed)
        session.commit()
        request = run.produce_dag_callback(dag=None, success=False, relevant_ti=last, reason="task_failure")

    carry_out(request)

    assert [(item["event"], item["run"]) for item in told.got] == [("failed", run.run_id) for _ in told_of]
    assert [line for item in told.got for line in item["what"]] == told_of


def carry_out(request: Any) -> None:
    """In a process of its own, as the DAG processor does it."""
    import structlog
    from airflow.dag_processing.processor import DagFileProcessorProcess
    from airflow.sdk.api.client import Client

    process = DagFileProcessorProcess.start(
        id=uuid.uuid4(),
        path=DAGS / request.filepath,
        bundle_path=DAGS,
        bundle_name=request.bundle_name,
        dag_file_rel_path=request.filepath,
        callbacks=[request],
        logger=structlog.get_logger(),
        logger_filehandle=io.BytesIO(),
        subprocess_logs_to_stdout=False,
        client=Client(base_url=None, token="", dry_run=True),  # it would answer nothing: nothing is asked
    )
    while not process.is_ready:
        process._service_subprocess(0.1)


@pytest.mark.parametrize("executor", ["LocalExecutor", "KubernetesExecutor"])
def test_a_late_night_is_told_of_by_the_executor_and_where_that_runs_no_callbacks_by_the_triggerer(
    dagbag: Any, told: Webhook, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    from airflow.models.deadline import Deadline
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from lvbag.orchestrate.notifying import late_alert

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")
    monkeypatch.setattr(dagbag.dags["lvbag_crawl"], "deadline", [late_alert()])
    with create_session() as session:
        run = queued_run(dagbag, "lvbag_crawl", session)
        session.flush()
        deadline = session.scalars(select(Deadline).where(Deadline.dagrun_id == run.id)).one()
        assert deadline.deadline_time == run.queued_at + dt.timedelta(hours=12)
        deadline.handle_miss(session)  # what the scheduler does when it has passed
        callback = json.loads(json.dumps(deadline.callback.data, default=str))
        by_triggerer = deadline.callback.trigger is not None

    if executor == "LocalExecutor":
        in_the_executor(callback)
    else:
        asyncio.run(in_the_triggerer(callback))

    assert by_triggerer == (executor == "KubernetesExecutor")
    (message,) = told.got
    assert (message["event"], message["title"], message["run"]) == ("late", "lvbag_crawl is late", run.run_id)
    assert message["what"] == [f"the run has not ended by {deadline.deadline_time:%Y-%m-%d %H:%M} UTC"]
    assert message["links"]["run"].startswith("http://127.0.0.1:8080/dags/lvbag_crawl/runs/told-")


def in_the_executor(callback: dict[str, Any]) -> None:
    import structlog
    from airflow.sdk.execution_time.callback_supervisor import execute_callback

    done = execute_callback(callback["path"], callback["kwargs"], "lvbag_crawl.py", None, structlog.get_logger())
    assert done == (True, None)


async def in_the_triggerer(callback: dict[str, Any]) -> None:
    from airflow.triggers.callback import CallbackTrigger

    states = [event.payload["state"] async for event in CallbackTrigger(callback["path"], callback["kwargs"]).run()]
    assert states == ["running", "success"]
