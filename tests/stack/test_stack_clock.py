"""A clock that jumps a day ahead in the middle of a night, for every process of a stack: `make test-stack` runs it.

By then every token of a running task has expired, Redis' visibility timeout is over for all that is being worked on,
each heartbeat is a day old, and the next night's crawl is due.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_stack import Stack, running_stack
from stack_nights import CHAIN, NIGHTS, configure, differences, empty, left_behind, run_night, wait_until_idle, why
from stack_servers import missing

from cutting_store import Cut

pytestmark = [pytest.mark.slow, pytest.mark.stack]

FAKETIME = shutil.which("faketime")
NIGHT = NIGHTS[0]


class Clock:
    """What every process of the stack takes for the time: the real one, or so much later."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set("+0")

    def set(self, later: str) -> None:
        """From now on; as faketime words it, such as `+1d`."""
        part = self._file.with_suffix(".part")
        part.write_text(later, encoding="utf-8")
        part.chmod(0o644)
        part.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see this clock."""
        library = subprocess.check_output([FAKETIME or "", "-f", "+0", "printenv", "LD_PRELOAD"], text=True).strip()
        return {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",  # a user that a process becomes may not open what it made as root
        }


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    if FAKETIME is None:
        pytest.skip("faketime is not installed (apt-get install faketime)")
    with tempfile.TemporaryDirectory(prefix="clock-") as name:
        Path(name).chmod(0o755)  # PostgreSQL's user reads it, too
        yield Clock(Path(name))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, clock: Clock, quick: dict[str, str]) -> Iterator[Stack]:
    if lacking := missing():
        pytest.skip(lacking)
    root = tmp_path_factory.mktemp("stack")
    with running_stack(root, configure, extra=quick, base=clock.environment) as running:
        yield running


def test_a_clock_that_jumps_a_day_ahead_costs_a_try_and_nothing_else(stack: Stack, clock: Clock) -> None:
    night = run_night(stack, NIGHT)
    assert night.states == dict.fromkeys(CHAIN, "success"), why(stack, night)
    undisturbed = left_behind(stack.store, NIGHT)
    wait_until_idle(stack)
    empty(stack.store)

    def jump() -> None:
        clock.set("+1d")

    stack.proxy.begin(Cut("nowhere", 40, path="PUT /lvbag-raw/images/", meanwhile=jump))
    night = run_night(stack, NIGHT)
    wait_until_idle(stack)
    clock.set("+0")  # a store refuses whoever lives a day before it
    assert night.states == dict.fromkeys(CHAIN, "success"), why(stack, night)
    found = left_behind(stack.store, NIGHT)
    lost = undisturbed.pop("objects") - found["objects"]  # the night that became due adds its own
    assert not lost
    assert differences(undisturbed, found) == []
