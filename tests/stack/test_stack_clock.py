"""A clock that jumps a day ahead in the middle of a night, for every process of a stack.

By then every token of a running task has expired, Redis' visibility timeout is over for all that is being worked on,
each heartbeat is a day old, and the next night's crawl is due.
"""

from __future__ import annotations

import shutil
import struct
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

COMPILER = shutil.which("cc")
NIGHT = NIGHTS[0]
DAY_S = 86_400


class Clock:
    """What every process of the stack takes for the time of day: the real one, or so many seconds later."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_bytes(bytes(8))
        library = folder / "moved_clock.so"
        source = Path(__file__).with_name("moved_clock.c")
        subprocess.run([COMPILER or "cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)
        self.environment = {"LD_PRELOAD": str(library), "MOVED_CLOCK_FILE": str(self._file)}

    def set(self, later_s: int) -> None:
        """From now on, for all at once: the file is mapped into each of them."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", later_s))


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    if COMPILER is None:
        pytest.skip("no C compiler (apt-get install gcc libc6-dev)")
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
        clock.set(DAY_S)

    stack.proxy.begin(Cut("nowhere", 40, path="PUT /lvbag-raw/images/", meanwhile=jump))
    night = run_night(stack, NIGHT)
    wait_until_idle(stack)
    due = [run for run in stack.client().runs("lvbag_crawl") if run.run_id.startswith("scheduled__")]
    clock.set(0)  # a store refuses whoever lives a day before it
    assert night.states == dict.fromkeys(CHAIN, "success"), why(stack, night)
    assert "lvbag_crawl.crawl_shard" in night.tried_again, "whoever has not been heard of for a day is tried again"
    assert len(due) == 1, "the night that the jump made due"
    found = left_behind(stack.store, NIGHT)
    lost = undisturbed.pop("objects") - found["objects"]  # the night that became due adds its own
    assert not lost
    assert differences(undisturbed, found) == []
