"""An Airflow database of its own, and the DAGs read once.

Airflow reads its configuration when it is first imported, so nothing in these tests imports it at the top.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notify_receivers import Webhook, webhook

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def airflow_home() -> Iterator[Path]:
    if "airflow.settings" in sys.modules:
        pytest.fail("another test has imported airflow before its home was set")
    folder = Path(tempfile.mkdtemp(prefix="lvbag-airflow-"))
    values = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "lvbag.services.hostname.loopback",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    yield folder
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_database(airflow_home: Path) -> None:
    from airflow.utils import db

    db.initdb()


@pytest.fixture(scope="session")
def dagbag(airflow_database: None) -> Any:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.pool import Pool

    DagBundlesManager().sync_bundles_to_db()
    Pool.create_or_update_pool("gpu", slots=1, description="", include_deferred=False)
    bag = DagBag(dag_folder=str(ROOT / "dags"), bundle_name="dags-folder", bundle_path=ROOT / "dags")
    sync_bag_to_db(bag, "dags-folder", None)
    return bag


@pytest.fixture(scope="session")
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture
def told(hook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Webhook:
    """Who is told of everything."""
    hook.clear()
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LVBAG_NOTIFY__WEBHOOK_URL", hook.url)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://127.0.0.1:8080")
    return hook
