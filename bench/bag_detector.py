"""A detector for the bags of `bag_shots`: trained once by the product itself, kept in .run/bench/bag_detector.

Pictures of other seeds than those that are measured, with the boxes that a person would draw, are imported as labels
into a store on loopback, and the demo's recipe is trained on them.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bag_shots import Shot, bag_box, draw, shots
from picture_edits import edited, encoded
from PIL import Image

from crawl import KEY, running, wait_for
from lvbag.demo.configuration import RECIPES
from lvbag.infer.detector import Detection, Detector, open_detector
from lvbag.labels import import_labels
from lvbag.learn import train_detector
from lvbag.registry import load_version
from lvbag.registry.records import ModelSpec, VersionRecord
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import DetectorSettings, Settings, StoreSettings
from lvbag.store import ModelKind, Store, keys

FOLDER = Path(__file__).resolve().parents[1] / ".run" / "bench" / "bag_detector"
SEED, DESIGNS, PICTURES = 9001, 24, 320
RECIPE = "demo_detector"


def bag_detector(file: Path | None = None) -> Detector:
    """The trained one, or another ONNX file of one class at the demo recipe's size."""
    path = file or FOLDER / "model.onnx"
    if file is None and not path.is_file():
        _train()
    return open_detector(path, _record(), DetectorSettings())


def best_box(found: Sequence[Detection]) -> tuple[float, float, float, float] | None:
    """The most confident detection."""
    return (found[0].x0, found[0].y0, found[0].x1, found[0].y1) if found else None


def _train() -> None:
    print(f"training a detector into {FOLDER}", flush=True)
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as name:
        folder = Path(name)
        shutil.copytree(RECIPES, folder / "config" / "recipes")
        (folder / "config" / "lvbag.yaml").write_text("{}\n", encoding="utf-8")
        os.environ.update(LVBAG_CONFIG_DIR=str(folder / "config"), LVBAG_HOME=str(folder / "home"))
        port = free_port()
        with running([sys.executable, "-m", "ministack"], environment(port, folder / "store", KEY, KEY)):
            wait_for(f"{endpoint(port)}/_ministack/health")
            settings = Settings(store=StoreSettings(endpoint=endpoint(port), access_key=KEY, secret_key=KEY))  # type: ignore[arg-type]
            store = Store(settings.store)
            store.ensure_buckets()
            labels = import_labels(store, settings, _export(folder / "export"))
            trained = train_detector(store, settings, labels.name, RECIPE)
            figures = load_version(store, ModelKind.DETECTOR, trained.version).metrics
            print(
                f"trained in {trained.seconds:.0f} s: mAP50 {figures['map50']:.3f}, {figures['map50_95']:.3f} mAP50-95"
            )
            FOLDER.mkdir(exist_ok=True)
            store.download(keys.version_file(ModelKind.DETECTOR, trained.version, "model.onnx"), FOLDER / "model.onnx")


def _export(folder: Path) -> Path:
    """Labels as CVAT exports them; every second picture has been cut, padded, made smaller or marked."""
    rng = random.Random(SEED)
    chosen = rng.sample(list(shots(SEED, DESIGNS)), PICTURES)
    pictures = folder / "obj_train_data"
    pictures.mkdir(parents=True)
    for number, shot in enumerate(chosen):
        data, row = _labelled(shot, number)
        (pictures / f"{number:04d}.jpg").write_bytes(data)
        (pictures / f"{number:04d}.txt").write_text(row)
    (folder / "train.txt").write_text("".join(f"data/obj_train_data/{n:04d}.jpg\n" for n in range(len(chosen))))
    (folder / "obj.names").write_text("Bag\n")
    (folder / "obj.data").write_text("classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    return folder


def _labelled(shot: Shot, number: int) -> tuple[bytes, str]:
    """A picture and its row; those that are cut are cut at random, so that the box moves with the frame."""
    image, box = draw(shot), bag_box(shot)
    if number % 2:
        rng = random.Random(number)
        keep = rng.uniform(0.88, 1.0)
        left, top = (rng.random() * side * (1 - keep) for side in image.size)
        width, height = round(image.width * keep), round(image.height * keep)
        image = image.crop((round(left), round(top), round(left) + width, round(top) + height))
        box = (box[0] - round(left), box[1] - round(top), box[2] - round(left), box[3] - round(top))
    x0, x1 = (min(1.0, max(0.0, value / image.width)) for value in box[::2])
    y0, y1 = (min(1.0, max(0.0, value / image.height)) for value in box[1::2])
    row = f"0 {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n"
    data = edited(image, "mark_corner", f"labels/{number}") if number % 5 == 0 else encoded(image, quality=88)
    return data, row


def _record() -> VersionRecord:
    spec = ModelSpec(architecture="yolo11p", image_side_px=160, classes=("Bag",))
    return VersionRecord(
        kind=ModelKind.DETECTOR, version=1, created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), data="", recipe=RECIPE,
        recipe_sha256="", seed=0, training_key="", parent=None, detector=None, code_version="", model=spec, metrics={},
    )  # fmt: skip


if __name__ == "__main__":
    bag_detector().detect([Image.new("RGB", (160, 160), "white")])
