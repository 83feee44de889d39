"""Fixtures for tests of faults: two curated nights, and a store that can be cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cutting_store import CuttingStore, cutting_store
from faulty_nights import Nights, fresh, undisturbed


@pytest.fixture(scope="session")
def proxy(store_endpoint: str) -> Iterator[CuttingStore]:
    """A proxy before the store of the tests."""
    with cutting_store(store_endpoint) as running:
        yield running


@pytest.fixture(scope="session")
def nights(store_endpoint: str, proxy: CuttingStore) -> Nights:
    """Two nights in buckets of their own; a test makes the store as it was before a step, and may then spoil it."""
    return undisturbed(fresh(store_endpoint), proxy)
