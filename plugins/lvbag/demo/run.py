"""`lvbag demo run`: everything on one machine, two nights of the whole chain, and what came of them.

It only starts things and looks: the work is done by Airflow's DAGs. When it returns, everything keeps running.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from lvbag.curate import load_funnel, newest_snapshot
from lvbag.demo.configuration import write_configuration
from lvbag.demo.nights import DemoNight, finished_nights, nights_to_run, remember_night
from lvbag.demo.watch import DemoError, follow, next_run
from lvbag.errors import LvbagError
from lvbag.labels import import_labels
from lvbag.registry import champion, list_history, load_version
from lvbag.services.airflow_client import AirflowClient
from lvbag.services.machine import Machine, down, up
from lvbag.services.ports import free_port
from lvbag.services.processes import ServiceSpec
from lvbag.settings import load_settings
from lvbag.store import ModelKind, Store, open_store
from lvbag.terminal import console, funnel_table

FIGURES = {
    ModelKind.CLASSIFIER: ("top1", "top5", "macro_accuracy"),
    ModelKind.DETECTOR: ("map50", "map50_95", "precision", "recall"),
}
"""What is said of a champion, on the test part of the data that it was trained with."""

SHOWN_NIGHTS = 3
"""Columns of the funnel table at the end."""


@dataclass(frozen=True)
class Demo:
    """What runs: the machine, the marketplace's address, and the way to both."""

    machine: Machine
    market_url: str
    client: AirflowClient
    store: Store


def run_demo(home: Path, photos: Path | None = None, seed: int = 1) -> Demo:
    """Start the machine and the marketplace in a home, run the nights that are due, and print what happened.

    Without `photos` the market is drawn from the seed; with it, its sub-folders are the products, and there is no label
    export, so no detector. Everything keeps running. Raises `DemoError` when a run fails, with the end of its log.
    """
    started = time.monotonic()
    demo = _start(home, photos, seed)
    try:
        _run_nights(demo, home, photos, seed)
    except KeyboardInterrupt:
        if demo.machine.started:  # Ctrl-C leaves nothing behind; what ran before the demo goes on
            down(home, _say)
        raise
    except LvbagError:
        _say("the demo stopped; everything keeps running for a look, `make down` ends it, `make demo` goes on")
        raise
    _tell(demo, home)
    _say(f"took {time.monotonic() - started:.0f} s; everything keeps running, `make down` ends it")
    return demo


def _run_nights(demo: Demo, home: Path, photos: Path | None, seed: int) -> None:
    if photos is None and champion(demo.store, ModelKind.DETECTOR) is None:
        _train_detector(demo, home, seed)
    for night in nights_to_run(home):
        _run_night(demo, night)
        remember_night(home, night.day)


# ------------------------------------------------------------------ start


def _start(home: Path, photos: Path | None, seed: int) -> Demo:
    home.mkdir(parents=True, exist_ok=True)
    os.environ["LVBAG_HOME"] = str(home)
    port = _market_port(home)
    write_configuration(home, port, photos)
    _say(f"starting the marketplace, the object store and Airflow (data and logs in {home})")
    machine = up(home, extra=(_marketplace(home, port, photos, seed),), say=_say)
    client = AirflowClient(machine.airflow_url, machine.user, machine.password)
    return Demo(machine, f"http://127.0.0.1:{port}", client, open_store(load_settings()))


def _market_port(home: Path) -> int:
    """The same port as last time, so that the pictures keep their addresses and nothing looks new."""
    path = home / "market-port"
    if not path.is_file():
        path.write_text(str(free_port()), encoding="utf-8")
    return int(path.read_text(encoding="utf-8"))


def _marketplace(home: Path, port: int, photos: Path | None, seed: int) -> ServiceSpec:
    night = min(len(finished_nights(home)) + 1, 2)
    command = [sys.executable, "-m", "lvbag.demo.server", "--port", str(port), "--seed", str(seed)]
    command += ["--night", str(night), "--cache", str(home / "market")]
    if photos is not None:
        command += ["--photos", str(photos)]

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_market/status", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    return ServiceSpec(name="marketplace", command=tuple(command), ready=ready, timeout_s=60.0, port=port)


# ------------------------------------------------------------------ work


def _train_detector(demo: Demo, home: Path, seed: int) -> None:
    from lvbag.demo.labels import write_labels
    from lvbag.demo.market import Market

    _say("writing the label export of the market's first night (CVAT, YOLO 1.1) and importing it")
    export = write_labels(Market(seed), home / "labels.zip", seed=seed)
    labels = import_labels(demo.store, load_settings(), export)
    _say(f"label set {labels.name}: {labels.images} pictures, {labels.boxes} boxes; training the detector")
    run_id = demo.client.trigger("lvbag_train_detector", {"labels": labels.name})
    follow(demo.client, "lvbag_train_detector", run_id, _say)


def _run_night(demo: Demo, night: DemoNight) -> None:
    _set_market_night(demo, night.market_night)
    console.rule(f"night {night.day}")
    known = {dag_id: {run.run_id for run in demo.client.runs(dag_id)} for dag_id in ("lvbag_curate", "lvbag_train")}
    run_id = demo.client.trigger("lvbag_crawl", {"night": night.day.isoformat()})
    follow(demo.client, "lvbag_crawl", run_id, _say)
    before = run_id
    producer = "lvbag_crawl"
    for dag_id in ("lvbag_curate", "lvbag_train"):
        if not demo.client.announced(producer, before):
            _say(f"  {producer} found nothing new, so {dag_id} has no work")
            return
        before = next_run(demo.client, dag_id, known[dag_id]).run_id
        follow(demo.client, dag_id, before, _say)
        producer = dag_id


def _set_market_night(demo: Demo, number: int) -> None:
    request = urllib.request.Request(  # noqa: S310 loopback
        f"{demo.market_url}/_market/night", data=b'{"night": %d}' % number, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 loopback
            pass
    except OSError as error:
        raise DemoError(f"the marketplace at {demo.market_url} does not answer: {error}") from None


# ------------------------------------------------------------------ words


def _tell(demo: Demo, home: Path) -> None:
    console.rule("what happened")
    days = finished_nights(home)[-SHOWN_NIGHTS:]
    funnels = {day.isoformat(): load_funnel(demo.store, day) for day in days}
    console.print(funnel_table("What the nights crawled, refused and kept", funnels))
    for kind in (ModelKind.DETECTOR, ModelKind.CLASSIFIER):
        _tell_promotions(demo.store, kind)
    console.rule("where to look")
    console.print(
        f"  Airflow       {demo.machine.airflow_url}   user {demo.machine.user}   password {demo.machine.password}"
    )
    console.print(f"  marketplace   {demo.market_url}")
    console.print(f"  object store  {demo.machine.store_endpoint}   buckets lvbag-raw … lvbag-reports")
    console.print(f"  newest data   {newest_snapshot(demo.store)}")
    console.print("  shell         .venv/bin/lvbag registry list   .venv/bin/lvbag classify PHOTO", markup=False)


def _tell_promotions(store: Store, kind: ModelKind) -> None:
    current = champion(store, kind)
    if current is None:
        note = "; images passed uncropped" if kind is ModelKind.DETECTOR else ""
        console.print(f"\n[bold]{kind} champion: none{note}[/bold]")
    else:
        record = load_version(store, kind, current.version)
        figures = "  ".join(f"{name} {record.metrics[name]:.3f}" for name in FIGURES[kind] if name in record.metrics)
        console.print(f"\n[bold]{kind} champion: version {current.version:04d}[/bold]  ({figures})")
    for event in list_history(store, kind):
        _say(f"  version {event.version:04d} {event.event}" + ("" if event.decision else f": {event.why}"))
        for rule in event.decision.rules if event.decision else ():
            _say(f"      {'ok' if rule.passed else 'NO'}  {rule.rule}: {rule.sentence}")


def _say(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
