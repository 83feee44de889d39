"""`lvbag detector evaluate` and `train`: any detector on any labels, and a whole training by one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from detector_files import publish_colour_detector, save_colour_detector
from lvbag.cli import app
from lvbag.commands import detector as detector_module
from lvbag.labels import newest_labels
from lvbag.learn import LearnError
from lvbag.settings import Settings
from lvbag.store import Store
from store_env import own_home

SAID = {"names": "{0: 'Bag'}", "imgsz": "[64, 64]"}


@pytest.fixture(autouse=True)
def machine(store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_home(monkeypatch, tmp_path, settings.store)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_colour_detector(tmp_path / "own.onnx", SAID)


def export(folder: Path, boxes: list[str], name: str = "backpack") -> Path:
    """Red pictures, in which the colour detector sees one box on the left."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number, text in enumerate(boxes):
        Image.new("RGB", (200, 200), (255, 0, 0)).save(folder / "images" / f"{number}.png", compress_level=number % 9)
        (folder / "labels" / f"{number}.txt").write_text(text)
    (folder / "data.yaml").write_text(f"train: images\nnames: [{name}]\n")
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["detector", *map(str, arguments)])


def seen_box(model: Path, folder: Path) -> str:
    """The label that says what the detector sees."""
    Image.new("RGB", (200, 200), (255, 0, 0)).save(folder / "red.png")
    shown = CliRunner().invoke(app, ["detect", str(folder / "red.png"), "--detector", str(model), "--json"])
    (box,) = json.loads(shown.stdout)["boxes"]
    centre = [(box["x0"] + box["x1"]) / 2, (box["y0"] + box["y1"]) / 2]
    return "0 " + " ".join(f"{v:.6f}" for v in (*centre, box["x1"] - box["x0"], box["y1"] - box["y0"])) + "\n"


def test_a_file_is_measured_on_labels_that_are_not_in_the_store(store: Store, model: Path, tmp_path: Path) -> None:
    right = seen_box(model, tmp_path)
    result = run("evaluate", "--labels", export(tmp_path / "set", [right] * 3), "--detector", model, "--json")
    told: dict[str, Any] = json.loads(result.stdout)
    assert (told["detector"], told["images"], told["boxes"]) == ("own.onnx", 3, 3)
    assert (told["map50"], told["recall"], told["precision"]) == (pytest.approx(1), 1, 1)
    assert told["map50_95"] == pytest.approx(1, abs=0.01)
    half = run("evaluate", "--labels", export(tmp_path / "half", [right, "0 0.8 0.8 0.1 0.1\n"]), "--detector", model)
    assert "recall 0.500, precision 0.500" in " ".join(half.stdout.split())
    assert newest_labels(store) is None, "nothing was imported"


def test_a_version_and_the_champion_are_measured(store: Store, model: Path, tmp_path: Path) -> None:
    folder = export(tmp_path / "set", [seen_box(model, tmp_path)] * 2)
    nothing = run("evaluate", "--labels", folder)
    assert isinstance(nothing.exception, LearnError)
    assert "no detector champion" in str(nothing.exception)
    number = publish_colour_detector(store, tmp_path / "version")
    champion = json.loads(run("evaluate", "--labels", folder, "--json").stdout)
    by_number = json.loads(run("evaluate", "--labels", folder, "--detector", str(number), "--json").stdout)
    assert champion == by_number
    assert (champion["detector"], champion["map50"]) == (f"{number:04d}", pytest.approx(1))


def test_labels_that_would_be_refused_are_measured_and_it_is_said(model: Path, tmp_path: Path) -> None:
    folder = export(tmp_path / "set", ["0 0.5 0.5 0.2 0.2\n"] * 40)
    told = json.loads(run("evaluate", "--labels", folder, "--detector", model, "--json").stdout)
    assert "of the boxes are one and the same" in told["why"]
    assert "would not be imported" in " ".join(run("evaluate", "--labels", folder, "--detector", model).stdout.split())


def test_train_brings_the_labels_in_and_trains_on_them(
    store: Store, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(detector_module, "train_detector", lambda *given: asked.append(given))
    result = run("train", "--labels", export(tmp_path / "set", [seen_box(model, tmp_path)] * 2), "--seed", "3")
    assert result.exit_code == 0, result.output
    assert asked == [(newest_labels(store), None, 3, False)]
