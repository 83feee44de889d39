"""What every DAG must be like: readable, owned, retried, limited in time, and quick to read for Airflow."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("lvbag_care_labels", "lvbag_crawl", "lvbag_curate", "lvbag_operate", "lvbag_train", "lvbag_train_detector")
HEAVY = (
    "torch", "torchvision", "timm", "ultralytics", "great_expectations", "pandas", "faiss", "polars", "numpy",
    "onnxruntime", "matplotlib", "PIL", "bs4",
)  # fmt: skip


def test_the_folder_holds_these_dags_and_all_can_be_read(dagbag: Any) -> None:
    assert dagbag.import_errors == {}
    assert tuple(sorted(dagbag.dags)) == NAMES
    assert {path.stem for path in (ROOT / "dags").glob("*.py")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_dag_keeps_to_the_policy(dagbag: Any, name: str) -> None:
    dag = dagbag.dags[name]

    assert dag.doc_md
    assert dag.doc_md.lstrip().startswith("###")
    assert dag.description
    assert "lvbag" in dag.tags
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert str(dag.timezone) in ("UTC", "Timezone('UTC')")
    for parameter in dag.params:
        assert dag.params.get_param(parameter).description, parameter


@pytest.mark.parametrize("name", NAMES)
def test_a_task_keeps_to_the_policy(dagbag: Any, name: str) -> None:
    for task in dagbag.dags[name].tasks:
        assert task.owner == "lvbag", task.task_id
        assert task.task_id == "rollback" or task.retries == 2, task.task_id
        assert task.retry_exponential_backoff > 1, task.task_id
        assert task.on_failure_callback, task.task_id
        limit = task.execution_timeout or getattr(task, "response_timeout", None)
        assert dt.timedelta(0) < limit <= dt.timedelta(days=7), task.task_id


@pytest.mark.parametrize("name", ["lvbag_crawl", "lvbag_operate"])
def test_the_dry_run_comes_first_in_the_form(dagbag: Any, name: str) -> None:
    assert next(iter(dagbag.dags[name].params)) == "dry_run"


NIGHTLY = ("lvbag_crawl", "lvbag_curate", "lvbag_train")


@pytest.mark.parametrize("name", NAMES)
def test_people_are_told_of_a_run_that_failed_and_of_a_nightly_one_that_is_late(dagbag: Any, name: str) -> None:
    from lvbag.orchestrate.notifying import TellFailed

    dag = dagbag.dags[name]
    assert isinstance(dag.on_failure_callback, TellFailed)
    assert bool(dag.deadline) == (name in NIGHTLY) == ("nightly" in dag.tags)


def test_who_tells_of_a_task_of_its_own_still_logs_its_failure(dagbag: Any) -> None:
    from lvbag.orchestrate.defaults import log_failure
    from lvbag.orchestrate.notifying import TELLS_ITSELF, TellNotUnderstood, TellQuarantined

    alarm = dagbag.dags["lvbag_curate"].get_task(TELLS_ITSELF).on_failure_callback
    assert (alarm[0], type(alarm[1])) == (log_failure, TellQuarantined)
    close = dagbag.dags["lvbag_crawl"].get_task("close_night")
    assert (close.on_failure_callback[0], type(close.on_failure_callback[1])) == (log_failure, TellNotUnderstood)
    assert [type(told) for told in close.on_success_callback] == [TellNotUnderstood]


def test_a_wrong_setting_takes_no_dag_away(monkeypatch: pytest.MonkeyPatch, airflow_home: Path) -> None:
    from lvbag.orchestrate.notifying import late_alert

    monkeypatch.setenv("LVBAG_NOTIFY__LATE_AFTER_H", "6")
    assert late_alert().interval == dt.timedelta(hours=6)
    monkeypatch.setenv("LVBAG_NOTIFY__LATE_AFTER_H", "soon")
    assert late_alert().interval == dt.timedelta(hours=12)


def test_trainings_wait_for_one_another_in_the_gpu_pool(dagbag: Any) -> None:
    for name in ("lvbag_train", "lvbag_train_detector"):
        pools = {task.task_id: (task.pool, task.queue) for task in dagbag.dags[name].tasks}
        assert {task_id for task_id, where in pools.items() if where == ("gpu", "gpu")} == {
            task_id for task_id in pools if task_id.startswith(("train_", "evaluate"))
        }


def test_outliers_wait_for_the_gpu_as_well(dagbag: Any) -> None:
    where = {task.task_id: (task.pool, task.queue) for task in dagbag.dags["lvbag_curate"].tasks}
    assert {task_id for task_id, place in where.items() if place == ("gpu", "gpu")} == {"find_outliers"}


def test_suspicious_labels_wait_for_the_gpu_and_are_looked_for_on_sundays(dagbag: Any) -> None:
    dag = dagbag.dags["lvbag_care_labels"]
    assert [(task.task_id, task.pool, task.queue) for task in dag.tasks] == [("find_suspicions", "gpu", "gpu")]
    assert dag.timetable.expression == "0 12 * * 0"


def test_shards_are_crawled_one_at_a_time(dagbag: Any) -> None:
    assert dagbag.dags["lvbag_crawl"].get_task("crawl_shard").max_active_tis_per_dagrun == 4


@pytest.mark.parametrize("now", ["2026-11-24T02:05:00+00:00", "2026-11-24T13:00:00+00:00"])
def test_the_crawl_starts_at_two_and_not_when_it_is_unpaused(
    dagbag: Any, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    """Not even shortly after two, where Airflow's `run_immediately=False` starts the run that was missed."""
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables import trigger
    from airflow.timetables.base import TimeRestriction

    timetable = coerce_to_core_timetable(dagbag.dags["lvbag_crawl"].timetable)
    monkeypatch.setattr(trigger, "utcnow", lambda: dt.datetime.fromisoformat(now))
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)

    assert info.run_after == dt.datetime(2026, 11, 25, 2, tzinfo=dt.UTC)


def test_the_dags_are_chained_by_assets(dagbag: Any) -> None:
    consumed = {name: _consumed(dagbag.dags[name]) for name in NAMES}
    assert consumed == {
        "lvbag_care_labels": set(),
        "lvbag_crawl": set(),
        "lvbag_curate": {"listings"},
        "lvbag_train": {"dataset"},
        "lvbag_train_detector": {"labels"},
        "lvbag_operate": set(),
    }
    produced = {
        name: {(task.task_id, asset.name) for task in dagbag.dags[name].tasks for asset in task.outlets}
        for name in NAMES
    }
    assert produced["lvbag_crawl"] == {("announce", "listings")}
    assert produced["lvbag_curate"] == {("announce", "dataset")}
    assert produced["lvbag_train"] == {("announce", "model")}
    assert produced["lvbag_train_detector"] == {("announce", "detector")}


def test_a_promoted_detector_starts_re_cleaning(dagbag: Any) -> None:
    task = dagbag.dags["lvbag_train_detector"].get_task("re_clean")
    assert task.upstream_task_ids == {"announce"}, "which is skipped where no detector was promoted"
    operate = dagbag.dags[task.trigger_dag_id]
    assert set(task.conf) <= set(operate.params)
    assert operate.has_task(task.conf["action"])
    assert task.conf["dry_run"] is False
    assert "run_id" in task.trigger_run_id


def _consumed(dag: Any) -> set[str]:
    condition = getattr(dag.timetable, "asset_condition", None)
    return {asset.name for asset in condition.objects} if condition is not None else set()


@pytest.mark.parametrize("name", NAMES)
def test_a_dag_file_is_read_in_under_a_second_and_without_heavy_packages(name: str, airflow_home: Path) -> None:
    """In a fresh interpreter, beside what Airflow itself imports."""
    code = (
        "import json, sys, time\n"
        "import airflow.sdk, airflow.providers.standard.operators.hitl, airflow.providers.standard.decorators.python\n"
        "import airflow.providers.standard.operators.trigger_dagrun\n"
        "from airflow.sdk import CronTriggerTimetable, Param, task; task.branch, task.short_circuit\n"
        "before = set(sys.modules)\n"
        "started = time.process_time()\n"
        f"import runpy; runpy.run_path({str(ROOT / 'dags' / f'{name}.py')!r})\n"
        "seconds = time.process_time() - started\n"
        f"heavy = sorted(n for n in {HEAVY!r} if n in sys.modules and n not in before)\n"
        "print(json.dumps([seconds, heavy]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout.splitlines()[-1]
    seconds, heavy = json.loads(answer)

    assert heavy == []
    assert seconds < 1.0
