"""A classifier that two processes train together, as two GPUs would: one version, told of once."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from builders import make_snapshot
from classifier_jobs import TINY

from lvbag.learn import train_classifier
from lvbag.registry import list_versions, load_version
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, keys

pytestmark = pytest.mark.slow


def test_two_processes_train_one_version(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recipes = tmp_path / "config" / "recipes"
    recipes.mkdir(parents=True)
    (recipes / "tiny.yaml").write_text(json.dumps(TINY | {"epochs": 8, "batch": 16, "ema": 0.5}))
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    make_snapshot(store, "snap")
    train = settings.train.model_copy(update={"processes": 2, "threads": 1, "device": "never"})
    result = train_classifier(store, settings.model_copy(update={"train": train}), "snap", "tiny")
    lines = [record.getMessage() for record in caplog.records]
    assert next(line for line in lines if line.startswith("snapshot snap")).endswith(
        "device cpu in 2 processes, float32"
    )
    assert [line.split(" loss")[0] for line in lines if line.startswith("epoch ")] == [
        f"epoch {number}/8" for number in range(1, 9)
    ]  # fmt: skip
    assert [one.version for one in list_versions(store, ModelKind.CLASSIFIER)] == [result.version]
    record = load_version(store, ModelKind.CLASSIFIER, result.version)
    assert record.metrics["top1"] >= 0.5, "a quarter is chance"
    assert not list(store.list_objects(Bucket.MODELS, keys.checkpoints_prefix(ModelKind.CLASSIFIER)))
