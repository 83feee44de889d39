"""Fixtures for tests of faults: two curated nights, and a store that can be cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faulty_nights import Nights, fresh, undisturbed

from cutting_store import CuttingStore, cutting_store
from store_server import store_server


@pytest.fixture(scope="session")
def lasting_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server beside the one that each file finds empty: several files use the same two nights."""
    with store_server(tmp_path_factory.mktemp("nights")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def proxy(lasting_endpoint: str) -> Iterator[CuttingStore]:
    """A proxy before the store of the two nights."""
    with cutting_store(lasting_endpoint) as running:
        yield running


@pytest.fixture(scope="session")
def nights(lasting_endpoint: str, proxy: CuttingStore) -> Nights:
    """Two nights in buckets of their own; a test makes the store as it was before a step, and may then spoil it."""
    return undisturbed(fresh(lasting_endpoint), proxy)
