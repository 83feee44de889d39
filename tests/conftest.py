"""Shared fixtures: a real S3 server (MiniStack) on loopback with a fresh set of buckets per test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest
import urllib3

from lvbag.services.object_store import environment
from lvbag.services.ports import free_port
from lvbag.settings import Settings, StoreSettings
from lvbag.store import Store

ACCESS_KEY = "111122223333"
SECRET_KEY = "a-secret-of-the-tests"


if "PYTEST_XDIST_WORKER" in os.environ:
    # Files run side by side: with a thread for every core in each, trainings wait for one another at every step.
    os.environ["LVBAG_TRAIN__THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A whole demo takes longest by far: begun last, it would run alone."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture(scope="session")
def store_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MiniStack of this test session; stopped by process id."""
    folder = tmp_path_factory.mktemp("ministack")
    port = free_port()
    started_with = {**os.environ, **environment(port, folder, ACCESS_KEY, SECRET_KEY)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=started_with, stdout=log, stderr=log, start_new_session=True
        )
    endpoint = f"http://127.0.0.1:{port}"
    http = urllib3.PoolManager(retries=False)
    deadline = time.monotonic() + 60
    while True:
        try:
            http.request("GET", f"{endpoint}/_ministack/health", timeout=1)
            break
        except urllib3.exceptions.HTTPError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"MiniStack did not start:\n{(folder / 'log').read_text()}")
            time.sleep(0.1)
    yield endpoint
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def store_settings(endpoint: str, prefix: str = "lvbag") -> StoreSettings:
    return StoreSettings.model_validate(
        {
            "endpoint": endpoint,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "bucket_prefix": prefix,
            "timeout_s": 20,
            "retries": 2,
        }
    )


@pytest.fixture
def settings(store_endpoint: str) -> Settings:
    """Default settings over a fresh set of buckets."""
    return Settings(store=store_settings(store_endpoint, f"t{uuid.uuid4().hex[:10]}"))


@pytest.fixture
def store(settings: Settings) -> Store:
    store = Store(settings.store)
    store.ensure_buckets()
    return store
