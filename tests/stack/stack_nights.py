"""A small night on a running stack, and what it left: so told that two nights can be held against each other."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from process_stack import Stack

from lvbag import schemas
from lvbag.demo import configuration
from lvbag.registry import champion, list_history, list_versions
from lvbag.services.airflow_client import AirflowClient, Run, TaskState
from lvbag.services.errors import AirflowError
from lvbag.store import Bucket, ModelKind, Ref, Store, keys
from lvbag.store.tables import read_table

NIGHTS = (dt.date(2026, 11, 14), dt.date(2026, 11, 15))
"""In the past, so that the nightly schedule never meets them."""

CHAIN = ("lvbag_crawl", "lvbag_curate", "lvbag_train")
PRODUCTS = ("M41108", "N41361", "M52147")
RECIPE = "stack_tiny"

_TIME = re.compile(r"\d{8}T\d{6,}Z?|\d{4}-\d{2}-\d{2}T[0-9:.+-]+Z?")
_T = TypeVar("_T")


def configure(folder: Path, market_port: int, products: tuple[str, ...] = PRODUCTS, epochs: int = 4) -> None:
    """The demo's configuration, for a few products and a training of seconds that stores a checkpoint at each step."""
    configuration.write_into(folder, market_port)
    header, *lines = (folder / "catalog.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.split(",", 1)[0] in products]
    assert len(kept) == len(products)
    (folder / "catalog.csv").write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
    text = (folder / "recipes" / "demo_classifier.yaml").read_text(encoding="utf-8")
    text, found = re.subn(r"(?m)^epochs: \d+", f"epochs: {epochs}", text)
    assert found == 1
    (folder / "recipes" / f"{RECIPE}.yaml").write_text(text, encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load((folder / "lvbag.yaml").read_text(encoding="utf-8"))
    settings["crawl"] |= {"products_per_shard": 1, "lease_s": 10.0}
    settings["train"] |= {"recipes": [RECIPE], "min_new_images": 10, "threads": 1, "checkpoint_minutes": 0.02}
    settings["outliers"] = {"enabled": False}
    settings["gate"] = {"min_test_images": 10, "chance_factor": 0.1}
    settings["curate"] = {"min_images": 10}
    (folder / "lvbag.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


# ------------------------------------------------------------------ running


@dataclass(frozen=True)
class NightRun:
    """The runs of one night, and every task of them."""

    runs: dict[str, Run]
    tasks: dict[str, list[TaskState]]

    @property
    def states(self) -> dict[str, str]:
        """How each run ended."""
        return {dag_id: run.state for dag_id, run in self.runs.items()}

    @property
    def tried_again(self) -> list[str]:
        """The tasks that were tried more than once."""
        return [
            f"{dag_id}.{task.task_id}" for dag_id, found in self.tasks.items() for task in found if task.try_number > 1
        ]


def patiently(ask: Callable[[], _T], timeout_s: float = 240.0) -> _T:
    """Ask Airflow until it answers: while its database is away it does not."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return ask()
        except AirflowError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def begin_night(stack: Stack, night: dt.date, market_night: int = 1) -> tuple[str, dict[str, set[str]]]:
    """Start a night; its crawl's run, and the runs of the other DAGs that were there before."""
    client = stack.client()
    _move_market(stack, market_night)
    for dag_id in CHAIN:
        patiently(lambda dag_id=dag_id: client.unpause(dag_id))  # type: ignore[misc]
    known = {dag_id: {run.run_id for run in client.runs(dag_id)} for dag_id in CHAIN}
    return client.trigger("lvbag_crawl", {"night": night.isoformat()}), known


def end_night(
    stack: Stack, begun: tuple[str, dict[str, set[str]]], timeout_s: float = 1800.0, follow: Sequence[str] = CHAIN
) -> NightRun:
    """Follow a night through these DAGs to its end, whatever happens to Airflow meanwhile."""
    run_id, known = begun
    client = stack.client()
    deadline = time.monotonic() + timeout_s
    runs: dict[str, Run] = {}
    for dag_id in follow:
        if dag_id != "lvbag_crawl":
            found = _new_run(client, dag_id, known[dag_id], deadline)
            if found is None:
                break
            run_id = found
        runs[dag_id] = _ended(client, dag_id, run_id, deadline)
        if runs[dag_id].state != "success" or not patiently(lambda d=dag_id, r=run_id: client.announced(d, r)):  # type: ignore[misc]
            break
    tasks = {dag_id: patiently(lambda d=dag_id: client.tasks(d, runs[d].run_id)) for dag_id in runs}  # type: ignore[misc]
    return NightRun(runs, tasks)


def run_night(stack: Stack, night: dt.date, market_night: int = 1, timeout_s: float = 1800.0) -> NightRun:
    """A whole night."""
    return end_night(stack, begin_night(stack, night, market_night), timeout_s)


def wait_for_task(stack: Stack, dag_id: str, task_id: str, known: set[str], timeout_s: float = 300.0) -> None:
    """Wait until a task of the newest run that is not known runs."""
    client = stack.client()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(AirflowError):
            new = [run.run_id for run in client.runs(dag_id) if run.run_id not in known]
            if new and any(t.task_id == task_id and t.state == "running" for t in client.tasks(dag_id, new[0])):
                return
        time.sleep(0.2)
    raise AssertionError(f"{dag_id}.{task_id} never ran")


def wait_until_idle(stack: Stack, timeout_s: float = 900.0) -> None:
    """Wait until no run of the chain is under way or queued."""
    client = stack.client()
    deadline = time.monotonic() + timeout_s
    while [run for dag_id in CHAIN for run in patiently(lambda d=dag_id: client.runs(d)) if run.end is None]:  # type: ignore[misc]
        assert time.monotonic() < deadline, "runs that do not end"
        time.sleep(1.0)


def why(stack: Stack, night: NightRun) -> str:
    """The end of the log of every task that failed, for a person."""
    client = stack.client()
    parts = [
        f"{dag_id}.{task.task_id}[{task.map_index}] try {task.try_number}:\n"
        + client.log_tail(dag_id, night.runs[dag_id].run_id, task, lines=20)
        for dag_id, tasks in night.tasks.items()
        for task in tasks
        if task.state == "failed"
    ]
    return "\n".join(parts)


def _ended(client: AirflowClient, dag_id: str, run_id: str, deadline: float) -> Run:
    while (run := patiently(lambda: client.run(dag_id, run_id))).state not in ("success", "failed"):
        if time.monotonic() > deadline:
            raise AssertionError(f"{dag_id} {run_id} is still {run.state}: {client.tasks(dag_id, run_id)}")
        time.sleep(0.5)
    return run


def _new_run(client: AirflowClient, dag_id: str, known: set[str], deadline: float) -> str | None:
    while time.monotonic() < deadline:
        new = [run.run_id for run in patiently(lambda: client.runs(dag_id)) if run.run_id not in known]
        if new:
            return new[-1]
        time.sleep(0.5)
    return None


def _move_market(stack: Stack, night: int) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.places.ports['marketplace']}/_market/night",
        data=json.dumps({"night": night}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60):
        pass


# ------------------------------------------------------------------ comparing


def empty(store: Store) -> None:
    """Take everything out of all buckets, with every version: the next night is the first one again."""
    for bucket in Bucket:
        for ref in {item.ref for item in store.list_versions(bucket, "")}:
            store.purge(ref)


def left_behind(store: Store, night: dt.date) -> dict[str, Any]:
    """What a night left, told without times: two nights of the same market are alike, however they went."""
    return {
        "objects": _objects(store),
        "listings": _rows(store, keys.listings_prefix(night), Bucket.RAW, schemas.LISTINGS, LISTING_COLUMNS),
        "fetches": _rows(store, keys.fetches_prefix(night), Bucket.RAW, schemas.FETCHES, FETCH_COLUMNS),
        "images": _rows(store, keys.curated_images_prefix(night), Bucket.CURATED, schemas.IMAGES, IMAGE_COLUMNS),
        "versions": [(item.version, item.recipe, item.data) for item in list_versions(store, ModelKind.CLASSIFIER)],
        "history": [(event.event, event.version) for event in list_history(store, ModelKind.CLASSIFIER)],
        "champion": getattr(champion(store, ModelKind.CLASSIFIER), "version", None),
        "weights": _weights(store),
    }


LISTING_COLUMNS = ["source", "listing_id", "title", "style_code", "verdict", "reason"]
FETCH_COLUMNS = ["source", "listing_id", "position", "verdict", "reason", "sha256"]
IMAGE_COLUMNS = ["source", "listing_id", "position", "sha256", "cluster", "representative", "verdict", "reason"]

SHORT_LIVED = ("journal/", "hosts/", "robots/", "classifier/checkpoints/", ".probe/")
"""What is gone after a night, or says only who spoke with a host when."""


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where two nights differ, in words."""
    found = []
    for name, value in one.items():
        if isinstance(value, Counter):
            lost, added = value - other[name], other[name] - value
            if lost or added:
                found.append(f"{name}: {_some('lost', lost)}, {_some('added', added)}")
        elif value != other[name]:
            found.append(f"{name}: {value} became {other[name]}")
    return found


def _some(word: str, rows: Counter[Any]) -> str:
    return f"{word} {rows.total()}: {list(rows)[:3]}" if rows else f"{word} none"


def _objects(store: Store) -> Counter[str]:
    """Keys of everything that lasts, without the times in them."""
    refs = [item.ref for bucket in Bucket for item in store.list_objects(bucket)]
    return Counter(_TIME.sub("TIME", str(ref)) for ref in refs if not ref.key.startswith(SHORT_LIVED))


def _rows(store: Store, prefix: str, bucket: Bucket, schema: Any, columns: list[str]) -> Counter[tuple[Any, ...]]:
    refs: list[Ref] = [item.ref for item in store.list_objects(bucket, prefix)]
    return Counter(row for ref in refs for row in read_table(store, ref, schema).select(columns).iter_rows())


def _weights(store: Store) -> list[str]:
    records = list_versions(store, ModelKind.CLASSIFIER)
    return [record.files.get("model.safetensors", "") for record in records]
