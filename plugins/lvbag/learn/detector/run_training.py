"""Train one detector from a label set and publish it: pictures, network, ultralytics' loop, export, figures, publish.

Runs as `python -m lvbag.learn.detector.run_training job.json`, started by `lvbag.learn.detector.steps`. Stopped or
killed, the same training goes on from its last checkpoint. Figures are measured on the exported file, through the code
that curation detects with, not on the network in memory.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import ultralytics
from safetensors.torch import save_file
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import LOGGER, SETTINGS, USER_CONFIG_DIR

from lvbag.learn import child, figures
from lvbag.learn.checkpoints import Checkpoints, Place
from lvbag.learn.describing import describe
from lvbag.learn.detector.checkpoints import DetectorProgress, capture, restore, seed_epoch
from lvbag.learn.detector.data import PARTS, open_labels
from lvbag.learn.detector.export import export_onnx, finish
from lvbag.learn.detector.scenes.writing import write_composed
from lvbag.learn.detector.scoring import measure_detector
from lvbag.learn.detector.weights import NAMES, Source, put_weights, read_kept
from lvbag.learn.detector.yolo_folder import put_fonts, write_architecture, write_data
from lvbag.learn.devices import choose_device
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import DetectorJob, JobResult
from lvbag.learn.recipes import DetectorRecipe
from lvbag.registry import fetch_file, model_card, publish_version
from lvbag.registry.records import ModelSpec
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys, open_store

TRACKERS = ("clearml", "comet", "dvc", "hub", "mlflow", "neptune", "raytune", "tensorboard", "wandb")
"""Services that ultralytics reports to when their packages are there."""
MAX_WORKERS = 8
"""Processes that augment pictures for a GPU; on the CPU they would take the cores that train."""


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
        source = read_start(store, job)
        minutes = settings.train.checkpoint_minutes
        place = Place(ModelKind.DETECTOR, job.training_key, "ultralytics", job.made_of)
        checkpoints = Checkpoints(store, place, DetectorProgress, scratch, minutes * 60)
        if job.recipe.epochs:
            data = write_data(scratch / "data", labels)
            write_composed(data.parent, labels, job.recipe.scenes, job.seed, job.recipe.image_side_px)
            trainer = Trainer(job, data, architecture, device, threads)
            trainer.train_on(checkpoints, source)
            model, losses, seconds = trainer.ema.ema, trainer.losses, trainer.seconds
        else:
            child.say("epochs 0: the network stays untrained")
            torch.manual_seed(job.seed)
            model, losses = DetectionModel(str(architecture), nc=len(labels.index.classes), verbose=False), []
            begin_with(model, source, labels.index.classes, settings)
            seconds = 0.0
        torch.set_num_threads(threads)
        model = finish(model, labels.index.classes)
        folder = job.folder / "version"
        folder.mkdir()
        save_file(
            {name: value.contiguous() for name, value in model.state_dict().items()},
            folder / "model.safetensors",
            metadata={NAMES: json.dumps(labels.index.classes)},
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
    checkpoints.remove()
    child.say(f"version {job.version:04d}: mAP50 {metrics['map50']:.4f} on {metrics['test_images']:.0f} test images")
    return JobResult(version=job.version)


def read_start(store: Store, job: DetectorJob) -> Source | None:
    """The weights to start from, their digest checked; None for scratch."""
    start = job.start
    if start is None:
        return None
    if start.version is not None:
        path = fetch_file(store, ModelKind.DETECTOR, start.version, "model.safetensors", job.cache / "models")
    else:
        path = store.download(keys.weights_file(start.sha256), job.folder / "start.safetensors", sha256=start.sha256)
    child.say(f"starting from {start.named}")
    return read_kept(path, start.classes)


def begin_with(model: DetectionModel, source: Source | None, classes: Sequence[str], settings: Settings) -> None:
    """Put the weights to start from into a new network, and say how much of them fits."""
    if source is not None:
        child.say(str(put_weights(model, source, classes, settings.detector.class_map)))


def keep_quiet() -> None:
    """No downloads, no reports, no tables of layers: fonts are put in place, trackers and sync are off."""
    put_fonts(USER_CONFIG_DIR)
    SETTINGS.update({"sync": False} | {name: False for name in TRACKERS if name in SETTINGS})
    LOGGER.setLevel(logging.ERROR)


# ------------------------------------------------------------------ loop


class Trainer(DetectionTrainer):  # type: ignore[misc]
    """ultralytics' loop by the recipe, with our line an epoch and our checkpoints, without its final validation."""

    def __init__(self, job: DetectorJob, data: Path, architecture: Path, device: torch.device, threads: int) -> None:
        super().__init__(overrides=overrides(job, data, architecture, device))
        self.job = job
        self.threads = threads
        self.losses: list[float] = []
        self.seconds = 0.0
        self.checkpoints: Checkpoints[DetectorProgress] | None = None
        self.source: Source | None = None
        self._earlier_s = 0.0
        self._began = time.monotonic()
        self.add_callback("on_train_start", lambda trainer: trainer.note_start())
        self.add_callback("on_train_epoch_start", lambda trainer: seed_epoch(trainer, trainer.job.seed))
        self.add_callback("on_train_epoch_end", lambda trainer: trainer.note_epoch())

    def train_on(self, checkpoints: Checkpoints[DetectorProgress], source: Source | None) -> None:
        """Train to the end, going on from a checkpoint if there is one; whatever ends it earlier stores where it is."""
        self.checkpoints, self.source = checkpoints, source
        try:
            self.train()
        except BaseException:
            child.stop_no_more()
            checkpoints.flush()
            raise

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> DetectionModel:
        """Called by ultralytics, which would load a pickle into it: the network with the weights to start from."""
        model = super().get_model(cfg, None, verbose)
        begin_with(model, self.source, tuple(self.data["names"].values()), self.job.read_settings())
        return model.to(memory_format=torch.channels_last)  # a step in four fifths of the time on a CPU

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Pictures laid out as the network is."""
        batch = super().preprocess_batch(batch)
        return batch | {"img": batch["img"].contiguous(memory_format=torch.channels_last)}

    def resume_training(self, ckpt: Any) -> None:
        """Called by ultralytics once everything is set up; its own checkpoints are pickles, and never there."""
        state = self.checkpoints.load() if self.checkpoints is not None else None
        if state is not None:
            restore(self, state)
            self.losses = list(state.progress.losses)
            self._earlier_s = state.progress.seconds

    def note_start(self) -> None:
        """Time starts here; threads as set, not the cores less one that ultralytics takes."""
        torch.set_num_threads(self.threads)
        self._began = time.monotonic()

    def note_epoch(self) -> None:
        """One line and, but for the last epoch, a checkpoint; raises `LearnError` when the loss is no number."""
        child.check_parent(self.job)
        recipe, done = self.job.recipe, self.epoch + 1
        loss = sum(float(value) for value in self.tloss.values())
        if not math.isfinite(loss):
            raise LearnError(
                f"the loss became {loss} in epoch {done}; lower learning_rate ({recipe.learning_rate}) in the recipe "
                f"or raise warmup_epochs ({recipe.warmup_epochs})"
            )
        self.losses.append(loss)
        here_s = time.monotonic() - self._began
        self.seconds = self._earlier_s + here_s
        keeps = self.checkpoints if done < recipe.epochs else None
        if keeps is not None:
            keeps.note(capture(self, self.progress(done)))
        epoch_s = here_s / (done - self.start_epoch)
        speed, left = len(self.train_loader.dataset) / epoch_s, epoch_s * (recipe.epochs - done)
        child.say(f"epoch {done}/{recipe.epochs} loss {loss:.3f} images/s {speed:.0f} left {left:.0f} s")
        if keeps is not None:
            keeps.flush_when_due()

    def progress(self, done: int) -> DetectorProgress:
        """How far it is after so many epochs."""
        seconds, updates = round(self.seconds, 1), self.ema.updates
        return DetectorProgress(
            epochs=done, of=self.job.recipe.epochs, losses=tuple(self.losses), seconds=seconds, updates=updates
        )

    def validate(self) -> tuple[dict[str, float], float]:
        """Figures come from the exported network; the last epoch is the one that counts."""
        return {}, 0.0

    def save_model(self) -> bool:
        """ultralytics' checkpoints are pickles; ours are written at the end of an epoch."""
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


if __name__ == "__main__":
    child.run(DetectorJob, work)
