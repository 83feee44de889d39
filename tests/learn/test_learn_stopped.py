"""A detector's training that is stopped, then killed, ends with the very weights of one that was left alone."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import uuid
from pathlib import Path

import pytest
from builders import write_export

from lvbag.labels import import_labels
from lvbag.learn import LearnError, train_detector
from lvbag.registry import load_version
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, keys

RECIPE = {"kind": "detector", "model": "yolo11p", "image_side_px": 32, "epochs": 4, "batch": 4, "warmup_epochs": 2}

pytestmark = pytest.mark.slow


class Watcher(logging.Handler):
    """Sends a signal to the training process when it says a certain line, and keeps what it says."""

    def __init__(self, line: str, number: signal.Signals) -> None:
        super().__init__(logging.INFO)
        self.line, self.number = line, number
        self.said: list[str] = []
        self.process = 0

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.said.append(text)
        if found := re.search(r"learn\.start .*process=(\d+)", text):
            self.process = int(found[1])
        if self.line and text.startswith(self.line):
            self.line = ""
            os.kill(self.process, self.number)


def said_by_training(
    store: Settings, at: str = "", number: signal.Signals = signal.SIGTERM, *, label_set: str
) -> list[str]:
    log, watcher = logging.getLogger("lvbag.learn.launch"), Watcher(at, number)
    log.addHandler(watcher)
    log.setLevel(logging.INFO)
    try:
        if at:
            with pytest.raises(LearnError, match=r"failed with status (143|-9)"):
                train_detector(Store(store.store), store, label_set, "tiny")
        else:
            train_detector(Store(store.store), store, label_set, "tiny")
    finally:
        log.removeHandler(watcher)
    return watcher.said


def with_minutes(settings: Settings, minutes: float, prefix: str) -> Settings:
    return settings.model_copy(
        update={
            "store": settings.store.model_copy(update={"bucket_prefix": prefix}),
            "train": settings.train.model_copy(update={"checkpoint_minutes": minutes}),
        }
    )


def test_a_training_that_is_stopped_and_killed_ends_as_one_that_was_left_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = tmp_path / "config" / "recipes"
    recipes.mkdir(parents=True)
    (recipes / "tiny.yaml").write_text(json.dumps(RECIPE))
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    export = write_export(tmp_path / "export", 16)
    names, stores = [], []
    for _ in range(2):
        chosen = with_minutes(settings, 5, f"t{uuid.uuid4().hex[:10]}")
        stores.append(Store(chosen.store))
        stores[-1].ensure_buckets()
        names.append((chosen, import_labels(stores[-1], chosen, export).name))
    (calm, label_set), (disturbed, _) = names

    said = said_by_training(calm, label_set=label_set)
    assert not [line for line in said if "checkpoint" in line], "five minutes were not over"

    # SIGTERM within the second epoch, long before a checkpoint is due: the end of the first epoch is stored
    said = said_by_training(disturbed, "epoch 1/4", signal.SIGTERM, label_set=label_set)
    assert "checkpoint after epoch 1/4 stored" in said
    assert any(line.startswith("stopped: nothing was published; run again, it goes on") for line in said)

    # SIGKILL: what was stored by then counts
    always = with_minutes(disturbed, 0, disturbed.store.bucket_prefix)
    said = said_by_training(always, "checkpoint after epoch 2/4 stored", signal.SIGKILL, label_set=label_set)
    assert "going on after epoch 1/4" in said
    assert not [line for line in said if line.startswith("epoch 1/4")]

    said = said_by_training(disturbed, label_set=label_set)
    assert any(re.fullmatch(r"going on after epoch [23]/4", line) for line in said)
    first, second = (load_version(store, ModelKind.DETECTOR, 1) for store in stores)
    assert first.training_key == second.training_key
    assert first.files["model.safetensors"] == second.files["model.safetensors"]
    curves = [
        json.loads(store.get(keys.version_file(ModelKind.DETECTOR, 1, "metrics.json")))["curve"] for store in stores
    ]
    assert curves[0] == curves[1]
    assert len(curves[0]["loss"]) == 4
    assert not list(stores[1].list_objects(Bucket.MODELS, keys.checkpoints_prefix(ModelKind.DETECTOR)))
