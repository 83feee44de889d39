"""A large night on the production stack, as processes of this machine: how long, how much memory, how much waiting.

Four shops offer some thousand listings in all, five products in each, so that the crawl has twenty shards. The stack is
that of docker-compose.yaml (`tests/stack`), with one worker of the queue `default` or with two; the night runs from the
crawl through curation and cleaning (no detector: pictures are whole) to a training of one epoch and the gate. Reported
are the night's wall time, its tasks a minute, the peak memory of each service (proportional set size of its processes,
about what its container would be charged with), and what orchestration costs: the share of the wall time in which no
task of ours was at work. Queues, events between DAGs and every task's own start (process, imports, reading the DAG
file; told by its log) count as orchestration where nothing else is at work beside them.

    python bench/stack_scale.py                     20,000 listings with two pictures each, on two workers and on one
    python bench/stack_scale.py --listings 2000     fewer

It needs PostgreSQL and Redis (Debian: postgresql, redis-server).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml
from peers.installing import WORK

from crawl import running

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / folder) for folder in ("", "stack")]

from process_stack import WORKER, Stack, running_stack  # noqa: E402
from stack_nights import CHAIN, NIGHTS, configure, run_night, why  # noqa: E402

from lvbag.catalog import COLUMNS  # noqa: E402
from lvbag.services import processes  # noqa: E402

SHOP = Path(__file__).parent / "servers" / "wide_shop.py"
SHOPS = 4
"""A host is crawled by one task at a time, so that several workers need several."""

CODES = ("M41108", "N41361", "M52147", "M44005", "N51303")
STARTED = "Worker startup parse complete"
"""What Airflow logs right before a task's own code begins."""


@dataclass(frozen=True)
class Task:
    """One task that ran: when its process was begun, its own code, and its end; in seconds."""

    name: str
    start: float
    work: float
    end: float


# ------------------------------------------------------------------ what is crawled


@contextmanager
def shops(listings: int, pictures: int) -> Iterator[list[int]]:
    """The ports of the shops, which together offer so many listings."""
    each = str(listings // (SHOPS * len(CODES)))
    with ExitStack() as open_shops:
        ports = []
        for seed in range(SHOPS):
            command = [sys.executable, str(SHOP), str(seed), each, str(pictures), *CODES]
            shop = open_shops.enter_context(running(command, {}))
            assert shop.stdout is not None
            ports.append(int(shop.stdout.readline()))
        yield ports


def settings_for(ports: Sequence[int], listings: int, folder: Path, market_port: int) -> None:
    """The demo's configuration with these shops as sources, a shard for each product of each."""
    configure(folder, market_port, CODES[:1], epochs=1)
    rows = [",".join(COLUMNS), *(f"{code},Bag {code},line {code},Canvas,one size," for code in CODES)]
    (folder / "catalog.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    path = folder / "lvbag.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    source = values["crawl"]["sources"]["market"]
    values["crawl"] |= {
        "sources": {
            f"shop{number}": {
                **source,
                "search_url": f"http://127.0.0.1:{port}/search?q={{query}}",
                "max_pages": 10_000,
            }
            for number, port in enumerate(ports)
        },
        "loopback_hosts": [f"127.0.0.1:{port}" for port in ports],
        "products_per_shard": 1,
        "lease_s": 60.0,
        "max_requests": 100 * listings,
        "target_images": 100 * listings,
    }
    values["train"] |= {"checkpoint_minutes": 5.0}
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


# ------------------------------------------------------------------ what is measured


@contextmanager
def memory_of(stack: Stack) -> Iterator[dict[str, float]]:
    """The peak of each service in MB, looked at every five seconds."""
    peaks: dict[str, float] = defaultdict(float)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(5.0):
            for name in list(stack.specs):
                leader = processes.find(stack.record(name))
                if leader is not None:
                    peaks[name] = max(peaks[name], used_mb(leader))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def used_mb(leader: psutil.Process) -> float:
    total = 0
    for process in (leader, *leader.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


def tasks_of(stack: Stack) -> list[Task]:
    """Every task that ran in the chain's DAGs."""
    names = ", ".join(f"'{dag_id}'" for dag_id in CHAIN)
    asked = (
        "SELECT dag_id, run_id, task_id, map_index, try_number, extract(epoch FROM start_date), "
        "extract(epoch FROM end_date) FROM task_instance "
        f"WHERE dag_id IN ({names}) AND start_date IS NOT NULL AND end_date IS NOT NULL AND try_number > 0"
    )
    password = stack.postgres.environment["POSTGRES_PASSWORD"]
    answer = stack.postgres.psql("airflow", "airflow", password, f"COPY ({asked}) TO STDOUT")
    found = []
    for line in filter(None, answer.stdout.splitlines()):
        dag_id, run_id, task_id, index, tried, start, end = line.split("\t")
        log = stack.places.airflow / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        log = log / ("" if index == "-1" else f"map_index={index}") / f"attempt={tried}.log"
        begun = work_began(log)
        if begun is not None:
            found.append(Task(f"{dag_id}.{task_id}", float(start), begun, float(end)))
    return found


def work_began(log: Path) -> float | None:
    """When a task's own code began, by its log; None where it never did (Airflow skipped it)."""
    if not log.is_file():
        return None
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if STARTED in line:
                return dt.datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
    return None


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds in which at least one of them ran."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def measure(workers: int, listings: int, pictures: int) -> None:
    """One night on so many workers of the queue `default`; prints what it took."""
    with tempfile.TemporaryDirectory(dir=WORK) as name, shops(listings, pictures) as ports:

        def written(folder: Path, port: int) -> None:
            settings_for(ports, listings, folder, port)

        with running_stack(Path(name) / "stack", written) as stack:
            for number in range(2, workers + 1):
                stack.run(stack.program(WORKER, f"{WORKER}-{number}"))
            time.sleep(20)  # workers sign on
            with memory_of(stack) as peaks:
                began = time.time()
                night = run_night(stack, NIGHTS[0], timeout_s=4 * 3600)
                ended = max(run.end.timestamp() for run in night.runs.values() if run.end is not None)
            if night.states != dict.fromkeys(CHAIN, "success"):
                raise SystemExit(f"the night did not end right: {night.states}\n{why(stack, night)}")
            print(
                f"stack: {workers} worker(s), {listings:,} listings, {listings * pictures:,} pictures: "
                f"{ended - began:.0f} s",
                end=", ",
            )
            report(tasks_of(stack), ended - began, peaks)


def report(tasks: Sequence[Task], wall: float, peaks: dict[str, float]) -> None:
    shares = {
        "at work": covered([(task.work, task.end) for task in tasks]) / wall,
        "with starts": covered([(task.start, task.end) for task in tasks]) / wall,
    }
    print(
        f"{60 * len(tasks) / wall:.1f} tasks/min ({len(tasks)} tasks), nothing of ours at work in "
        f"{100 * (1 - shares['at work']):.1f} % ({100 * (1 - shares['with starts']):.1f} % without starts of tasks)"
    )
    named: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        named[task.name].append(task)
    for task_name, found in sorted(named.items(), key=lambda item: min(task.start for task in item[1])):
        works = [task.end - task.work for task in found]
        starts = [task.work - task.start for task in found]
        print(
            f"  {task_name}: {len(found)} of {statistics.median(works):.1f} s (longest {max(works):.1f}), "
            f"after a start of {statistics.median(starts):.1f} s"
        )
    print("  peak MB: " + ", ".join(f"{name} {peak:.0f}" for name, peak in sorted(peaks.items())), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listings", type=int, default=20_000)
    parser.add_argument("--pictures", type=int, default=2, help="of each listing")
    parser.add_argument("--workers", type=int, nargs="*", default=[2, 1], help="numbers of workers, a night for each")
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    for workers in given.workers:
        measure(workers, given.listings, given.pictures)


if __name__ == "__main__":
    main()
