"""One stack for the tests of a file; where PostgreSQL or Redis are missing they say so and skip."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from process_stack import Stack, running_stack
from stack_nights import configure
from stack_servers import missing

_QUICK = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}
"""A task whose worker has died is found after five minutes; tests do not wait so long."""


@pytest.fixture(scope="session")
def quick() -> dict[str, str]:
    """What makes tests wait less than people would."""
    return _QUICK


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str]) -> Iterator[Stack]:
    """A stack with the configuration of `stack_nights`."""
    if lacking := missing():
        pytest.skip(lacking)
    with running_stack(tmp_path_factory.mktemp("stack"), configure, extra=quick) as running:
        yield running
