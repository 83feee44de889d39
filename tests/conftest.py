"""Shared fixtures: a real S3 server (MiniStack) on loopback with a fresh set of buckets per test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from lvbag.settings import Settings, StoreSettings
from lvbag.store import Store
from store_server import ACCESS_KEY, SECRET_KEY, empty_server, store_server

if "PYTEST_XDIST_WORKER" in os.environ:
    # Files run side by side: with a thread for every core in each, trainings wait for one another at every step.
    os.environ["LVBAG_TRAIN__THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, a whole demo before all: begun last, they would run alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: ("e2e" not in item.path.parts, item.path not in slow))


STORE_OF_SESSION = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def store_endpoint(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[str]:
    """A MiniStack of this test session, which every file finds empty."""
    with store_server(tmp_path_factory.mktemp("ministack")) as endpoint:
        pytestconfig.stash[STORE_OF_SESSION] = endpoint
        yield endpoint
        del pytestconfig.stash[STORE_OF_SESSION]


@pytest.fixture(scope="module", autouse=True)
def buckets_of_a_file(pytestconfig: pytest.Config) -> Iterator[None]:
    """MiniStack walks through every bucket it has at each request, so those of a file end with it."""
    yield
    if endpoint := pytestconfig.stash.get(STORE_OF_SESSION, None):
        empty_server(endpoint)


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
