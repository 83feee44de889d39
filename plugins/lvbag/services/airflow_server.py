"""The embedded Airflow: what `airflow standalone` starts, component by component, on 127.0.0.1 only.

`airflow standalone` itself would also start two log servers that listen on every interface and cannot be told
otherwise (`airflow/utils/serve_logs/core.py`). Scheduler, DAG processor and API server are started one by one instead;
the task logs lie on the same disk, where the API server reads them. There is no triggerer: no task of ours defers.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from lvbag import settings as lvbag_settings
from lvbag.services.airflow_client import AirflowClient, read_health
from lvbag.services.home import Home, write_private
from lvbag.services.processes import ServiceSpec
from lvbag.services.secrets import MachineSecrets

USER = "admin"
API_SERVER = "airflow-api-server"
SCHEDULER = "airflow-scheduler"
DAG_PROCESSOR = "airflow-dag-processor"
MIGRATION = "airflow-migrate"

CHAINED_DAGS = ("lvbag_curate", "lvbag_train", "lvbag_train_detector", "lvbag_operate")
"""They run when an event or a person starts them, so nothing happens by letting them run."""

NIGHTLY_DAG = "lvbag_crawl"
"""It starts by the clock, so it stays paused until there is a source to crawl."""

WEEKLY_DAG = "lvbag_care_labels"
"""It starts by the clock as well, and has nothing to look at before there is a crawl."""

GPU_POOL = "gpu"
_START_TIMEOUT_S = 240.0
_DAGS_TIMEOUT_S = 90.0


@dataclass(frozen=True)
class AirflowPlan:
    """What to start for Airflow, in order: first the migration (to its end), then the components."""

    migration: ServiceSpec | None
    components: tuple[ServiceSpec, ...]


def url(port: int) -> str:
    """Airflow's address."""
    return f"http://127.0.0.1:{port}"


def plan(home: Home, port: int, secrets: MachineSecrets) -> AirflowPlan:
    """How to start Airflow over the home's `airflow` folder; also writes the password file that it reads."""
    password_file = home.airflow / "passwords.json"
    write_private(password_file, json.dumps({USER: secrets.admin_password.get_secret_value()}))
    environment = _environment(home, port, secrets, password_file)
    migrated = _migrated_mark(home).is_file()
    migration = ServiceSpec(MIGRATION, _airflow("db", "migrate"), environment, timeout_s=_START_TIMEOUT_S)
    return AirflowPlan(
        migration=None if migrated else migration,
        components=(
            _component(API_SERVER, ("api-server",), environment, port, "metadatabase"),
            _component(SCHEDULER, ("scheduler", "--skip-serve-logs"), environment, port, "scheduler"),
            _component(DAG_PROCESSOR, ("dag-processor",), environment, port, "dag_processor"),
        ),
    )


def mark_migrated(home: Home) -> None:
    """Remember that the database fits this release of Airflow: the next start saves ten seconds."""
    _migrated_mark(home).touch()


def prepare(home: Home, client: AirflowClient, has_sources: bool, say: Callable[[str], None]) -> None:
    """Create the pool and let the DAGs run, each only once in a home's life: what a person paused stays paused."""
    client.ensure_pool(GPU_POOL, 1, "one training at a time")
    wanted = (*CHAINED_DAGS, NIGHTLY_DAG, WEEKLY_DAG)
    known = _wait_for_dags(client, wanted, say)
    done = _read_unpaused(home)
    for dag_id in CHAINED_DAGS if not has_sources else wanted:
        if dag_id in known and dag_id not in done:
            client.unpause(dag_id)
            done.add(dag_id)
    write_private(_unpaused_path(home), json.dumps(sorted(done)) + "\n")
    if NIGHTLY_DAG not in done:
        say(f"{NIGHTLY_DAG} and {WEEKLY_DAG} stay paused: no source is configured (crawl.sources in lvbag.yaml)")


def _component(
    name: str, arguments: Iterable[str], environment: Mapping[str, str], port: int, part: str
) -> ServiceSpec:
    begun = dt.datetime.now(dt.UTC)
    return ServiceSpec(
        name=name,
        command=_airflow(*arguments),
        environment=environment,
        ready=lambda: is_healthy(read_health(url(port)), part, begun),
        timeout_s=_START_TIMEOUT_S,
        port=port if name == API_SERVER else None,
    )


def is_healthy(health: Mapping[str, object], part: str, since: dt.datetime | None = None) -> bool:
    """Whether a component is healthy and, with `since`, by a heartbeat of this start and not of the one before."""
    state = health.get(part)
    if not isinstance(state, dict) or state.get("status") != "healthy":
        return False
    beat = state.get(f"latest_{part}_heartbeat")
    return since is None or not beat or dt.datetime.fromisoformat(str(beat)) >= since


def _airflow(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "airflow", *arguments)


def _environment(home: Home, port: int, secrets: MachineSecrets, password_file: Path) -> dict[str, str]:
    project = lvbag_settings.PROJECT_ROOT
    options: dict[str, dict[str, object]] = {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": 3,  # two cores: one heavy task, one light one, one that waits
            "dags_folder": project / "dags",
            "plugins_folder": project / "plugins",
            "load_examples": False,
            "dags_are_paused_at_creation": True,
            "execution_api_server_url": f"{url(port)}/execution/",
            "fernet_key": secrets.fernet_key.get_secret_value(),
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": password_file,
            "hostname_callable": "lvbag.services.hostname.loopback",
        },
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": url(port),
            "workers": 1,
            "secret_key": secrets.api_secret.get_secret_value(),
            "instance_name": "LV bag",
        },
        "api_auth": {"jwt_secret": secrets.jwt_secret.get_secret_value()},
        "database": {"sql_alchemy_conn": f"sqlite:///{home.airflow / 'airflow.db'}"},
        "dag_processor": {
            "parsing_processes": 1,
            "refresh_interval": 30,  # a new DAG file shows after half a minute
            "min_file_process_interval": 60,
        },
        "scheduler": {"scheduler_idle_sleep_time": 0.5},  # the default second would be added to every step
        "logging": {
            "colored_console_log": False,
            # No log server runs, and another program's on the usual port must not be asked for logs.
            "worker_log_server_port": 1,
            "trigger_log_server_port": 1,
        },
    }
    values = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, entries in options.items()
        for name, value in entries.items()
    }
    return {
        **values,
        "AIRFLOW_HOME": str(home.airflow),
        "LVBAG_HOME": str(home.root),  # so that every task reads this home's settings
        "OMP_WAIT_POLICY": "passive",  # spinning threads cost tens of times on busy cores
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
    }


def _wait_for_dags(client: AirflowClient, wanted: Iterable[str], say: Callable[[str], None]) -> set[str]:
    deadline = time.monotonic() + _DAGS_TIMEOUT_S
    while missing := sorted(set(wanted) - set(client.dag_ids())):
        broken = client.import_errors()
        if broken or time.monotonic() > deadline:
            say(f"Airflow has not read these DAGs: {', '.join(missing)}; `lvbag doctor` shows why")
            break
        time.sleep(0.5)
    return set(client.dag_ids())


def _migrated_mark(home: Home) -> Path:

    return home.airflow / f".migrated-{version('apache-airflow-core')}"


def _unpaused_path(home: Home) -> Path:
    return home.airflow / "unpaused.json"


def _read_unpaused(home: Home) -> set[str]:
    try:
        return {str(name) for name in json.loads(_unpaused_path(home).read_text(encoding="utf-8"))}
    except (OSError, ValueError):
        return set()
