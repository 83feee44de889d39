"""`lvbag classify` answers without the packages that training needs: its start is what people wait for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tiny_models import COLOURS, colour_classifier

from lvbag.registry import publish_version, reserve_version, rollback
from lvbag.registry.records import ModelSpec
from lvbag.store import ModelKind, Store
from registry.registry_makers import AT, record
from store_env import own_home

HEAVY = (
    "torch", "torchvision", "timm", "ultralytics", "great_expectations", "airflow", "pandas", "polars", "pyarrow",
    "faiss", "matplotlib", "sklearn", "scipy", "cv2", "requests", "psutil",
    # of no use here, and together as long as half of the start
    "rich", "minio.minioadmin", "Crypto", "argon2", "cffi", "bs4", "lvbag.care", "lvbag.crawl", "lvbag.curate",
    "lvbag.learn", "lvbag.labels", "lvbag.review", "lvbag.services", "lvbag.demo", "lvbag.orchestrate",
)  # fmt: skip
OWN_COMMANDS = {"classify", "common", "mounting"}


def test_the_first_answer_needs_nothing_heavy(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_home(monkeypatch, tmp_path, store.settings)
    (tmp_path / "version").mkdir()
    colour_classifier(tmp_path / "version" / "model.onnx")
    number = reserve_version(store, ModelKind.CLASSIFIER, "t")
    spec = ModelSpec(architecture="tiny", image_side_px=32, classes=COLOURS)
    publish_version(store, ModelKind.CLASSIFIER, number, tmp_path / "version", record(number, "t", model=spec))
    rollback(store, ModelKind.CLASSIFIER, number, AT, "test", "first")
    Image.new("RGB", (300, 300), (0, 0, 255)).save(tmp_path / "photo.png")

    script = (
        "import sys, lvbag.cli\n"
        "try:\n    lvbag.cli.main()\n"
        "finally:\n"
        f"    found = [name for name in {HEAVY!r} if name in sys.modules]\n"
        f"    others = {{name.split('.')[2] for name in sys.modules if name.startswith('lvbag.commands.')}}\n"
        f"    sys.stderr.write(' '.join([*found, *(others - {OWN_COMMANDS!r})]))"
    )
    command = [sys.executable, "-c", script, "classify", str(tmp_path / "photo.png"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout)["product"] == "M10003"
    assert done.stderr == ""
