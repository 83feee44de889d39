"""What can happen to a stack in the middle of a night: the night ends right, and nothing is lost or doubled.

One undisturbed night is held against each disturbed one, in the same stack, its store emptied in between. Not part of
`make test`: `make test-stack` runs it, an hour on two cores.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from process_stack import GPU_WORKER, SCHEDULER, WORKER, Stack, running_stack
from stack_nights import (
    CHAIN,
    NIGHTS,
    NightRun,
    begin_night,
    configure,
    differences,
    empty,
    end_night,
    left_behind,
    run_night,
    wait_until_idle,
    why,
)
from stack_servers import missing

from cutting_store import Cut
from lvbag.services.processes import LAST_TO_END

pytestmark = [pytest.mark.slow, pytest.mark.stack]

Left = dict[str, Any]
NIGHT = NIGHTS[0]
SUCCESS = dict.fromkeys(CHAIN, "success")

IN_CRAWL = "PUT /lvbag-raw/images/"
IN_CLEANING = "PUT /lvbag-curated/crops/"
IN_TRAINING = "PUT /lvbag-models/classifier/checkpoints/"
"""Requests by which a step is known to be in the middle of its work."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, quick: dict[str, str]) -> Iterator[Stack]:
    """As ever, but for the workers' disk, which is small enough to be filled."""
    if lacking := missing():
        pytest.skip(lacking)
    root = tmp_path_factory.mktemp("stack")
    with small_disk(root / "lvbag"), running_stack(root, configure, extra=quick) as running:
        yield running


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "1200m") -> Iterator[None]:
    """A file system of its own, where one may be mounted."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    try:
        yield
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> Left:
    night = run_night(stack, NIGHT)
    assert night.states == SUCCESS, why(stack, night)
    found = left_behind(stack.store, NIGHT)
    assert found["champion"] == 1
    assert len(found["images"]) > 100
    return found


@pytest.fixture(autouse=True)
def from_nothing(stack: Stack, undisturbed: Left) -> Iterator[None]:
    """An empty store, and a store that answers."""
    stack.proxy.begin(None)
    empty(stack.store)
    stack.restarts.clear()
    yield
    stack.proxy.begin(None)
    wait_until_idle(stack)


def ended_right(stack: Stack, night: NightRun, undisturbed: Left, but: frozenset[str] = frozenset()) -> None:
    assert night.states == SUCCESS, why(stack, night)
    found = left_behind(stack.store, NIGHT)
    same = {name: value for name, value in undisturbed.items() if name not in but}
    assert differences(same, found) == []


def at(stack: Stack, path: str, number: int, happens: Callable[[], object]) -> threading.Event:
    """Let something happen at the number-th request for a path, beside it; the event says that it is over."""
    over = threading.Event()

    def run() -> None:
        happens()
        over.set()

    stack.proxy.begin(Cut("nowhere", number, path=path, meanwhile=lambda: threading.Thread(target=run).start()))
    return over


@pytest.mark.parametrize(
    ("worker", "path", "number", "task"),
    [
        (WORKER, IN_CRAWL, 40, "lvbag_crawl.crawl_shard"),
        (WORKER, IN_CLEANING, 20, "lvbag_curate.clean_part"),
        (GPU_WORKER, IN_TRAINING, 2, "lvbag_train.train_classifier"),
    ],
    ids=["crawl", "clean", "train"],
)
def test_a_worker_is_killed(stack: Stack, undisturbed: Left, worker: str, path: str, number: int, task: str) -> None:
    killed = at(stack, path, number, lambda: stack.kill(worker))
    night = run_night(stack, NIGHT)
    assert killed.is_set()
    assert stack.restarts[worker] == 1
    assert task in night.tried_again
    ended_right(stack, night, undisturbed)


def test_the_scheduler_is_killed(stack: Stack, undisturbed: Left) -> None:
    killed = at(stack, IN_CRAWL, 40, lambda: stack.kill(SCHEDULER))
    night = run_night(stack, NIGHT)
    assert killed.is_set()
    assert stack.restarts[SCHEDULER] == 1
    ended_right(stack, night, undisturbed)


def test_redis_is_restarted(stack: Stack, undisturbed: Left) -> None:
    over = at(stack, IN_CRAWL, 40, lambda: stack.restart("redis", away_s=10))
    night = run_night(stack, NIGHT)
    assert over.is_set()
    assert "Redis is now ready to exit" in stack.log("redis"), "it was told to end, and wrote down what was sent"
    ended_right(stack, night, undisturbed)


def test_postgres_is_restarted(stack: Stack, undisturbed: Left) -> None:
    """By SIGINT, which its image names as the signal to stop: whoever is connected is cut off."""
    over = at(stack, IN_CRAWL, 40, lambda: stack.restart("postgres", signal.SIGINT, away_s=10))
    night = run_night(stack, NIGHT)
    assert over.is_set()
    ended_right(stack, night, undisturbed)


@pytest.mark.parametrize("path", [IN_CRAWL, IN_CLEANING], ids=["crawl", "clean"])
def test_the_store_is_down_for_a_minute(stack: Stack, undisturbed: Left, path: str) -> None:
    over = at(stack, path, 20, lambda: stack.restart(LAST_TO_END, away_s=60))
    night = run_night(stack, NIGHT)
    assert over.is_set()
    ended_right(stack, night, undisturbed)


def test_the_store_answers_503_to_half_of_the_requests(stack: Stack, undisturbed: Left) -> None:
    stack.proxy.begin(Cut("instead", every=2))
    night = run_night(stack, NIGHT, timeout_s=900)
    asked = len(stack.proxy.asked)
    stack.proxy.begin(None)
    assert asked > 2000
    ended_right(stack, night, undisturbed)


def test_the_workers_disk_is_full_for_half_a_minute(stack: Stack, undisturbed: Left) -> None:
    if not os.path.ismount(stack.places.home):
        pytest.skip("no file system may be mounted here")
    over = at(stack, IN_CRAWL, 20, lambda: fill(stack.places.home, 30.0))
    night = run_night(stack, NIGHT)
    assert over.is_set()
    ended_right(stack, night, undisturbed)


def fill(folder: Path, seconds: float) -> None:
    """Leave no byte free for a while."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert shutil.disk_usage(folder).free < 1 << 20
        time.sleep(1.0)
    path.unlink()


def test_two_schedulers_do_everything_once(stack: Stack, undisturbed: Left) -> None:
    second = f"{SCHEDULER}-2"
    stack.run(stack.program(SCHEDULER, second))
    try:
        stack.wait(second)
        night = run_night(stack, NIGHT)
    finally:
        stack.stop(second)
    assert night.tried_again == []
    ended_right(stack, night, undisturbed)


def test_one_night_is_started_ten_times_at_once(stack: Stack, undisturbed: Left) -> None:
    client = stack.client()
    begun = begin_night(stack, NIGHT)
    with contextlib.ExitStack() as threads:
        for _ in range(9):
            thread = threading.Thread(
                target=lambda: stack.client().trigger("lvbag_crawl", {"night": NIGHT.isoformat()})
            )
            thread.start()
            threads.callback(thread.join)
    night = end_night(stack, begun, timeout_s=900)
    wait_until_idle(stack)
    assert [run.state for run in client.runs("lvbag_crawl", limit=10)] == ["success"] * 10
    assert {run.state for dag_id in CHAIN for run in client.runs(dag_id)} == {"success"}
    ended_right(stack, night, undisturbed)
