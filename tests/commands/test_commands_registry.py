from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import onnx
import pytest
import typer
from onnx import TensorProto, helper
from PIL import Image
from typer.testing import CliRunner, Result

from lvbag.commands.classify import classify
from lvbag.commands.registry import registry_app
from lvbag.errors import LvbagError
from lvbag.infer import ModelError
from lvbag.registry import champion, publish_version, reserve_version, rollback
from lvbag.registry.records import Evaluation, Measured, ModelSpec, VersionRecord
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys
from store_env import own_home

AT = dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC)

app = typer.Typer()
app.command()(classify)
app.add_typer(registry_app, name="registry")


@pytest.fixture(autouse=True)
def machine(store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings by environment, as a person has them; a terminal wide enough for the tables."""
    config = own_home(monkeypatch, tmp_path, settings.store)
    monkeypatch.setattr("lvbag.terminal.console._width", 160)
    (config / "catalog.csv").write_text(
        "style_code,name,line,material,size,aliases\nM10002,Speedy [30],speedy,Monogram,30,\n", encoding="utf-8"
    )


def publish(store: Store, folder: Path, training_key: str) -> None:
    """The mean of green and of blue are the scores of two products."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])],
    )
    own = folder / training_key
    own.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), own / "model.onnx")
    number = reserve_version(store, ModelKind.CLASSIFIER, training_key)
    record = VersionRecord(
        kind=ModelKind.CLASSIFIER, version=number, created_at=AT, data="s-1", recipe="tiny", recipe_sha256="ab" * 32,
        seed=0, training_key=training_key, parent=None, detector=None, code_version="0.1.0",
        model=ModelSpec(architecture="tiny", image_side_px=32, classes=("M10001", "M10002", "M10003")),
        metrics={"top1": 0.5 + number / 10},
    )  # fmt: skip
    publish_version(store, ModelKind.CLASSIFIER, number, own, record)


@pytest.fixture
def versions(store: Store, tmp_path: Path) -> None:
    """Versions 1 and 2; 2 is the champion."""
    publish(store, tmp_path, "a")
    publish(store, tmp_path, "b")
    rollback(store, ModelKind.CLASSIFIER, 2, AT, "test", "the first one")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def rows(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("versions")
def test_versions_are_listed_with_the_champion_marked() -> None:
    found = rows(run("registry", "list", "--json"))
    assert [(row["version"], row["champion"], row["metrics"]) for row in found] == [
        (1, False, {"top1": 0.6}),
        (2, True, {"top1": 0.7}),
    ]
    lines = run("registry", "list").stdout.splitlines()
    assert [line for line in lines if "0002" in line and "champion" in line and "0.700" in line]
    assert not [line for line in lines if "0001" in line and "champion" in line]
    assert any("none yet" in line for line in lines), "there is no detector"
    assert rows(run("registry", "list", "--kind", "detector", "--json")) == []


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(("version", "number"), [("champion", 2), ("1", 1), ("0001", 1)])
def test_a_version_is_shown_by_number_or_as_champion(version: str, number: int) -> None:
    (row,) = rows(run("registry", "show", version, "--json"))
    assert row["version"] == number
    shown = run("registry", "show", version).stdout
    assert f"classifier {number:04d}" in shown
    assert ("champion since 2026-11-23 02:00" in shown) == (number == 2)


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "9"), "0009 does not exist"),
        (("show", "newest"), "'newest' is no version"),
        (("show", "champion", "--kind", "detector"), "no champion detector yet"),
        (("rollback", "9", "--why", "x"), "0009 does not exist"),
    ],
)
def test_what_does_not_exist_is_an_error_that_says_so(arguments: tuple[str, ...], message: str) -> None:
    result = run("registry", *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, LvbagError)
    assert message in str(result.exception)


@pytest.mark.usefixtures("versions")
def test_a_rollback_changes_the_champion_and_the_history_says_who_and_why(store: Store) -> None:
    assert run("registry", "rollback", "1").exit_code == 2, "a reason is required"
    result = run("registry", "rollback", "1", "--why", "2 takes [wallets] for bags")
    assert result.exit_code == 0
    assert result.stdout.startswith("classifier 0001 is the champion; only loading was checked")
    assert "there is no snapshot" in result.stdout
    alias = champion(store, ModelKind.CLASSIFIER)
    assert alias is not None and alias.version == 1
    last = rows(run("registry", "history", "--json"))[-1]
    assert (last["event"], last["version"], last["previous"]) == ("rolled_back", 1, 2)
    assert "2 takes [wallets] for bags" in run("registry", "history").stdout


@pytest.mark.usefixtures("versions")
def test_a_version_that_does_not_answer_does_not_come_back(store: Store) -> None:
    config = keys.version_file(ModelKind.CLASSIFIER, 1, "config.json")
    store.put(config, store.get(config).replace(b'"M10003"', b'"M10003", "M10004"'))
    result = run("registry", "rollback", "1", "--why", "it was better")
    assert (result.exit_code, type(result.exception)) == (1, ModelError)
    alias = champion(store, ModelKind.CLASSIFIER)
    assert alias is not None and alias.version == 2


@pytest.mark.usefixtures("versions")
def test_two_versions_are_compared_for_machines_and_people() -> None:
    (row,) = rows(run("registry", "compare", "1", "champion", "--json"))
    assert row["figures"] == {"top1": {"a": 0.6, "b": 0.7, "change": 0.1}}
    assert (row["differences"], row["together"]) == ([], None)
    shown = run("registry", "compare", "1", "2").stdout
    assert "made of the same data, recipe, seed and code" in shown
    assert "no evaluation measured both" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("top1")]
    assert line.split() == ["top1", "0.6", "0.7", "+0.1"]


@pytest.mark.usefixtures("versions")
def test_products_that_lost_come_first_in_a_comparison(store: Store) -> None:
    right = ({"M10001": 5, "M10002": 1}, {"M10001": 2, "M10002": 4})
    first, second = (
        Measured(version=number, metrics={"top1": 0.5}, right=found) for number, found in enumerate(right, start=1)
    )
    made = Evaluation(
        kind=ModelKind.CLASSIFIER, key="e", data="s-1", test_images=11, classes=2, champion=first,
        challengers=(second,), products={"M10001": 5, "M10002": 6},
    )  # fmt: skip
    store.put_json(keys.evaluation(ModelKind.CLASSIFIER, "e"), made.model_dump(mode="json"))
    lines = [line.split() for line in run("registry", "compare", "1", "2").stdout.splitlines()]
    assert [line for line in lines if line and line[0].startswith("M1")] == [
        ["M10001", "5", "5", "2", "-3"],
        ["M10002", "6", "1", "4", "+3"],
    ]


@pytest.mark.usefixtures("versions")
def test_verify_ends_with_status_1_and_a_line_for_each_finding(store: Store) -> None:
    store.put(keys.snapshot("s-1", "manifest.parquet"), b"what it was trained on")
    good = run("registry", "verify", "champion", "--json")
    assert (good.exit_code, rows(good)) == (0, [{"checked": {"classifier": 2}, "findings": 0}])
    store.put(keys.version_file(ModelKind.CLASSIFIER, 1, "model.onnx"), b"something else")
    bad = run("registry", "verify", "--json")
    assert bad.exit_code == 1
    finding, summary = rows(bad)
    assert (finding["kind"], summary["findings"]) == ("model_corrupt", 1)
    assert run("registry", "verify", "2").exit_code == 0
    assert "model_corrupt" in run("registry", "verify", "1").stdout


@pytest.mark.usefixtures("versions")
def test_garbage_is_shown_and_goes_only_when_told(store: Store) -> None:
    number = reserve_version(store, ModelKind.CLASSIFIER, "stopped")
    left = keys.version_file(ModelKind.CLASSIFIER, number, "model.onnx")
    store.put(left, b"half of it")
    *planned, _ = rows(run("registry", "gc", "--json"))
    assert {row["kind"]: row["objects"] for row in planned} == dict.fromkeys(
        ("evaluation", "unpublished file", "note of a flip", "checkpoint", "replaced weights", "detector file"), 0
    ), "what is younger than 30 days stays"
    assert "0 objects, 0.0 MB would go" in run("registry", "gc").stdout
    assert "0 of 0 objects were removed" in run("registry", "gc", "--yes").stdout
    assert store.exists(left)


@pytest.mark.usefixtures("versions")
def test_a_version_is_handed_out_in_a_folder(tmp_path: Path) -> None:
    result = run("registry", "export", "champion", tmp_path / "out")
    assert result.exit_code == 0
    assert "classifier 0002 is in" in result.stdout
    assert json.loads((tmp_path / "out" / "classes.json").read_text()) == ["M10001", "M10002", "M10003"]
    assert json.loads((tmp_path / "out" / "preprocessing.json").read_text())["version"] == 2
    again = run("registry", "export", "champion", tmp_path / "out")
    assert isinstance(again.exception, LvbagError)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.new("RGB", (200, 200), (0, 255, 0)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_without_a_champion_classify_says_how_to_get_one(photo: Path) -> None:
    result = run("classify", photo)
    assert result.exit_code == 1
    assert "no champion classifier yet" in str(result.exception)


@pytest.mark.usefixtures("versions")
def test_a_photo_is_named_for_machines(photo: Path) -> None:
    result = run("classify", photo, "--json", "--top", "2")
    assert result.exit_code == 0
    (row,) = rows(result)
    assert (row["file"], row["product"], row["version"], row["box"]) == (str(photo), "M10002", 2, None)
    assert [item["product"] for item in row["top"]] == ["M10002", "M10001"]
    assert row["top"][0]["probability"] == row["probability"] == pytest.approx(0.576, abs=1e-3)
    assert "error" not in row


@pytest.mark.usefixtures("versions")
def test_a_photo_is_named_for_people_with_names_from_the_catalog(photo: Path) -> None:
    shown = run("classify", photo).stdout
    (line,) = [line for line in shown.splitlines() if "M10002" in line]
    assert "Speedy [30]" in line
    assert "57.6%" in line
    assert "█" * 14 in line
    assert "classifier 0002; the classifier was trained on whole pictures" in shown


@pytest.mark.usefixtures("versions")
def test_a_bad_photo_ends_with_status_1_and_the_others_are_named(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture", encoding="utf-8")
    result = run("classify", tmp_path / "text.jpg", photo, "--json")
    assert result.exit_code == 1
    bad, good = rows(result)
    assert bad["error"] == "no picture that can be used (not_an_image)"
    assert (bad["product"], bad["top"]) == (None, [])
    assert good["product"] == "M10002"
    assert "no picture that can be used" in run("classify", tmp_path / "text.jpg").stdout
