"""The DAGs run by Airflow itself (`dag.test()`), the library's functions replaced by specced fakes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, create_autospec

import polars as pl
import pytest

import lvbag.care
import lvbag.crawl
import lvbag.curate
import lvbag.learn
import lvbag.registry
from lvbag import schemas
from lvbag.care.checks import Finding
from lvbag.care.garbage import GarbagePlan, Limits
from lvbag.care.trial import Trial
from lvbag.care.verify import Verified
from lvbag.crawl.results import NightPlan, NightResult, ShardResult
from lvbag.curate.errors import CurateError
from lvbag.curate.results import (
    CleaningPlan,
    RecleanedPart,
    RecleaningJob,
    RecleaningPlan,
    ReportResult,
    SnapshotResult,
    StageResult,
    ValidationResult,
)
from lvbag.learn.errors import LearnError
from lvbag.learn.results import EvaluationResult, OutlierResult, Readiness, SuspicionResult, TrainingResult
from lvbag.orchestrate import context
from lvbag.registry.records import Decision
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Ref, Store, keys
from lvbag.store.tables import write_table
from lvbag.tombstones import read_tombstones
from notify_receivers import TOKEN, Webhook
from registry.registry_makers import AT, record

NIGHT = dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
CONF = {"night": NIGHT.isoformat()}
Fake = Callable[..., MagicMock]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, store: Store, settings: Settings) -> Iterator[Fake]:
    """Replace a function of the library by one that has its signature; tasks get the test's own store."""
    monkeypatch.setattr(context, "open_store", lambda role: (store, settings))

    def replace(module: Any, name: str, result: Any = None, effect: Any = None) -> MagicMock:
        double = create_autospec(getattr(module, name), return_value=result, side_effect=effect)
        monkeypatch.setattr(module, name, double, raising=False)
        return double

    yield replace
    monkeypatch.undo()
    # undoing an attribute that a lazy package had not loaded yet would pin it; what is left is the real function
    assert callable(lvbag.crawl.plan_night)


def run_dag(dagbag: Any, name: str, conf: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """State of the run, and of each task (mapped ones joined by a comma)."""
    dag = dagbag.dags[name]
    for task in dag.tasks:
        task.retries = 0
    defaults = {parameter: dag.params.get_param(parameter).value for parameter in dag.params}
    deadline, dag.deadline = dag.deadline, None  # `test` of Airflow 3.3.2 cannot end a run that has one
    try:
        with pytest.MonkeyPatch.context() as patch:
            # for each run it reads all DAG files again and stores what is in them
            patch.setattr("airflow.dag_processing.dagbag.BundleDagBag", lambda **_: dagbag)
            patch.setattr("airflow.dag_processing.dagbag.sync_bag_to_db", lambda *_: None)
            run = dag.test(run_conf=conf)
    finally:
        dag.deadline = deadline
        for owner in (dag, *dag.tasks):  # `test` writes the run's values into the DAG and its tasks
            own = {key: value for key, value in defaults.items() if key in owner.params}
            # each change has all of them validated
            owner.params.update({key: own[key] for key in own if owner.params.get_param(key).value != own[key]})
    states: dict[str, str] = {}
    for ti in sorted(run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index)):
        states[ti.task_id] = ",".join(filter(None, (states.get(ti.task_id), str(ti.state))))
    return str(run.state), states, run


def events(run: Any) -> list[dict[str, Any]]:
    """What the run's asset events carried."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(
            select(AssetEvent).where(AssetEvent.source_run_id == run.run_id, AssetEvent.source_dag_id == run.dag_id)
        )
        return [dict(row.extra) for row in rows]


# ------------------------------------------------------------------ crawl


def crawl_fakes(fake: Fake, changed: bool = True, shards: tuple[str, ...] = ("shop.000", "shop.001")) -> MagicMock:
    fake(lvbag.crawl, "plan_night", NightPlan(NIGHT, shards, 10))

    def crawl_one(store: Any, settings: Any, catalog: Any, night: dt.date, shard: str, again: bool) -> ShardResult:
        assert night == NIGHT
        if shard.endswith("666"):
            raise RuntimeError("the shop is on fire")
        return ShardResult(shard, False, 1, 1, 0, 0, 0)

    fake(lvbag.crawl, "crawl_shard", effect=crawl_one)
    return fake(lvbag.crawl, "close_night", NightResult(NIGHT, "s3://x", 2, 2, 0, 0, changed))


def test_a_crawl_announces_its_night(dagbag: Any, fake: Fake) -> None:
    close = crawl_fakes(fake)

    state, tasks, run = run_dag(dagbag, "lvbag_crawl", CONF)

    assert (state, tasks["crawl_shard"], tasks["announce"]) == ("success", "success,success", "success")
    assert close.call_args.args[2] == NIGHT
    assert events(run) == [
        {
            "night": "2026-11-22",
            "uri": "s3://x",
            "counts": {"listings": 2, "images_new": 2, "images_unchanged": 0, "refused": 0},
        }
    ]


def test_a_night_without_change_ends_well_and_starts_nothing(dagbag: Any, fake: Fake) -> None:
    crawl_fakes(fake, changed=False)
    report = fake(lvbag.curate, "report_night", ReportResult(NIGHT, "s3://r", {"images unchanged": 2}))

    state, tasks, run = run_dag(dagbag, "lvbag_crawl", CONF)

    assert (state, tasks["close_night"], tasks["announce"]) == ("success", "success", "skipped")
    assert report.call_args.args[2] == NIGHT, "nobody else would report a quiet night"
    assert events(run) == []


def test_a_failed_shard_hurts_no_other(dagbag: Any, fake: Fake, told: Webhook) -> None:
    close = crawl_fakes(fake, shards=("shop.000", "shop.666", "shop.002"))
    fake(lvbag.crawl, "not_understood", {})

    state, tasks, _ = run_dag(dagbag, "lvbag_crawl", CONF)

    assert (state, tasks["crawl_shard"], tasks["announce"]) == ("success", "success,failed,success", "success")
    close.assert_called_once()
    assert told.events == [], "the report says it; nobody is woken up"


def test_a_source_of_which_nothing_was_understood_is_told_of(
    dagbag: Any, fake: Fake, store: Store, told: Webhook
) -> None:
    crawl_fakes(fake)
    asked = fake(lvbag.crawl, "not_understood", {"shop": "9 of 9 pages of results could not be read"})

    state, _, run = run_dag(dagbag, "lvbag_crawl", CONF)

    assert (state, asked.call_args.args) == ("success", (store, NIGHT))
    (message,) = told.got
    assert (message["event"], message["run"]) == ("not_understood", run.run_id)
    assert message["what"] == ["shop: 9 of 9 pages of results could not be read"]
    assert "report of 2026-11-22" in message["links"]


@pytest.mark.parametrize("fault", ["webhook", "message"])
def test_a_notification_that_fails_fails_no_night(
    dagbag: Any, fake: Fake, told: Webhook, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    crawl_fakes(fake)
    told.answer = 500
    found = {"shop": "nothing"} if fault == "webhook" else None
    fake(lvbag.crawl, "not_understood", found, None if found else RuntimeError("no such plan"))

    state, tasks, _ = run_dag(dagbag, "lvbag_crawl", CONF)

    assert (state, tasks["close_night"], tasks["announce"]) == ("success", "success", "success")
    assert told.tries == (1 if found else 0)
    assert "notify.failed" in caplog.text
    assert TOKEN not in caplog.text


def test_a_night_of_which_every_shard_failed_is_not_closed(dagbag: Any, fake: Fake, told: Webhook) -> None:
    close = crawl_fakes(fake, shards=("shop.666",))
    fake(lvbag.crawl, "not_understood", {"shop": "9 of 9 pages of results could not be read"})

    state, tasks, run = run_dag(dagbag, "lvbag_crawl", CONF)

    assert (state, tasks["close_night"]) == ("failed", "failed")
    close.assert_not_called()
    assert events(run) == []
    assert told.events == ["not_understood", "failed"], "why, and that the night is lost"


def test_a_night_without_plan_fails(dagbag: Any, fake: Fake, told: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    close = crawl_fakes(fake)
    lvbag.crawl.plan_night.side_effect = RuntimeError("no catalog")  # type: ignore[attr-defined]

    state, tasks, _ = run_dag(dagbag, "lvbag_crawl", CONF)

    assert (state, tasks["close_night"]) == ("failed", "failed")
    close.assert_not_called()
    assert told.events == ["failed"]
    assert "notify.failed" not in caplog.text


def test_a_dry_run_only_plans(dagbag: Any, fake: Fake) -> None:
    close = crawl_fakes(fake)

    state, tasks, run = run_dag(dagbag, "lvbag_crawl", {**CONF, "dry_run": True})

    assert (state, tasks["plan"], tasks["close_night"]) == ("success", "success", "skipped")
    close.assert_not_called()
    assert events(run) == []


# ------------------------------------------------------------------ curate


def curate_fakes(fake: Fake, changed: bool = True, parts: tuple[int, ...] = (0, 1)) -> dict[str, MagicMock]:
    stage = StageResult(NIGHT, "s3://s", 2, 2, {})
    return {
        "mark_exact": fake(lvbag.curate, "mark_exact", stage),
        "mark_near": fake(lvbag.curate, "mark_near", stage),
        "validate_night": fake(
            lvbag.curate, "validate_night", ValidationResult(NIGHT, "s3://v", 2, 2, {}, {}, "s3://d")
        ),
        "plan_cleaning": fake(lvbag.curate, "plan_cleaning", CleaningPlan(NIGHT, "0001", parts)),
        "clean_part": fake(lvbag.curate, "clean_part", stage),
        "mark_crops": fake(lvbag.curate, "mark_crops", stage),
        "publish_snapshot": fake(lvbag.curate, "publish_snapshot"),
        "quarantined": fake(lvbag.curate, "quarantined_sources", {}),
        "write_snapshot": fake(lvbag.curate, "write_snapshot", SnapshotResult("snap", changed, NIGHT, 2, 20, 14, 2, 4)),
        "find_outliers": fake(lvbag.learn, "find_outliers", OutlierResult(NIGHT, "s3://o", 20, 20, 1, 2, False, 1.0)),
        "report_night": fake(lvbag.curate, "report_night", ReportResult(NIGHT, "s3://r", {"kept": 2})),
    }


def test_curation_cleans_every_part_and_announces_the_snapshot(dagbag: Any, fake: Fake) -> None:
    fakes = curate_fakes(fake)

    state, _, run = run_dag(dagbag, "lvbag_curate", CONF)

    assert state == "success"
    assert sorted(call.args[2:] for call in fakes["clean_part"].call_args_list) == [
        (NIGHT, 0, "0001"),
        (NIGHT, 1, "0001"),
    ]
    assert fakes["mark_crops"].call_args.args[2:] == (NIGHT, (0, 1))
    assert fakes["write_snapshot"].call_args.args[2:] == (NIGHT, (0, 1))
    (published,) = fakes["publish_snapshot"].call_args.args[2:]
    assert published == SnapshotResult("snap", True, NIGHT, 2, 20, 14, 2, 4)
    fakes["report_night"].assert_called_once()
    assert events(run) == [
        {
            "snapshot": "snap",
            "night": "2026-11-22",
            "counts": {"products": 2, "images": 20, "train": 14, "val": 2, "test": 4},
        }
    ]


def test_outliers_are_looked_for_before_the_report(dagbag: Any, fake: Fake) -> None:
    fakes = curate_fakes(fake)

    def report(store: Any, settings: Any, night: dt.date) -> ReportResult:
        fakes["find_outliers"].assert_called_once()
        return ReportResult(night, "s3://r", {})

    fakes["report_night"].side_effect = report

    state, tasks, _ = run_dag(dagbag, "lvbag_curate", CONF)

    assert (state, tasks["find_outliers"]) == ("success", "success")
    assert fakes["find_outliers"].call_args.args[2] == NIGHT
    fakes["report_night"].assert_called_once()


def test_a_night_stands_when_its_outliers_cannot_be_found(dagbag: Any, fake: Fake) -> None:
    fakes = curate_fakes(fake)
    fakes["find_outliers"].side_effect = LearnError("the loss became nan")

    state, tasks, run = run_dag(dagbag, "lvbag_curate", CONF)

    assert (state, tasks["find_outliers"], tasks["report_night"]) == ("success", "failed", "success")
    assert [event["snapshot"] for event in events(run)] == ["snap"]


def test_a_snapshot_that_leaks_is_announced_to_nobody(dagbag: Any, fake: Fake) -> None:
    fakes = curate_fakes(fake)
    fakes["publish_snapshot"].side_effect = CurateError("cluster 1 straddles splits")

    state, tasks, run = run_dag(dagbag, "lvbag_curate", CONF)

    assert (state, tasks["check_snapshot"], tasks["announce"]) == ("failed", "failed", "upstream_failed")
    assert tasks["report_night"] == "success"
    assert events(run) == []


def test_a_quarantined_source_marks_the_run_and_stops_nothing_else(dagbag: Any, fake: Fake, told: Webhook) -> None:
    fakes = curate_fakes(fake)
    fakes["quarantined"].return_value = {"shop": "price_share: 0.97"}

    state, tasks, run = run_dag(dagbag, "lvbag_curate", CONF)

    assert (state, tasks["raise_alarm"], tasks["announce"]) == ("failed", "failed", "success")
    assert [event["snapshot"] for event in events(run)] == ["snap"]
    assert told.events == ["quarantined"], "and not that the run has failed by it as well"
    assert told.got[0]["what"] == ["night 2026-11-22: source shop was set aside: price_share: 0.97"]
    report = "http://127.0.0.1:8080/lvbag/reports/nights/2026-11-22/index.html"
    assert told.got[0]["links"]["report of 2026-11-22"] == report


def test_a_run_that_failed_by_more_than_its_quarantine_is_told_of_as_failed_too(
    dagbag: Any, fake: Fake, told: Webhook
) -> None:
    fakes = curate_fakes(fake)
    fakes["quarantined"].return_value = {"shop": "price_share: 0.97"}
    fakes["mark_near"].side_effect = RuntimeError("no memory")

    run_dag(dagbag, "lvbag_curate", CONF)

    assert [(item["event"], item["what"][-1]) for item in told.got] == [
        ("quarantined", "night 2026-11-22: source shop was set aside: price_share: 0.97"),
        ("failed", "task mark_near failed"),
    ]


def test_of_several_nights_that_wait_all_but_the_last_are_curated_whole_and_in_order(dagbag: Any, fake: Fake) -> None:
    whole = fake(lvbag.curate, "curate_night", [])
    catch_up = dagbag.dags["lvbag_curate"].get_task("catch_up").python_callable

    assert catch_up(["2026-11-20", "2026-11-21", "2026-11-22"]) == ["2026-11-22"]
    assert [call.args[2].isoformat() for call in whole.call_args_list] == ["2026-11-20", "2026-11-21"]


def test_nights_that_were_crawled_while_curation_was_paused_come_before_the_newest(
    dagbag: Any, fake: Fake, store: Store
) -> None:
    fakes = curate_fakes(fake)
    whole = fake(lvbag.curate, "curate_night", [])
    for days_ago in range(4):
        store.put_json(keys.night_manifest(NIGHT - dt.timedelta(days=days_ago)), {"changed": days_ago != 1})
    store.put(keys.stage(NIGHT - dt.timedelta(days=3), "exact"), b"a table")

    state, _, _ = run_dag(dagbag, "lvbag_curate", {"night": None})
    waited = [call.args[2].isoformat() for call in whole.call_args_list]
    run_dag(dagbag, "lvbag_curate", CONF)

    assert (state, waited) == ("success", ["2026-11-20"])
    assert len(whole.call_args_list) == 1, "a night that is named takes none along"
    assert [call.args[2] for call in fakes["mark_exact"].call_args_list] == [NIGHT, NIGHT]


def test_a_night_without_a_photo_to_clean_still_gets_its_snapshot_and_report(dagbag: Any, fake: Fake) -> None:
    fakes = curate_fakes(fake, changed=False, parts=())

    state, tasks, run = run_dag(dagbag, "lvbag_curate", CONF)

    assert (state, tasks["clean_part"], tasks["announce"]) == ("success", "skipped", "skipped")
    assert fakes["write_snapshot"].call_args.args[2:] == (NIGHT, ())
    fakes["report_night"].assert_called_once()
    assert events(run) == []


def test_a_failed_step_fails_the_run_and_the_night_is_still_reported(dagbag: Any, fake: Fake, told: Webhook) -> None:
    fakes = curate_fakes(fake)
    fakes["mark_near"].side_effect = RuntimeError("no memory")

    state, tasks, run = run_dag(dagbag, "lvbag_curate", CONF)

    assert (state, tasks["mark_near"], tasks["report_night"]) == ("failed", "failed", "success")
    fakes["write_snapshot"].assert_not_called()
    assert events(run) == []
    assert [(item["event"], item["title"], item["what"]) for item in told.got] == [
        ("failed", "lvbag_curate failed", ["task mark_near failed"])
    ]


# ------------------------------------------------------------------ train


def train_fakes(fake: Fake, ready: bool = True, promoted: bool = True) -> dict[str, MagicMock]:
    def decision(challenger: int, wins: bool) -> Decision:
        return Decision(
            kind=ModelKind.CLASSIFIER, challenger=challenger, champion=None, evaluation="e", promoted=wins, rules=(),
            summary="because",
        )  # fmt: skip

    def train(store: Any, settings: Any, snapshot: str, recipe: str, seed: int = 0) -> TrainingResult:
        if recipe == "broken":
            raise RuntimeError("no such network")
        return TrainingResult({"small": 1, "large": 2}[recipe], False, 1.0)

    fake(lvbag.curate, "newest_snapshot", "snap")
    return {
        "enough_new": fake(lvbag.learn, "enough_new", Readiness(ready, "because", 5)),
        "train": fake(lvbag.learn, "train_classifier", effect=train),
        "evaluate": fake(lvbag.learn, "evaluate_classifiers", EvaluationResult("e", None, (1, 2))),
        "judge": fake(lvbag.registry, "judge", (decision(1, False), decision(2, promoted))),
        "promote": fake(
            lvbag.registry, "promote", effect=lambda store, kind, decision, at, by: bool(decision.promoted)
        ),
    }


def test_training_promotes_and_announces_the_winner(dagbag: Any, fake: Fake, told: Webhook) -> None:
    fakes = train_fakes(fake)

    state, tasks, run = run_dag(dagbag, "lvbag_train", {"recipes": ["small", "large"]})

    assert (state, tasks["train_classifier"], tasks["approve"]) == ("success", "success,success", "skipped")
    assert fakes["evaluate"].call_args.args[2:] == ("snap", [1, 2])
    assert [call.args[2].challenger for call in fakes["promote"].call_args_list] == [1, 2]
    assert {call.args[3] for call in fakes["promote"].call_args_list} == {run.logical_date or run.run_after}
    assert events(run) == [{"kind": "classifier", "version": 2}]
    assert [(item["event"], item["title"]) for item in told.got] == [
        ("promoted", "classifier 0002 is the new champion"),
        ("refused", "classifier 0001 refused"),
    ]


def test_the_person_who_is_asked_reads_every_rule(dagbag: Any) -> None:
    from jinja2 import Template

    rules = ["ok gain: top-1 0.9 against 0.8", "fails, not required evidence: by chance with p = 0.2"]
    told = [{"challenger": 2, "promoted": True, "summary": "classifier 0002 replaces 0001", "rules": rules}]
    body = dagbag.dags["lvbag_train"].get_task("approve").body
    text = Template(body).render(ti=MagicMock(xcom_pull=lambda task_ids: told if task_ids == "judge" else None))
    assert text.splitlines()[:4] == ["classifier 0002 replaces 0001", "", *(f"- {rule}" for rule in rules)]


def test_refusals_are_recorded_and_announce_nothing(dagbag: Any, fake: Fake, told: Webhook) -> None:
    fakes = train_fakes(fake, promoted=False)

    state, tasks, run = run_dag(dagbag, "lvbag_train", {"recipes": ["small", "large"]})

    assert (state, tasks["promote"], tasks["announce"]) == ("success", "success", "skipped")
    assert fakes["promote"].call_count == 2
    assert events(run) == []
    assert [(item["event"], item["what"]) for item in told.got] == [("refused", ["because", "because"])]


def test_too_little_new_data_trains_nobody(dagbag: Any, fake: Fake) -> None:
    fakes = train_fakes(fake, ready=False)

    state, tasks, _ = run_dag(dagbag, "lvbag_train", {"recipes": ["small"]})

    assert state == "success"
    assert {tasks[name] for name in ("which_recipes", "train_classifier", "evaluate", "promote")} == {"skipped"}
    fakes["train"].assert_not_called()


def test_a_failed_recipe_does_not_keep_the_other_from_being_measured(dagbag: Any, fake: Fake) -> None:
    fakes = train_fakes(fake)

    _, tasks, _ = run_dag(dagbag, "lvbag_train", {"recipes": ["broken", "large"]})

    assert tasks["train_classifier"] == "failed,success"
    assert fakes["evaluate"].call_args.args[2:] == ("snap", [2])


def test_without_recipes_in_the_form_the_settings_name_them(dagbag: Any, fake: Fake) -> None:
    fakes = train_fakes(fake, ready=True)
    fakes["train"].side_effect = lambda store, settings, snapshot, recipe, seed=0: TrainingResult(2, False, 1.0)

    run_dag(dagbag, "lvbag_train", {})

    assert [call.args[3] for call in fakes["train"].call_args_list] == ["efficientnet_b0"]


# ------------------------------------------------------------------ care for labels


def test_the_labels_of_the_newest_snapshot_are_judged(dagbag: Any, fake: Fake) -> None:
    fake(lvbag.curate, "newest_snapshot", "2026-11-22-0123456789ab")
    result = SuspicionResult("2026-11-22-0123456789ab", "s3://x", 100, 90, 7, 7, 0.8, False, 60.0)
    find = fake(lvbag.learn, "find_suspicions", result)

    state, tasks, _ = run_dag(dagbag, "lvbag_care_labels", {"again": True})

    assert (state, tasks) == ("success", {"find_suspicions": "success"})
    assert find.call_args.args[2:] == ("2026-11-22-0123456789ab", True)


@pytest.mark.parametrize("newest", [None, "2026-11-22-0123456789ab"])
def test_without_a_snapshot_or_enough_pictures_it_is_skipped(dagbag: Any, fake: Fake, newest: str | None) -> None:
    fake(lvbag.curate, "newest_snapshot", newest)
    fake(lvbag.learn, "find_suspicions", SuspicionResult("s", "", 3, 0, 0, 0, None, False, 0.1, "too few pictures"))

    _, tasks, _ = run_dag(dagbag, "lvbag_care_labels", {})

    assert tasks == {"find_suspicions": "skipped"}


# ------------------------------------------------------------------ operate


TRIAL = Trial(ModelKind.CLASSIFIER, 3, 64, 60, "60 of 64 test pictures named right")


def test_a_rollback_tries_the_version_and_tells_the_registry_who_and_why(dagbag: Any, fake: Fake) -> None:
    fake(lvbag.registry, "load_version", MagicMock())
    back = fake(lvbag.care, "roll_back", TRIAL)

    conf = {"action": "rollback", "dry_run": False, "version": 3, "why": "it saw ghosts"}
    state, tasks, run = run_dag(dagbag, "lvbag_operate", conf)

    assert (state, tasks["verify"], tasks["build_snapshot"]) == ("success", "skipped", "skipped")
    _, _, kind, number, _, by, why = back.call_args.args
    assert (kind, number, by, why) == (ModelKind.CLASSIFIER, 3, f"airflow:{run.run_id}", "it saw ghosts")
    assert events(run) == [{"kind": "classifier", "version": 3}]


def test_a_rollback_is_dry_unless_told_otherwise(dagbag: Any, fake: Fake) -> None:
    fake(lvbag.registry, "load_version", MagicMock())
    tried = fake(lvbag.care, "try_version", TRIAL)
    back = fake(lvbag.care, "roll_back", TRIAL)

    _, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "rollback", "version": 3})

    assert tasks["rollback"] == "skipped"
    assert tried.call_args.args[2:] == (ModelKind.CLASSIFIER, 3), "what would be refused is said before"
    back.assert_not_called()


def publish_two(store: Store, folder: Path) -> None:
    """Two classifiers that differ in their recipe; the second one is the champion."""
    for name in ("plain", "tuned"):
        files = folder / name
        files.mkdir()
        (files / "model.onnx").write_bytes(name.encode())
        number = lvbag.registry.reserve_version(store, ModelKind.CLASSIFIER, name)
        made = record(number, name, recipe=name, metrics={"top1": 0.5 + number / 10})
        lvbag.registry.publish_version(store, ModelKind.CLASSIFIER, number, files, made)
    lvbag.registry.rollback(store, ModelKind.CLASSIFIER, 2, AT, "test", "the better one")


def result_of(run: Any, name: str) -> Any:
    (task,) = (task for task in run.get_task_instances() if task.task_id == name)
    return task.xcom_pull(task_ids=name)


def test_show_and_compare_tell_of_the_registry_and_change_nothing(
    dagbag: Any, fake: Fake, store: Store, tmp_path: Path
) -> None:
    publish_two(store, tmp_path)
    before = [item.ref for bucket in Bucket for item in store.list_objects(bucket)]

    state, tasks, run = run_dag(dagbag, "lvbag_operate", {"action": "show", "dry_run": False})
    assert (state, tasks["show"], tasks["export"]) == ("success", "success", "skipped")
    assert [(row["version"], row["champion"]) for row in result_of(run, "show")] == [(1, False), (2, True)]

    state, _, run = run_dag(dagbag, "lvbag_operate", {"action": "compare", "version": 1})
    found = result_of(run, "compare")
    assert (state, found["a"], found["b"], found["together"]) == ("success", 1, 2, None)
    assert [item["a"].split()[0] for item in found["differences"] if item["name"] == "recipe"] == ["plain"]
    assert found["figures"] == [{"name": "top1", "a": 0.6, "b": 0.7}]
    assert [item.ref for bucket in Bucket for item in store.list_objects(bucket)] == before


def test_an_export_is_dry_unless_told_otherwise_and_stands_in_the_reports_by_name(
    dagbag: Any, fake: Fake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    publish_two(store, tmp_path)

    _, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "export"})
    assert tasks["export"] == "skipped"
    assert not list(store.list_objects(Bucket.REPORTS))

    state, tasks, run = run_dag(dagbag, "lvbag_operate", {"action": "export", "dry_run": False})
    assert (state, tasks["export"]) == ("success", "success")
    names = ["README.md", "classes.json", "example.py", "model.onnx", "preprocessing.json"]
    assert [item.ref.key for item in store.list_objects(Bucket.REPORTS)] == [
        f"exports/classifier-0002/{name}" for name in names
    ]
    assert store.get(keys.export(ModelKind.CLASSIFIER, 2, "model.onnx")) == b"tuned"
    assert sorted(result_of(run, "export")) == names


@pytest.mark.parametrize("action", ["show", "compare", "export"])
def test_a_version_that_does_not_exist_fails(dagbag: Any, fake: Fake, action: str) -> None:
    conf = {"action": action, "dry_run": False, "version": 7, "other": 7}

    state, tasks, _ = run_dag(dagbag, "lvbag_operate", conf)

    assert (state, tasks[action]) == ("failed", "failed")


def reclean_fakes(fake: Fake, jobs: tuple[RecleaningJob, ...]) -> dict[str, MagicMock]:
    stage = StageResult(NIGHT, "s3://s", 2, 2, {})
    return curate_fakes(fake) | {
        "plan": fake(lvbag.curate, "plan_recleaning", RecleaningPlan("0002", jobs)),
        "begin": fake(lvbag.curate, "begin_recleaning"),
        "reclean_part": fake(lvbag.curate, "reclean_part", RecleanedPart(NIGHT, 0, 5, 1, 2, {})),
        "compare_again": fake(lvbag.curate, "compare_again", stage),
        "end": fake(lvbag.curate, "end_recleaning"),
    }


BEFORE = NIGHT - dt.timedelta(days=1)
JOBS = (RecleaningJob(BEFORE, 0, "0002", 5), RecleaningJob(NIGHT, 0, "0002", 0), RecleaningJob(NIGHT, 1, "0002", 0))


def test_re_clean_judges_its_jobs_and_ends_in_the_newest_snapshot_and_the_reports(dagbag: Any, fake: Fake) -> None:
    fakes = reclean_fakes(fake, JOBS)

    state, _, run = run_dag(dagbag, "lvbag_operate", {"action": "re_clean", "dry_run": False, "all": True, **CONF})

    assert state == "success"
    assert fakes["plan"].call_args.args[2:] == ([NIGHT], True)
    assert {call.args[2] for call in fakes["reclean_part"].call_args_list} == set(JOBS)
    assert [call.args[2:] for call in fakes["compare_again"].call_args_list] == [(BEFORE, (0,)), (NIGHT, (0, 1))]
    assert [call.args[2:] for call in fakes["write_snapshot"].call_args_list] == [(NIGHT, (0, 1))]
    assert [call.args[2] for call in fakes["report_night"].call_args_list] == [BEFORE, NIGHT]
    fakes["begin"].assert_called_once()
    fakes["end"].assert_called_once()
    assert [event["snapshot"] for event in events(run)] == ["snap"]


@pytest.mark.parametrize(("jobs", "dry"), [(JOBS, True), ((), False)])
def test_re_clean_changes_nothing_when_it_is_dry_or_has_nothing_to_do(
    dagbag: Any, fake: Fake, jobs: tuple[RecleaningJob, ...], dry: bool
) -> None:
    fakes = reclean_fakes(fake, jobs)

    state, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "re_clean", "dry_run": dry})

    assert (state, tasks["re_clean"], tasks["build_snapshot"]) == ("success", "skipped", "skipped")
    assert fakes["plan"].call_args.args[2:] == ([], False)
    for name in ("begin", "reclean_part", "write_snapshot", "end"):
        fakes[name].assert_not_called()


def test_verify_of_an_empty_store_finds_nothing_wrong(dagbag: Any, fake: Fake) -> None:
    state, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "verify"})

    assert (state, tasks["verify"]) == ("success", "success")
    assert {
        tasks[name] for name in ("rollback", "show", "compare", "export", "re_clean", "take_down", "collect_garbage")
    } == {"skipped"}


def test_verify_reads_what_the_form_names_and_fails_with_what_it_finds(dagbag: Any, fake: Fake) -> None:
    found = (Finding("raw_corrupt", "s3://raw/x", "other bytes", "restore it"),)
    verify = fake(lvbag.care, "verify_store", Verified({"raw": 3}, found))

    state, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "verify", "what": ["raw"], "sample": None})

    assert (state, tasks["verify"]) == ("failed", "failed")
    assert (verify.call_args.args[1], verify.call_args.kwargs["sample"]) == (("raw",), None)


def operate_on_a_listing(store: Store) -> Ref:
    """A listing with one picture, as the crawl leaves it."""
    sha256 = hashlib.sha256(b"a photo").hexdigest()
    row = {"night": NIGHT, "source": "shop", "shard": "s", "listing_id": "1", "verdict": "kept", "fetched_at": NOW}
    listings = pl.DataFrame([{**row, "url": "https://shop.test/1"}], schema=schemas.LISTINGS)
    picture = {"image_url": "https://shop.test/1.jpg", "sha256": sha256, "format": "jpg", "position": 0}
    fetches = pl.DataFrame([{**row, **picture}], schema=schemas.FETCHES)
    write_table(store, keys.listings(NIGHT, "shop", "s"), listings, schemas.LISTINGS)
    write_table(store, keys.fetches(NIGHT, "shop", "s"), fetches, schemas.FETCHES)
    ref = keys.raw_image(sha256, "jpg")
    store.put(ref, b"a photo")
    return ref


def test_a_takedown_is_dry_unless_told_otherwise(dagbag: Any, fake: Fake, store: Store) -> None:
    ref = operate_on_a_listing(store)
    conf = {"action": "take_down", "target_kind": "listing", "target": "shop/1", "why": "asked"}

    _, tasks, _ = run_dag(dagbag, "lvbag_operate", conf)
    assert (tasks["take_down"], store.exists(ref)) == ("skipped", True)
    assert read_tombstones(store).listings == frozenset()

    state, tasks, run = run_dag(dagbag, "lvbag_operate", {**conf, "dry_run": False})
    assert (state, tasks["take_down"], store.exists(ref)) == ("success", "success", False)
    assert read_tombstones(store).listings == {("shop", "1")}
    note = next(store.get_json(item.ref) for item in store.list_objects(Bucket.RAW, "tombstones/"))
    assert (note["why"], note["by"]) == ("asked", f"airflow:{run.run_id}")


@pytest.mark.parametrize("conf", [{"target": "shop/none"}, {"target": ""}, {"target": "shop"}])
def test_a_takedown_of_what_nobody_knows_fails(dagbag: Any, fake: Fake, conf: dict[str, str]) -> None:
    state, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "take_down", "dry_run": False, "why": "x", **conf})

    assert (state, tasks["take_down"]) == ("failed", "failed")


def test_garbage_is_only_shown_unless_told_otherwise(dagbag: Any, fake: Fake) -> None:
    planned = fake(lvbag.care, "plan_collection", GarbagePlan(Limits(30, 2), NOW, (), {"snap": "newest"}))
    collect = fake(lvbag.care, "collect", {"crop": 1})

    _, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "collect_garbage", "keep_snapshots": 2})
    assert tasks["collect_garbage"] == "skipped"
    collect.assert_not_called()
    assert planned.call_args.args[2] == Limits(30, 2)

    state, tasks, _ = run_dag(dagbag, "lvbag_operate", {"action": "collect_garbage", "dry_run": False})
    assert (state, tasks["collect_garbage"]) == ("success", "success")
    collect.assert_called_once()
