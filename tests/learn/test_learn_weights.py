"""Weights to start from: what fits is taken, classes are mapped by name, and nothing in a file is run."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import write_export
from PIL import Image
from typer.testing import CliRunner

from lvbag.cli import app
from lvbag.infer.in_use import detector_in_use, open_named
from lvbag.labels import import_labels
from lvbag.learn import LearnError, train_detector
from lvbag.learn.detector.weights import NAMES, Source, class_rows, put_all_weights, put_weights, read_source
from lvbag.learn.weights import add_weights, fetch_weights
from lvbag.registry import fetch_file, load_version
from lvbag.registry.records import Champion
from lvbag.registry.weights import load_weights
from lvbag.settings import DetectorSettings, Settings
from lvbag.store import ModelKind, Store, json_bytes, keys
from store_env import name_store

torch = pytest.importorskip("torch")

MAP = DetectorSettings().class_map
COCO = ("person", "backpack", "handbag", "suitcase", "cup")

MAKE = """
import pickle, sys, torch
from pathlib import Path
from ultralytics.nn.tasks import DetectionModel
import ultralytics
from lvbag.learn.detector.weights import read_source
from lvbag.learn.errors import LearnError
from lvbag.learn.detector.yolo_folder import write_architecture
folder = Path(sys.argv[1])
torch.manual_seed(7)
architecture = write_architecture(folder, Path(ultralytics.__file__).parent, "yolo11p")
model = DetectionModel(str(architecture), nc=3, verbose=False)
model.names = {0: "person", 1: "handbag", 2: "backpack"}
torch.save({"model": model.half(), "ema": None, "epoch": -1}, folder / "yolo11p.pt")
class Evil:
    def __reduce__(self):
        import os
        return os.system, (f"touch {folder}/ran",)
torch.save({"model": Evil()}, folder / "evil.pt")
try:
    read_source(folder / "evil.pt")
except LearnError as error:
    print(error)
"""


# ------------------------------------------------------------------ what fits


def network(**shapes: tuple[int, ...]) -> Any:
    """Something with tensors by name."""
    tensors = {name.replace("__", "."): torch.zeros(shape) for name, shape in shapes.items()}
    return SimpleNamespace(state_dict=lambda: tensors)


def ones(model: Any, factor: float = 1.0) -> dict[str, Any]:
    return {name: torch.full_like(value, factor) for name, value in model.state_dict().items()}


def test_what_has_the_same_shape_is_taken_and_the_rest_stays() -> None:
    ours = network(model__0__weight=(4, 3), model__1__weight=(4, 4), model__2__bias=(4,))
    theirs = network(model__0__weight=(4, 3), model__1__weight=(8, 4), model__9__bias=(4,))
    taken = put_weights(ours, Source(ones(theirs), ("Bag",)), ("Bag",), MAP)
    assert str(taken) == (
        "1 of 3 tensors taken, 0 of them class by class; 2 of another shape stay at their beginnings: model.1.weight, "
        "model.2.bias"
    )
    assert [float(value.mean()) for value in ours.state_dict().values()] == [1.0, 0.0, 0.0]


def test_a_bag_begins_as_the_mean_of_what_the_source_knew_as_bags() -> None:
    ours = network(model__23__cv3__0__2__weight=(2, 6, 1, 1), model__23__cv3__0__2__bias=(2,), model__0__weight=(2,))
    theirs = network(model__23__cv3__0__2__weight=(5, 6, 1, 1), model__23__cv3__0__2__bias=(5,), model__0__weight=(2,))
    tensors = ones(theirs)
    for name in list(tensors):
        if ".cv3." in name:
            tensors[name] = tensors[name] * torch.arange(5.0).reshape(-1, *[1] * (tensors[name].ndim - 1))
    taken = put_weights(ours, Source(tensors, COCO), ("Bag", "shoe"), MAP)
    assert (taken.whole, taken.mapped, taken.left) == (1, 2, ())
    assert ours.state_dict()["model.23.cv3.0.2.bias"].tolist() == [2.0, 0.0]
    assert ours.state_dict()["model.23.cv3.0.2.weight"].flatten().tolist() == [2.0] * 6 + [0.0] * 6


@pytest.mark.parametrize(
    ("theirs", "ours", "rows"),
    [
        (COCO, ("Bag",), {0: (1, 2, 3)}),
        (COCO, ("Bag", "person"), {0: (1, 2, 3), 1: (0,)}),
        (("bag", "box"), ("Bag",), {0: (0,)}),
        (("BigBag", "SmallBag"), ("Bag",), {0: (0, 1)}),
        (("purse",), ("Bag",), {0: (0,)}),
        (("purse", "shoe"), ("Bag",), {}),
    ],
)
def test_classes_are_mapped_by_name(
    theirs: tuple[str, ...], ours: tuple[str, ...], rows: dict[int, tuple[int, ...]]
) -> None:
    assert class_rows(theirs, ours, MAP) == rows


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(LearnError, match="none of the 1 tensors fits the network"):
        put_weights(network(model__0__weight=(4, 3)), Source(ones(network(model__0__weight=(8, 3))), ()), ("Bag",), MAP)


def test_a_file_must_be_the_network_that_it_is_said_to_be() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 3))
    same, other = ones(module), {"0.weight": torch.ones(3, 2), "0.bias": torch.ones(4), "1.bias": torch.ones(1)}
    with pytest.raises(LearnError, match=r"x is no y of 1 classes: 2 of 2 tensors differ, such as 0\.bias; name the"):
        put_all_weights(module, Source(other, ("Bag",)), "x is no y")
    put_all_weights(module, Source(same, ("Bag",)), "x is no y")
    assert all(bool((value == 1).all()) for value in module.state_dict().values())


def test_tensors_need_to_tell_their_classes(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    file = tmp_path / "yolo11n.safetensors"
    for said, classes in (
        ('["a", "b"]', ("a", "b")),
        ("{0: 'a', 1: 'b'}", ("a", "b")),
        ('{"1": "b", "0": "a"}', ("a", "b")),
    ):
        save_file({"x": torch.ones(2)}, file, metadata={NAMES: said})
        assert read_source(file).classes == classes
    for metadata, why in ((None, "does not tell its classes"), ({NAMES: "7"}, "no list of classes")):
        save_file({"x": torch.ones(2)}, file, metadata=metadata)
        with pytest.raises(LearnError, match=why):
            read_source(file)
    file.write_bytes(b"no tensors")
    with pytest.raises(LearnError, match="is no safetensors file"):
        read_source(file)
    with pytest.raises(LearnError, match=r"yolo11n\.onnx is no file of weights: give \.pt or \.safetensors"):
        read_source(tmp_path / "yolo11n.onnx")


def test_what_cannot_be_brought_in_says_what_to_do(store: Store, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(LearnError, match=r"best is no network of a recipe; name one with --network: yolo11p, yolo11n"):
        add_weights(store, settings, tmp_path / "best.pt")
    with pytest.raises(LearnError, match="does not exist"):
        add_weights(store, settings, tmp_path / "yolo11n.pt")
    with pytest.raises(LearnError, match=r"set train\.pretrained to true, or fetch yolo11n\.pt yourself"):
        fetch_weights(store, settings, "yolo11n")


# ------------------------------------------------------------------ the whole way


@pytest.fixture
def recipes(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config" / "recipes"
    folder.mkdir(parents=True)
    (folder.parent / "lvbag.yaml").write_text("{}")
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    name_store(monkeypatch, settings.store)
    for name, values in {
        "given": {"start": "pretrained", "epochs": 0},
        "next": {"start": "champion", "epochs": 1},
    }.items():
        common = {"kind": "detector", "model": "yolo11p", "image_side_px": 32, "batch": 4}
        (folder / f"{name}.yaml").write_text(json.dumps(common | values))
    return folder


def tensors_of(store: Store, version: int, cache: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(fetch_file(store, ModelKind.DETECTOR, version, "model.safetensors", cache)))


@pytest.mark.slow
def test_a_training_starts_from_a_file_then_from_the_champion_and_says_so(
    store: Store, settings: Settings, recipes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    label_set = import_labels(store, settings, write_export(tmp_path / "export", 16)).name
    with pytest.raises(
        LearnError, match=r"starts from weights of yolo11p, and there are none: .*weights add yolo11p\.pt"
    ):
        train_detector(store, settings, label_set, "given")

    made = subprocess.run([sys.executable, "-c", MAKE, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "evil.pt is no checkpoint of ultralytics that can be read without running code in it" in made.stdout
    assert not (tmp_path / "ran").exists()

    told = CliRunner().invoke(
        app, ["detector", "weights", "add", str(tmp_path / "yolo11p.pt"), "--side", "64", "--json"]
    )
    assert told.exit_code == 0, told.output
    kept = load_weights(store, "yolo11p")
    assert kept is not None
    assert json.loads(told.stdout.splitlines()[-1])["sha256"] == kept.sha256
    assert kept.classes == ("person", "handbag", "backpack")
    listed = CliRunner().invoke(app, ["detector", "weights", "list"])
    assert kept.sha256[:12] in listed.stdout

    coco = DetectorSettings(bootstrap="coco", bootstrap_weights="yolo11p")
    meanwhile = detector_in_use(store, settings.model_copy(update={"detector": coco}))
    finder = open_named(store, coco, meanwhile)
    assert finder is not None
    assert (meanwhile[:5], finder.classes) == ("file-", kept.classes)
    assert finder.detect([Image.new("RGB", (64, 64))]) == [[]], "it is untrained, and runs"

    first = train_detector(store, settings, label_set, "given")
    assert train_detector(store, settings, label_set, "given").reused
    record = load_version(store, ModelKind.DETECTOR, first.version)
    assert record.start == f"weights yolo11p (sha256 {kept.sha256})"
    from safetensors.torch import load_file

    given = load_file(store.download(keys.weights_file(kept.sha256), tmp_path / "kept.safetensors"))
    mine = tensors_of(store, first.version, tmp_path / "cache")
    assert torch.equal(mine["model.0.conv.weight"], given["model.0.conv.weight"])
    row = given["model.23.cv3.0.2.bias"][1:].mean()
    assert mine["model.23.cv3.0.2.bias"].tolist() == [pytest.approx(float(row))]

    alias = Champion(version=first.version, since=record.created_at, event="test", nonce="1")
    store.put(keys.champion(ModelKind.DETECTOR), json_bytes(alias.model_dump(mode="json")))
    caplog.clear()
    second = train_detector(store, settings, label_set, "next")
    assert f"starting from detector {first.version:04d}" in caplog.text
    assert f"{len(mine)} of {len(mine)} tensors taken" in caplog.text
    assert load_version(store, ModelKind.DETECTOR, second.version).start == f"detector {first.version:04d}"

    # promoted, and the run is repeated: it finds its own version instead of training on from it
    alias = alias.model_copy(update={"version": second.version})
    store.put(keys.champion(ModelKind.DETECTOR), json_bytes(alias.model_dump(mode="json")))
    again = train_detector(store, settings, label_set, "next")
    assert (again.version, again.reused) == (second.version, True)
