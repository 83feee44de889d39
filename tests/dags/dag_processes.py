"""Runs as the scheduler makes them, and the way on which Airflow's processes ask for them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any


def queued_run(dagbag: Any, dag_id: str, session: Any) -> Any:
    """A run as the scheduler makes it, with its task instances and its deadline."""
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    sync_bag_to_db(dagbag, "dags-folder", None, session=session)
    return (
        DBDagBag()
        .get_latest_version_of_dag(dag_id, session=session)
        .create_dagrun(
            run_id=f"told-{uuid.uuid4()}",
            run_after=dt.datetime.now(dt.UTC),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.QUEUED,
            session=session,
        )
    )


def in_process_client() -> Any:
    """A client of the API that tasks and the DAG processor talk to, which runs in this process."""
    from airflow.api_fastapi.execution_api.app import InProcessExecutionAPI
    from airflow.sdk.api.client import Client

    client = Client(base_url=None, token="", dry_run=True, transport=InProcessExecutionAPI().transport)
    client.base_url = "http://in-process.invalid./"
    return client
