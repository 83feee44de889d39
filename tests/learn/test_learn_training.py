"""Both trainings, small, over a real store: publish, reuse, evaluate; and nothing but the store is contacted."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import polars as pl
import pytest
from builders import COLOURS, make_snapshot, write_export

from lvbag import schemas
from lvbag.labels import import_labels
from lvbag.learn import evaluate_classifiers, evaluate_detectors, train_classifier, train_detector
from lvbag.registry import load_evaluation, load_version, promote
from lvbag.registry.records import Decision
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys

RECIPES = {
    "tiny": {"kind": "classifier", "model": "test_efficientnet", "image_side_px": 32, "epochs": 3, "batch": 8,
             "optimizer": "adamw", "learning_rate": 0.01, "warmup_epochs": 0},
    "untrained": {"kind": "classifier", "model": "test_efficientnet", "image_side_px": 48, "epochs": 0},
    "spot": {"kind": "detector", "model": "yolo11p", "image_side_px": 64, "epochs": 1, "batch": 4,
             "scenes": {"per_picture": 0.5}},
}  # fmt: skip

GUARD = """
import os, socket
_allowed = set(os.environ["GUARD_ALLOWED"].split(","))
def _note(what):
    with open(os.environ["GUARD_LOG"], "a") as log:
        log.write(what + "\\n")
_connect, _lookup = socket.socket.connect, socket.getaddrinfo
def connect(self, address):
    if isinstance(address, tuple):
        _note(f"connect {address[0]}:{address[1]}")
        if f"{address[0]}:{address[1]}" not in _allowed:
            raise OSError("no network here")
    return _connect(self, address)
def lookup(host, port, *args, **kwargs):
    _note(f"lookup {host}:{port}")
    if f"{host}:{port}" not in _allowed:
        raise OSError("no network here")
    return _lookup(host, port, *args, **kwargs)
socket.socket.connect, socket.getaddrinfo = connect, lookup
"""


@pytest.fixture
def guarded(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trainings run with recipes of ours, a home of their own and a guarded socket; returns the guard's log."""
    recipes = tmp_path / "config" / "recipes"
    recipes.mkdir(parents=True)
    for name, values in RECIPES.items():
        (recipes / f"{name}.yaml").write_text(json.dumps(values))
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    log = tmp_path / "guard.log"
    log.touch()
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "guard"))
    monkeypatch.setenv("GUARD_LOG", str(log))
    monkeypatch.setenv("GUARD_ALLOWED", f"{settings.store.endpoint.host}:{settings.store.endpoint.port}")
    return log


def crown(store: Store, kind: ModelKind, version: int) -> None:
    decision = Decision(
        kind=kind, challenger=version, champion=None, evaluation="none", promoted=True, rules=(), summary="by the test"
    )
    at = load_version(store, kind, version).created_at
    assert promote(store, kind, decision, at, "test")


def contacted(log: Path) -> set[str]:
    return {line.split(" ", 1)[1] for line in log.read_text().splitlines()}


def test_a_classifier_is_trained_published_reused_and_measured_against_the_champion(
    store: Store, settings: Settings, guarded: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make_snapshot(store, "snap-a", tuple(COLOURS)[:3])
    manifest = make_snapshot(store, "snap-b")
    trained = train_classifier(store, settings, "snap-a", "tiny")
    assert not trained.reused
    assert any("epoch 3/3 loss" in record.message and "left 0 s" in record.message for record in caplog.records)

    again = train_classifier(store, settings, "snap-a", "tiny")
    assert (again.version, again.reused) == (trained.version, True)
    other = train_classifier(store, settings, "snap-b", "untrained")
    assert other.version != trained.version

    record = load_version(store, ModelKind.CLASSIFIER, trained.version)
    assert record.model.classes == tuple(COLOURS)[:3]
    assert record.detector == "0001"
    assert record.metrics["top1"] >= 0.9
    assert set(record.files) == {
        "model.safetensors",
        "model.onnx",
        "metrics.json",
        "predictions.parquet",
        "confusion.png",
        "curve.png",
        "curve.tfevents",
        "card.md",
    }
    ref = keys.version_file(ModelKind.CLASSIFIER, trained.version, "predictions.parquet")
    predictions = pl.read_parquet(io.BytesIO(store.get(ref)))
    assert predictions.schema == schemas.PREDICTIONS
    assert len(predictions) == record.metrics["test_images"] == 12

    crown(store, ModelKind.CLASSIFIER, trained.version)
    result = evaluate_classifiers(store, settings, "snap-b", [other.version])
    evaluation = load_evaluation(store, ModelKind.CLASSIFIER, result.key)
    assert (result.champion, result.challengers) == (trained.version, (other.version,))
    test = manifest.filter(pl.col("split") == "test")
    assert evaluation.test_images == len(test) == 16
    assert evaluation.classes == 4
    champion, challenger = evaluation.champion, evaluation.challengers[0]
    assert champion is not None
    # a quarter of the pictures shows the product that the champion has never seen: its errors, but not in shared
    assert champion.metrics["top1"] <= 0.75
    assert champion.metrics["top1_shared"] >= 0.9
    versus = challenger.versus_champion
    assert versus is not None
    assert versus.both + versus.only_champion == round(champion.metrics["top1"] * 16)
    assert versus.both + versus.only_challenger == round(challenger.metrics["top1"] * 16)
    assert challenger.metrics["top1"] < champion.metrics["top1"]

    before = store.head(keys.evaluation(ModelKind.CLASSIFIER, result.key))
    assert evaluate_classifiers(store, settings, "snap-b", [other.version, trained.version]) == result
    assert store.head(keys.evaluation(ModelKind.CLASSIFIER, result.key)) == before
    assert contacted(guarded) == {f"{settings.store.endpoint.host}:{settings.store.endpoint.port}"}


def test_a_detector_is_trained_published_reused_and_measured(
    store: Store, settings: Settings, guarded: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    labels = import_labels(store, settings, write_export(tmp_path / "export", 16))
    trained = train_detector(store, settings, labels.name, "spot")
    again = train_detector(store, settings, labels.name, "spot")
    assert (again.version, again.reused, trained.reused) == (trained.version, True, False)
    assert "objects cut out" in caplog.text  # the recipe's scenes are composed
    record = load_version(store, ModelKind.DETECTOR, trained.version)
    assert record.model.classes == ("Bag",)
    assert {"map50", "map50_95", "recall", "precision", "test_images"} <= set(record.metrics)
    assert {"model.safetensors", "model.onnx", "metrics.json", "card.md", "curve.png"} == set(record.files)

    result = evaluate_detectors(store, settings, labels.name, [trained.version])
    evaluation = load_evaluation(store, ModelKind.DETECTOR, result.key)
    assert evaluation.champion is None
    figures = dict(evaluation.challengers[0].metrics)
    assert 0 <= figures.pop("train_map50") <= 1
    assert figures == {name: record.metrics[name] for name in figures}
    assert contacted(guarded) == {f"{settings.store.endpoint.host}:{settings.store.endpoint.port}"}
