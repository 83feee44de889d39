from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock, create_autospec

import pytest

from lvbag.catalog import load_catalog
from lvbag.demo import run
from lvbag.demo.configuration import write_configuration
from lvbag.demo.nights import finished_nights, nights_to_run, remember_night
from lvbag.demo.run import Demo, run_demo
from lvbag.demo.watch import DemoError, follow, next_run
from lvbag.learn import load_classifier_recipe, load_detector_recipe
from lvbag.nights import today
from lvbag.services.airflow_client import AirflowClient, TaskState
from lvbag.services.machine import Machine
from lvbag.settings import load_settings

DAY = dt.timedelta(days=1)


def test_the_first_demo_runs_two_nights_of_a_growing_market_in_the_past(tmp_path: Path) -> None:
    first, second = nights_to_run(tmp_path)
    assert (first.market_night, second.market_night) == (1, 2)
    assert first.day + DAY == second.day < today()


def test_an_interrupted_demo_owes_its_second_night(tmp_path: Path) -> None:
    first, second = nights_to_run(tmp_path)
    remember_night(tmp_path, first.day)
    assert nights_to_run(tmp_path) == (second,)


def test_every_later_demo_adds_a_night_on_which_the_market_stands_still(tmp_path: Path) -> None:
    for night in nights_to_run(tmp_path):
        remember_night(tmp_path, night.day)
    (third,) = nights_to_run(tmp_path)
    assert (third.day, third.market_night) == (finished_nights(tmp_path)[-1] + DAY, 2)


@pytest.mark.parametrize("with_photos", [False, True])
def test_the_demo_configures_a_home_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_photos: bool
) -> None:
    photos = tmp_path / "photos"
    for name in ("Tote", "Clutch"):
        (photos / name).mkdir(parents=True)
        (photos / name / "1.jpg").write_bytes(b"only its name is looked at here")
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    monkeypatch.setenv("LVBAG_HOME", str(home))
    monkeypatch.delenv("LVBAG_CONFIG_DIR", raising=False)

    folder = write_configuration(home, 1234, photos if with_photos else None)

    settings = load_settings()
    assert settings.crawl.loopback_hosts == ("127.0.0.1:1234",)
    assert settings.crawl.sources["market"].search_url.startswith("http://127.0.0.1:1234/")
    assert len(load_catalog(folder).products) == (2 if with_photos else 12)
    assert [load_classifier_recipe(name).epochs > 0 for name in settings.train.recipes] == [True]
    assert load_detector_recipe(settings.detector.recipe).epochs > 0


class Airflow:
    """A run that goes through given looks: its state, and the states of its tasks."""

    def __init__(self, *looks: tuple[str, list[TaskState]]) -> None:
        self.looks = list(looks)

    def run_state(self, dag_id: str, run_id: str) -> str:
        state = self.looks[0][0]
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        return self.looks.pop(0)[1] if len(self.looks) > 1 else self.looks[0][1]

    def log_tail(self, dag_id: str, run_id: str, task: TaskState, lines: int = 40) -> str:
        return "epoch 3/12\n::endgroup::"

    def wait_for_new_run(self, dag_id: str, known: set[str], timeout_s: float) -> None:
        return None


def task(state: str, map_index: int = -1) -> TaskState:
    return TaskState("train", map_index, state, 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvbag.demo.watch.POLL_S", 0.0)
    monkeypatch.setattr("lvbag.demo.watch.QUIET_S", -1.0)


def test_a_run_is_followed_task_by_task_and_a_long_one_lets_its_log_speak() -> None:
    said: list[str] = []
    airflow = Airflow(
        ("running", [task("running", 0)]), ("running", [task("running", 0)]), ("success", [task("success", 0)])
    )
    follow(airflow, "lvbag_train", "r", said.append)  # type: ignore[arg-type]
    assert [line.split("lvbag_train")[1].split() for line in said] == [
        ["train[0]", "running"],
        ["train[0]", "epoch", "3/12"],
        ["train[0]", "success"],
    ]


def test_a_failed_task_is_named_with_the_end_of_its_log() -> None:
    airflow = Airflow(("failed", [task("failed")]))
    with pytest.raises(DemoError, match=r"task train failed; the end of its log:\nepoch 3/12"):
        follow(airflow, "lvbag_train", "r", print)  # type: ignore[arg-type]


def test_an_event_that_starts_nothing_is_an_error_and_no_endless_wait() -> None:
    with pytest.raises(DemoError, match="no run of lvbag_curate started within"):
        next_run(Airflow(), "lvbag_curate", set())  # type: ignore[arg-type]


def test_the_real_client_has_what_the_stand_in_has() -> None:
    names = ("run_state", "tasks", "log_tail", "wait_for_new_run")
    assert [name for name in names if not callable(getattr(AirflowClient, name, None))] == []


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException, bool], list[str]]:
    """Run a demo of which the first night raises; answers with what was said and whether the machine went down."""

    def play(error: BaseException, started: bool) -> list[str]:
        said: list[str] = []
        machine = create_autospec(Machine, instance=True, started=started)
        running = Demo(machine, "http://127.0.0.1:1", create_autospec(AirflowClient, instance=True), MagicMock())
        monkeypatch.setattr(run, "_start", lambda home, photos, seed: running)
        monkeypatch.setattr(run, "_run_nights", MagicMock(side_effect=error))
        monkeypatch.setattr(run, "_say", said.append)
        monkeypatch.setattr(run, "down", lambda home, say: said.append(f"down {home}"))
        with pytest.raises(type(error)):
            run_demo(tmp_path)
        return said

    return play


def test_ctrl_c_ends_what_the_demo_started_and_nothing_else(
    demo: Callable[[BaseException, bool], list[str]], tmp_path: Path
) -> None:
    assert demo(KeyboardInterrupt(), True) == [f"down {tmp_path}"]
    assert demo(KeyboardInterrupt(), False) == []


def test_a_demo_that_fails_keeps_running_for_a_look_and_says_so(
    demo: Callable[[BaseException, bool], list[str]],
) -> None:
    (said,) = demo(DemoError("task train failed"), True)
    assert "`make down` ends it" in said
