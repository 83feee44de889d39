"""Train one detector from a label set and publish it: pictures, network, ultralytics' loop, export, figures, publish.

Runs as `python -m lvbag.learn.run_detector job.json`, started by `lvbag.learn.detector`. Always from scratch: weights
from elsewhere are pickles and come with terms of their own. Figures are measured on the exported file, through the code
that curation detects with, not on the network in memory.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import ultralytics
from safetensors.torch import save_file
from ultralytics.engine.exporter import Exporter
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import LOGGER, SETTINGS, USER_CONFIG_DIR

from lvbag.learn import child, figures
from lvbag.learn.describing import describe
from lvbag.learn.detector_data import PARTS, Labels, open_labels
from lvbag.learn.detector_scoring import measure_detector
from lvbag.learn.devices import choose_device
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import DetectorJob, JobResult
from lvbag.learn.recipes import DetectorRecipe
from lvbag.learn.yolo_folder import put_fonts, write_architecture, write_data
from lvbag.registry import model_card, publish_version
from lvbag.registry.records import ModelSpec
from lvbag.store import ModelKind, open_store

TRACKERS = ("clearml", "comet", "dvc", "hub", "mlflow", "neptune", "raytune", "tensorboard", "wandb")
"""Services that ultralytics reports to when their packages are there."""
MAX_WORKERS = 8
"""Processes that augment pictures for a GPU; on the CPU they would take the cores that train."""
ONNX_TOLERANCE = 1e-3
"""Largest difference between trained and exported network, of scores and of boxes as shares of the side."""


def work(job: DetectorJob) -> JobResult:
    """Everything from the label set to the published version."""
    settings = job.read_settings()
    store = open_store(settings)
    device = choose_device(settings.train)
    threads = torch.get_num_threads()
    keep_quiet()
    with open_labels(store, settings, job.data) as labels:
        counts = " ".join(f"{part} {len(labels.part(part))}" for part in PARTS)
        child.say(f"labels {job.data}: {', '.join(labels.index.classes)}; images: {counts}; device {device}")
        scratch = job.folder / "yolo"
        scratch.mkdir()
        architecture = write_architecture(scratch, Path(ultralytics.__file__).parent, job.recipe.model)
        started = time.monotonic()
        if job.recipe.epochs:
            trainer = Trainer(job, write_data(scratch / "data", labels), architecture, device, threads)
            trainer.train()
            model, losses = trainer.ema.ema, trainer.losses
        else:
            child.say("epochs 0: the network stays untrained")
            torch.manual_seed(job.seed)
            model, losses = DetectionModel(str(architecture), nc=len(labels.index.classes), verbose=False), []
        seconds = time.monotonic() - started
        torch.set_num_threads(threads)
        model = finish(model, labels)
        folder = job.folder / "version"
        folder.mkdir()
        save_file(
            {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors"
        )
        export_onnx(model, job.recipe.image_side_px, scratch, folder / "model.onnx")
        spec = ModelSpec(
            architecture=job.recipe.model, image_side_px=job.recipe.image_side_px, classes=labels.index.classes
        )
        record = describe(ModelKind.DETECTOR, job, spec, {}, None)
        metrics = measure_detector(folder / "model.onnx", record, settings.detector, labels, "test")
        val = measure_detector(folder / "model.onnx", record, settings.detector, labels, "val")
        metrics |= {"val_map50": val["map50"], "val_map50_95": val["map50_95"]}
        metrics |= {"train_images": float(len(labels.part("train"))), "train_seconds": round(seconds, 1)}
        record = describe(ModelKind.DETECTOR, job, spec, metrics, None)
    if losses:
        figures.draw_curve(folder / "curve.png", losses, [])
    text = json.dumps({"metrics": metrics, "curve": {"loss": losses}}, indent=2)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    (folder / "card.md").write_text(model_card(record, None, None), encoding="utf-8")
    publish_version(store, ModelKind.DETECTOR, job.version, folder, record)
    child.say(f"version {job.version:04d}: mAP50 {metrics['map50']:.4f} on {metrics['test_images']:.0f} test images")
    return JobResult(version=job.version)


def keep_quiet() -> None:
    """No downloads, no reports, no tables of layers: fonts are put in place, trackers and sync are off."""
    put_fonts(USER_CONFIG_DIR)
    SETTINGS.update({"sync": False} | {name: False for name in TRACKERS if name in SETTINGS})
    LOGGER.setLevel(logging.ERROR)


# ------------------------------------------------------------------ loop


class Trainer(DetectionTrainer):  # type: ignore[misc]
    """ultralytics' loop by the recipe, with our line an epoch, without its pickled checkpoints and final validation."""

    def __init__(self, job: DetectorJob, data: Path, architecture: Path, device: torch.device, threads: int) -> None:
        super().__init__(overrides=overrides(job, data, architecture, device))
        self.job = job
        self.threads = threads
        self.losses: list[float] = []
        self.began = time.monotonic()
        self.add_callback("on_train_start", lambda trainer: trainer.note_start())
        self.add_callback("on_train_epoch_end", lambda trainer: trainer.note_epoch())

    def note_start(self) -> None:
        """Time starts here; threads as set, not the cores less one that ultralytics takes."""
        torch.set_num_threads(self.threads)
        self.began = time.monotonic()

    def note_epoch(self) -> None:
        """One line; raises `LearnError` when the loss is no number any more."""
        child.check_parent(self.job)
        recipe, done = self.job.recipe, self.epoch + 1
        loss = sum(float(value) for value in self.tloss.values())
        if not math.isfinite(loss):
            raise LearnError(
                f"the loss became {loss} in epoch {done}; lower learning_rate ({recipe.learning_rate}) in the recipe "
                f"or raise warmup_epochs ({recipe.warmup_epochs})"
            )
        self.losses.append(loss)
        seconds = time.monotonic() - self.began
        speed = done * len(self.train_loader.dataset) / seconds
        left = seconds / done * (recipe.epochs - done)
        child.say(f"epoch {done}/{recipe.epochs} loss {loss:.3f} images/s {speed:.0f} left {left:.0f} s")

    def validate(self) -> tuple[dict[str, float], float]:
        """Figures come from the exported network; the last epoch is the one that counts."""
        return {}, 0.0

    def save_model(self) -> bool:
        """Checkpoints would be pickles, and a training starts again from its beginning."""
        return False


def overrides(job: DetectorJob, data: Path, architecture: Path, device: torch.device) -> dict[str, Any]:
    """ultralytics' arguments (https://docs.ultralytics.com/usage/cfg) for a recipe."""
    recipe = job.recipe
    return {
        "model": str(architecture),
        "data": str(data),
        "project": str(architecture.parent),
        "name": "run",
        "device": "0" if device.type == "cuda" else "cpu",
        "amp": "bf16" if device.type == "cuda" else False,  # its check of fp16 would download a model
        "imgsz": recipe.image_side_px,
        "epochs": recipe.epochs,
        "patience": 0,
        "batch": recipe.batch,
        "nbs": recipe.batch,  # a nominal batch above the real one gathers gradients: too few steps for small data
        "seed": job.seed,
        "optimizer": {"adamw": "AdamW", "sgd": "SGD"}[recipe.optimizer],
        "lr0": recipe.learning_rate,
        "cos_lr": True,
        "weight_decay": recipe.weight_decay,
        "warmup_epochs": min(recipe.warmup_epochs, recipe.epochs - 1),
        **augmentation(recipe),
        "cache": "ram",
        "workers": min(MAX_WORKERS, len(os.sched_getaffinity(0))) if device.type == "cuda" else 0,
        "plots": False,
        "save": False,
        "val": False,
        "pretrained": False,
        "verbose": False,
    }


def augmentation(recipe: DetectorRecipe) -> dict[str, float]:
    """The recipe's augmentation in ultralytics' words; hue stays."""
    chosen = recipe.augment
    return {
        "mosaic": chosen.mosaic,
        "close_mosaic": max(0, recipe.epochs // 10) if chosen.mosaic else 0,
        "fliplr": chosen.flip,
        "scale": chosen.scale,
        "translate": chosen.translate,
        "degrees": chosen.rotate_deg,
        "hsv_h": 0.0,
        "hsv_s": chosen.saturation,
        "hsv_v": chosen.brightness,
        "erasing": 0.0,
    }


# ------------------------------------------------------------------ export


def finish(model: Any, labels: Labels) -> Any:
    """The network as it is kept: on the CPU, in float32, for use, with its classes' names."""
    finished = model.cpu().float().eval()
    finished.task = "detect"  # the exporter asks for it; ultralytics' own `YOLO` wrapper would set it
    finished.names = dict(enumerate(labels.index.classes))
    for parameter in finished.parameters():
        parameter.requires_grad_(False)
    return finished


def export_onnx(model: Any, side_px: int, scratch: Path, path: Path) -> None:
    """Write the network as ONNX with any batch size, and check that it answers as the network itself does."""
    model.yaml_file = str(scratch / "model.yaml")  # the exporter writes beside it
    arguments = {"format": "onnx", "imgsz": side_px, "dynamic": True, "simplify": True, "device": "cpu"}
    written = Exporter(overrides={**arguments, "project": str(scratch), "verbose": False})(model=model)
    shutil.move(str(written), path)
    images = torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(images)
    wanted = (wanted[0] if isinstance(wanted, (tuple, list)) else wanted).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    scale = np.ones((1, wanted.shape[1], 1), np.float32)
    scale[:, :4] = side_px
    difference = float((np.abs(answer - wanted) / scale).max())
    if not difference <= ONNX_TOLERANCE:
        raise LearnError(f"the exported detector differs from the trained one by {difference:.2g}")


if __name__ == "__main__":
    child.run(DetectorJob, work)
