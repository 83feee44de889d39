"""A classifier's training that is killed and stopped at any step ends with the very weights of a calm one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from builders import make_snapshot
from classifier_jobs import make_job, tiny

from lvbag.learn.launch import child_environment
from lvbag.registry import load_version
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, keys

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

# everything that is random, and everything that is remembered
RECIPE = tiny(epochs=3, accumulate=2, mixup=0.4, cutmix=0.4, unmixed=0.3, ema=0.9, sampling="balanced",
              augment={"randaugment": 5})  # fmt: skip
STEPS = 3 * 7  # 56 training pictures, 8 a step


def with_minutes(settings: Settings, minutes: float) -> Settings:
    return settings.model_copy(
        update={
            "store": settings.store.model_copy(update={"bucket_prefix": f"t{uuid.uuid4().hex[:10]}"}),
            "train": settings.train.model_copy(update={"checkpoint_minutes": minutes}),
        }
    )


def killed_training(settings: Settings, folder: Path, at: str, number: signal.Signals) -> tuple[int, list[str]]:
    """The process that a launch starts, and a signal when it says a line; its status and what it said."""
    job = make_job(Store(settings.store), settings, folder, RECIPE)
    (folder / "job.json").write_text(job.model_dump_json())
    command = [sys.executable, "-m", "lvbag.learn.classifier.run_training", str(folder / "job.json")]
    environment = child_environment(settings, job.cache)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    for line in process.stdout or ():
        said.append(line.strip())
        if line.startswith(at):
            process.send_signal(number)
    return process.wait(60), said


def whole_training(settings: Settings, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The same to its end, in this process."""
    from lvbag.learn.classifier.run_training import work

    work(make_job(Store(settings.store), settings, folder, RECIPE))
    return capsys.readouterr().out.splitlines()


def test_a_training_that_is_killed_and_stopped_at_any_step_ends_as_one_that_was_left_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", settings.store.access_key.get_secret_value())
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", settings.store.secret_key.get_secret_value())
    calm, killed = with_minutes(settings, 5), with_minutes(settings, 0)
    patient = killed.model_copy(update={"train": calm.train})
    stores = [Store(chosen.store) for chosen in (calm, killed)]
    for store in stores:
        store.ensure_buckets()
        make_snapshot(store, "snap")
    step = random.randrange(2, STEPS - 4)
    status, said = killed_training(
        killed, tmp_path / "first", f"checkpoint after step {step}/{STEPS} stored", signal.SIGKILL
    )
    assert status == -signal.SIGKILL, said

    # SIGTERM: the step is done, then its checkpoint is stored, whatever the minutes
    status, said = killed_training(patient, tmp_path / "second", "going on after step", signal.SIGTERM)
    assert status == 143, said
    assert len([line for line in said if line.endswith("stored")]) == 1
    assert said[-1].startswith("stopped: nothing was published; run again, it goes on")

    monkeypatch.setattr(os, "getppid", os.getpid)  # this process asks and does
    said = whole_training(calm, tmp_path / "calm", capsys)
    assert not [line for line in said if "checkpoint" in line], "five minutes were not over"
    said = whole_training(patient, tmp_path / "last", capsys)
    assert [line for line in said if line.startswith("going on after step")]
    assert bool([line for line in said if line.startswith("epoch 1/")]) <= (step < 7)
    one, two = (load_version(store, ModelKind.CLASSIFIER, 1) for store in stores)
    assert one.training_key == two.training_key
    assert one.files["model.safetensors"] == two.files["model.safetensors"], step
    assert one.metrics["top1"] == two.metrics["top1"]
    curves = [
        json.loads(store.get(keys.version_file(ModelKind.CLASSIFIER, 1, "metrics.json")))["curve"] for store in stores
    ]
    for name in ("loss", "val_top1", "learning_rate"):
        assert curves[0][name] == curves[1][name]
        assert len(curves[0][name]) == 3
    assert not list(stores[1].list_objects(Bucket.MODELS, keys.checkpoints_prefix(ModelKind.CLASSIFIER)))
