"""The whole chain with a real scheduler: two nights of the demo, then what a careful operator would try next.

One machine for all tests of this file; they run in the order in which they stand.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import Depends, FastAPI

from leaks import leaks
from lvbag.curate import load_funnel
from lvbag.demo import configuration
from lvbag.demo.nights import finished_nights
from lvbag.demo.run import Demo, run_demo
from lvbag.registry import champion, list_history, list_versions, load_version
from lvbag.services.machine import down
from lvbag.services.ports import free_port
from lvbag.store import Bucket, ModelKind, Store, keys
from lvbag.web.pages import create_app
from notify_receivers import PASSWORD, TOKEN, MailServer, Webhook, mail_server, webhook

pytestmark = pytest.mark.slow

GUARD = Path(__file__).parent / "guard"
API_KEY = "k3y-of-a-source-that-is-closed"
CLASSIFIER = ModelKind.CLASSIFIER


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with mail_server() as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, hook: Webhook, mails: MailServer) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    before = dict(os.environ)
    os.environ["LVBAG_HOME"] = str(folder)
    os.environ["PYTHONPATH"] = str(GUARD)
    os.environ["GUARD_FILE_OF_TESTS"] = str(folder / "reached.txt")
    os.environ["LVBAG_OUTLIERS__SECONDS"] = "3"  # the demo's own 15 find more
    os.environ["LVBAG_NOTIFY__WEBHOOK_URL"] = hook.url
    os.environ["LVBAG_NOTIFY__EMAIL_TO"] = '["nights@shop.example"]'
    os.environ["LVBAG_NOTIFY__EMAIL_FROM"] = "lvbag@shop.example"
    os.environ["AIRFLOW_CONN_SMTP_DEFAULT"] = mails.connection
    closed = {"kind": "google_images", "enabled": False, "api_key": API_KEY}
    os.environ["LVBAG_CRAWL__SOURCES__CLOSED"] = json.dumps(closed)
    recipes = shortened(configuration.RECIPES, tmp_path_factory.mktemp("demo") / "recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configuration, "RECIPES", recipes)
        yield folder
    down(folder, print)
    os.environ.clear()
    os.environ.update(before)


DETECTOR_EPOCHS = 18
"""Of the demo's 30: the longest single step of the two nights, and as good by what is asked here."""


def shortened(recipes: Path, folder: Path) -> Path:
    """The demo's recipes, their detector trained for fewer epochs."""
    shutil.copytree(recipes, folder)
    path = folder / "demo_detector.yaml"
    text, found = re.subn(r"(?m)^epochs: \d+", f"epochs: {DETECTOR_EPOCHS}", path.read_text(encoding="utf-8"))
    assert found == 1
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def demo(home: Path) -> Demo:
    return run_demo(home)


def digests(store: Store) -> dict[str, str]:
    """Every object with the digest that the store computed of it."""
    return {str(item.ref): item.etag for role in Bucket for item in store.list_objects(role)}


def runs(demo: Demo) -> dict[str, set[str]]:
    return {dag_id: {run.run_id for run in demo.client.runs(dag_id)} for dag_id in ("lvbag_curate", "lvbag_train")}


@pytest.fixture(scope="module")
def first_runs(demo: Demo) -> dict[str, list[str]]:
    """The runs of every night, oldest first, before any of them is run again (which starts more by its events)."""
    names = ("lvbag_crawl", "lvbag_curate", "lvbag_train", "lvbag_train_detector")
    return {
        name: [run.run_id for run in sorted(demo.client.runs(name), key=lambda run: str(run.start))] for name in names
    }


def tries(demo: Demo, dag_id: str, run_id: str) -> dict[tuple[str, int], int]:
    """How often each task of a run that succeeded has been tried."""
    tasks = demo.client.tasks(dag_id, run_id)
    return {(task.task_id, task.map_index): task.try_number for task in tasks if task.state == "success"}


def test_two_nights_end_with_champions_that_are_good_enough(demo: Demo, home: Path) -> None:
    assert len(finished_nights(home)) == 2
    current = champion(demo.store, CLASSIFIER)
    assert current is not None
    events = [event for event in list_history(demo.store, CLASSIFIER) if event.event == "promoted"]
    evaluation = demo.store.get_json(keys.evaluation(CLASSIFIER, events[-1].decision.evaluation))
    measured = next(item for item in evaluation["challengers"] if item["version"] == current.version)
    assert measured["metrics"]["top1"] >= 0.90
    detector = champion(demo.store, ModelKind.DETECTOR)
    assert detector is not None
    record = load_version(demo.store, ModelKind.DETECTOR, detector.version)
    assert record.metrics["map50"] >= 0.90


def test_every_challenger_has_a_decision_with_its_figures(demo: Demo) -> None:
    versions = {record.version for record in list_versions(demo.store, CLASSIFIER)}
    history = list_history(demo.store, CLASSIFIER)
    assert {event.version for event in history} == versions
    for event in history:
        assert event.decision is not None
        assert event.decision.rules
        assert all(rule.sentence for rule in event.decision.rules)


RUBBISH = (
    "listings refused: not_understood",
    "refused by the crawl: not_an_image",
    "refused by the crawl: too_many_pixels",
    "refused by the crawl: truncated",
    "refused by look-up: duplicate_exact",
    "refused by near duplicates: duplicate_near",
    "refused by cleaning: no_bag",
)


def test_every_kind_of_rubbish_was_refused_by_name_and_the_funnel_adds_up(demo: Demo, home: Path) -> None:
    funnel = load_funnel(demo.store, finished_nights(home)[0])
    assert [rule for rule in RUBBISH if not funnel.get(rule)] == []
    refused = {step: count for step, count in funnel.items() if "refused" in step}
    of_listings = sum(count for step, count in refused.items() if step.startswith("listings"))
    assert funnel["listings found"] == funnel["listings kept"] + of_listings
    assert funnel["images found"] == funnel["images kept"] + sum(refused.values()) - of_listings


def test_a_night_on_which_nothing_changed_downloads_nothing_and_trains_nobody(demo: Demo, home: Path) -> None:
    before = runs(demo)
    snapshots = {item.ref.key.split("/")[0] for item in demo.store.list_objects(Bucket.DATASETS)}
    again = run_demo(home)
    night = finished_nights(home)[-1]
    assert len(finished_nights(home)) == 3
    manifest = again.store.get_json(keys.night_manifest(night))
    assert manifest["images_new"] == 0
    assert manifest["images_unchanged"] > 500
    assert runs(again) == before, "the DAGs after an unchanged crawl do not even start"
    assert {item.ref.key.split("/")[0] for item in again.store.list_objects(Bucket.DATASETS)} == snapshots
    assert load_funnel(again.store, night), "the quiet night has a report, too"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
def test_report_and_data_docs_open_in_a_browser(demo: Demo, home: Path, tmp_path: Path) -> None:
    night = finished_nights(home)[0].isoformat()
    with serving(create_app(lambda: demo.store, Depends(lambda: None))) as address:
        assert night in browse(f"{address}/", tmp_path)
        report = browse(f"{address}/reports/nights/{night}/index.html", tmp_path)
        assert "What was refused, and why" in report
        assert "data:image/jpeg" in report, "examples of what was refused"
        docs = browse(f"{address}/reports/data-docs/night={night}/index.html", tmp_path)
        assert "night-images" in docs or "images" in docs
    assert "<script" not in report + docs


def browse(url: str, folder: Path) -> str:
    """The page as Chromium has it after loading."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'chromium'}", "--dump-dom"]
    done = subprocess.run(["chromium", *flags, url], capture_output=True, text=True, timeout=90, check=True)
    return done.stdout


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The app on a free port of 127.0.0.1."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=free_port(), log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.config.port}"
    server.should_exit = True
    thread.join()


AGAIN = {"lvbag_crawl": 0, "lvbag_curate": -1, "lvbag_train": -1, "lvbag_train_detector": 0}
"""Which run of each: the first crawl, on which other nights have followed (what it starts curates that night anew)."""


def test_running_every_dag_again_at_the_same_time_leaves_the_same_objects(
    demo: Demo, first_runs: dict[str, list[str]]
) -> None:
    before, known = digests(demo.store), runs(demo)
    chosen = {dag_id: first_runs[dag_id][which] for dag_id, which in AGAIN.items()}
    tried = {dag_id: tries(demo, dag_id, run_id) for dag_id, run_id in chosen.items()}
    for dag_id, run_id in chosen.items():
        demo.client.clear_run(dag_id, run_id)
    ended = demo.client.wait_for_runs(list(chosen.items()), 900)
    assert {run.state for run in ended} == {"success"}, f"{ended}"
    for dag_id, run_id in chosen.items():
        now = tries(demo, dag_id, run_id)
        assert any(now.get(task, 0) > count for task, count in tried[dag_id].items()), f"{dag_id} was really run again"
    _wait_until_quiet(demo, known)
    after = digests(demo.store)
    assert {name for name in before if after.get(name) != before[name]} == set(), "changed or gone"
    assert set(after) - set(before) == set(), "added"


def test_a_challenger_without_training_is_refused_with_the_numbers(demo: Demo) -> None:
    before = champion(demo.store, CLASSIFIER)
    run_id = demo.client.trigger("lvbag_train", {"force": True, "recipes": ["demo_untrained"]})
    demo.client.wait_for_run("lvbag_train", run_id, 600)
    assert demo.client.run_state("lvbag_train", run_id) == "success"
    assert champion(demo.store, CLASSIFIER) == before
    event = list_history(demo.store, CLASSIFIER)[-1]
    assert event.event == "refused"
    assert load_version(demo.store, CLASSIFIER, event.version).recipe == "demo_untrained"
    sentences = " ".join(rule.sentence for rule in event.decision.rules)
    assert "top-1" in sentences


def test_the_guard_of_the_next_test_sees_who_reaches_out(home: Path, tmp_path: Path) -> None:
    connect = "sys.audit('socket.connect', None, ('{}', 80))"  # the event alone: nothing is sent
    code = f"import sys; {connect.format('192.0.2.1')}; {connect.format('127.0.0.1')}"
    environment = {**os.environ, "GUARD_FILE_OF_TESTS": str(tmp_path / "reached.txt")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert (tmp_path / "reached.txt").read_text(encoding="utf-8").split()[:2] == ["socket.connect", "192.0.2.1"]


def test_nothing_reached_for_anything_but_this_machine(demo: Demo, home: Path) -> None:
    reached = home / "reached.txt"
    assert not reached.exists(), reached.read_text(encoding="utf-8")


def test_people_were_told_of_every_decision_by_chat_and_by_mail(demo: Demo, hook: Webhook, mails: MailServer) -> None:
    """Runs that were repeated tell again."""
    told = [(item["event"], item["title"], item["run"]) for item in hook.got]
    assert {event for event, _, _ in told} == {"promoted", "refused"}
    for kind in ModelKind:
        for event in list_history(demo.store, kind):
            said = f"{kind} {event.version:04d} is the new champion" if event.event == "promoted" else "refused"
            assert any(said in title for _, title, _ in told), event
    assert all(item["links"]["run"].startswith(demo.machine.airflow_url) for item in hook.got)
    assert sorted(mail["Subject"] for _, mail in mails.got) == sorted(f"[lvbag] {title}" for _, title, _ in told)


KEEPERS = ("secrets.json", "embedded.env", "airflow/passwords.json")
"""The files, of mode 0600, that are there to keep secrets."""


def test_no_secret_stands_in_anything_that_the_nights_have_written(demo: Demo, home: Path) -> None:
    """Logs, rendered fields, results and all else in Airflow's database, every object in the store."""
    secrets = {name: str(value) for name, value in json.loads((home / "secrets.json").read_text()).items()}
    secrets |= {"webhook": TOKEN, "mail server": PASSWORD, "source": API_KEY}
    found = leaks(secrets, home, KEEPERS)
    # the account's number, by which MiniStack itself notes whose a bucket is
    assert [line for line in found if not line.startswith("store_access_key in s3/state/")] == []
    for name in KEEPERS:
        assert (home / name).stat().st_mode & 0o077 == 0, name


def _wait_until_quiet(demo: Demo, known: dict[str, set[str]]) -> None:
    """Runs that an event of the repeated run has started must end, too."""
    for dag_id, before in known.items():
        seen = set(before)
        while run := demo.client.wait_for_new_run(dag_id, seen, 8):
            demo.client.wait_for_run(dag_id, run.run_id, 600)
            seen.add(run.run_id)
