"""`lvbag curate reclean`, over a night that an earlier detector cleaned."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.test_curate_clean_again import put_night
from detector_files import publish_colour_detector
from lvbag.cli import app
from lvbag.curate import clean_part, mark_crops
from lvbag.learn.results import EvaluationResult, TrainingResult
from lvbag.registry.records import Evaluation, Measured
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys
from store_env import own_home

NIGHT = dt.date(2026, 11, 23)
FIGURES = {"map50": 0.9, "map50_95": 0.6, "recall": 0.9}


def night_of_first_detector(store: Store, settings: Settings, folder: Path) -> None:
    first = keys.version_name(publish_colour_detector(store, folder / "first"))
    put_night(store, [(250, 0, 0), (80, 0, 40)])
    clean_part(store, settings, NIGHT, 0, first)
    mark_crops(store, settings, NIGHT, (0,))


def test_it_says_what_it_would_do_does_it_and_has_nothing_left(
    tmp_path: Path, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home(monkeypatch, tmp_path, settings.store)
    night_of_first_detector(store, settings, tmp_path)
    publish_colour_detector(store, tmp_path / "second", strength=1.5)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["curate", "reclean", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    job = json.loads(run("--dry-run", "--json"))
    assert (job["night"], job["detector"], job["pictures"]) == ("2026-11-23", "0002", 1)
    assert json.loads(run("--dry-run", "--json", "--all", "--night", "2026-11-23"))["pictures"] == 2
    part = json.loads(run("--json").splitlines()[0])
    assert (part["judged"], part["changed"], part["kept"]) == (1, 1, 2)
    assert "Nothing to judge again" in run()


@pytest.mark.parametrize(("map50_95", "judged"), [(0.7, [1]), (0.5, [])])
def test_a_detector_that_the_shell_promotes_judges_again_what_was_narrow(
    tmp_path: Path,
    store: Store,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    map50_95: float,
    judged: list[int],
) -> None:
    own_home(monkeypatch, tmp_path, settings.store)
    night_of_first_detector(store, settings, tmp_path)
    number = publish_colour_detector(store, tmp_path / "second", strength=1.5, champion=False)
    evaluation = Evaluation(
        kind=ModelKind.DETECTOR, key="measured", data="labels", test_images=50, classes=1,
        champion=Measured(version=1, metrics=FIGURES),
        challengers=(Measured(version=number, metrics=FIGURES | {"map50_95": map50_95}),),
    )  # fmt: skip
    store.put_json(keys.evaluation(ModelKind.DETECTOR, "measured"), evaluation.model_dump(mode="json"))
    trained = TrainingResult(number, False, 1.0)
    monkeypatch.setattr("lvbag.learn.train_detector", lambda *_, **__: trained)  # trained and measured elsewhere
    monkeypatch.setattr("lvbag.learn.evaluate_detectors", lambda *_: EvaluationResult("measured", 1, (number,)))
    result = CliRunner().invoke(app, ["train-detector", "--labels", "labels", "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["judged"] for line in told if "judged" in line] == judged
