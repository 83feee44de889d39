"""Train one classifier from a snapshot and publish it. Reads from top to bottom: data, model, loop, export, publish.

Runs as `python -m lvbag.learn.run_classifier job.json`, started by `lvbag.learn.classifier`. Networks, optimizers and
schedules are timm's (Wightman, https://github.com/huggingface/pytorch-image-models).
"""

from __future__ import annotations

import json
import math
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import polars as pl
import timm
import torch
from safetensors.torch import save_file
from timm.data import resolve_data_config
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from torch import Tensor, nn

from lvbag import schemas
from lvbag.learn import child, figures
from lvbag.learn.augmenting import augment
from lvbag.learn.data import Snapshot, read_snapshot
from lvbag.learn.describing import describe
from lvbag.learn.devices import choose_device
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import ClassifierJob, JobResult
from lvbag.learn.recipes import ClassifierRecipe
from lvbag.learn.scores import Answers, answers, confusion
from lvbag.learn.scores import figures as score_figures
from lvbag.registry import model_card, publish_version
from lvbag.registry.records import ModelSpec
from lvbag.store import ModelKind, open_store
from lvbag.store.tables import check_schema, parquet_bytes

MOMENTUM = 0.9
MEASURE_BATCH = 64
ONNX_TOLERANCE = 1e-4
"""Largest difference of a probability between the trained network and its exported file."""
RESIDENT_SHARE = 0.5
"""Of a CUDA device's free memory, up to which the pictures are kept there."""


@dataclass
class Curve:
    """Figures of each epoch."""

    loss: list[float] = field(default_factory=list)
    val_top1: list[float] = field(default_factory=list)
    images_per_s: list[float] = field(default_factory=list)


def work(job: ClassifierJob) -> JobResult:
    """Everything from the snapshot to the published version."""
    settings = job.read_settings()
    store = open_store(settings)
    device = choose_device(settings.train)
    torch.manual_seed(job.seed)

    snapshot = read_snapshot(store, job.data, job.recipe.image_side_px, settings.images)
    for split in ("train", "test"):
        if not len(snapshot.indices(split)):
            raise LearnError(f"snapshot {job.data} has no {split} image, so nothing can be trained and measured on it")
    counts = " ".join(f"{split} {len(snapshot.indices(split))}" for split in ("train", "val", "test"))
    child.say(f"snapshot {job.data}: {len(snapshot.products)} products, images: {counts}; device {device}")

    model, mean, std = build(job.recipe, len(snapshot.products), settings.train.pretrained)
    model = model.to(device).to(memory_format=torch.channels_last)
    started = time.monotonic()
    curve = train(job, model, snapshot, View(mean, std, device))
    seconds = time.monotonic() - started

    model = model.cpu().to(memory_format=torch.contiguous_format).eval()
    folder = job.folder / "version"
    folder.mkdir()
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    export_onnx(model, job.recipe.image_side_px, folder / "model.onnx")
    metrics, test = measure(folder / "model.onnx", snapshot, View(mean, std, torch.device("cpu")))
    metrics |= {"train_images": float(len(snapshot.indices("train"))), "train_seconds": round(seconds, 1)}
    write_predictions(folder / "predictions.parquet", snapshot, test)
    counts_table = confusion(test, snapshot.products)
    figures.draw_confusion(folder / "confusion.png", counts_table, snapshot.products)
    if curve.loss:
        figures.draw_curve(folder / "curve.png", curve.loss, curve.val_top1)
    spec = ModelSpec(
        architecture=job.recipe.model,
        image_side_px=job.recipe.image_side_px,
        mean=mean,
        std=std,
        classes=snapshot.products,
    )
    record = describe(ModelKind.CLASSIFIER, job, spec, metrics, detectors(snapshot))
    (folder / "metrics.json").write_text(
        json.dumps({"metrics": metrics, "curve": curve.__dict__}, indent=2) + "\n", encoding="utf-8"
    )
    (folder / "card.md").write_text(model_card(record, None, None), encoding="utf-8")
    publish_version(store, ModelKind.CLASSIFIER, job.version, folder, record)
    child.say(f"version {job.version:04d}: top-1 {metrics['top1']:.4f} on {len(test.truths)} test images")
    return JobResult(version=job.version)


# ------------------------------------------------------------------ model


def build(
    recipe: ClassifierRecipe, classes: int, pretrained: bool
) -> tuple[nn.Module, tuple[float, float, float], tuple[float, float, float]]:
    """timm's network with as many outputs as there are products, and its mean and deviation of RGB in 0 to 1."""
    if not timm.is_model(recipe.model):
        near = ", ".join(timm.list_models(f"*{recipe.model.split('_')[0]}*")[:5]) or "see timm.list_models()"
        raise LearnError(f"recipe: model = {recipe.model!r} is no network of timm {timm.__version__}; near: {near}")
    model = timm.create_model(recipe.model, pretrained=pretrained, num_classes=classes)
    config = resolve_data_config({}, model=model)
    return model, tuple(config["mean"]), tuple(config["std"])


@dataclass(frozen=True)
class View:
    """How pictures reach the network: on which device, with which mean and deviation of RGB in 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    device: torch.device

    def pixels(self, images: Tensor) -> Tensor:
        """uint8 (n, side, side, 3) to float32 (n, 3, side, side) in 0 to 1 on the device."""
        return images.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)

    def inputs(self, pixels: Tensor) -> Tensor:
        """What the network takes, channels last."""
        mean = pixels.new_tensor(self.mean).view(1, 3, 1, 1)
        std = pixels.new_tensor(self.std).view(1, 3, 1, 1)
        return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


# ------------------------------------------------------------------ loop


def train(job: ClassifierJob, model: nn.Module, snapshot: Snapshot, view: View) -> Curve:
    """The recipe's epochs; one line each. Raises `LearnError` when the loss is no number any more."""
    recipe, curve = job.recipe, Curve()
    if not recipe.epochs:
        child.say("epochs 0: the network stays untrained")
        return curve
    device = view.device
    pool = Pool(residence(torch.from_numpy(snapshot.images), device), torch.from_numpy(snapshot.labels), view)
    chosen, val = torch.from_numpy(snapshot.indices("train")), torch.from_numpy(snapshot.indices("val"))
    batch = min(recipe.batch, len(chosen))
    steps = max(1, len(chosen) // batch)
    optimizer, schedule = plan_steps(model, recipe, steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    shuffle = torch.Generator().manual_seed(job.seed)
    noise = torch.Generator(device=device).manual_seed(job.seed)
    started = time.monotonic()
    for epoch in range(1, recipe.epochs + 1):
        child.check_parent(job)
        epoch_started = time.monotonic()
        model.train()
        order = chosen[torch.randperm(len(chosen), generator=shuffle)]
        total = 0.0
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            inputs = view.inputs(augment(pool.pixels(rows), recipe.augment, noise))
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = loss_of(model(inputs), pool.labels[rows].to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step_update((epoch - 1) * steps + step + 1)
            total += check_loss(float(loss.detach()), epoch, recipe)
        speed = steps * batch / (time.monotonic() - epoch_started)
        curve.loss.append(total / steps)
        curve.images_per_s.append(round(speed, 1))
        curve.val_top1.append(top1(model, pool, val))
        left = (time.monotonic() - started) / epoch * (recipe.epochs - epoch)
        child.say(
            f"epoch {epoch}/{recipe.epochs} loss {curve.loss[-1]:.3f} val_top1 {curve.val_top1[-1]:.3f} "
            f"images/s {speed:.0f} left {left:.0f} s"
        )
    return curve


@dataclass(frozen=True)
class Pool:
    """All pictures and labels of the snapshot, by row."""

    images: Tensor
    labels: Tensor
    view: View

    def pixels(self, rows: Tensor) -> Tensor:
        """The pictures of these rows, in 0 to 1 on the device."""
        return self.view.pixels(self.images[rows.to(self.images.device)])


def plan_steps(model: nn.Module, recipe: ClassifierRecipe, steps: int) -> tuple[torch.optim.Optimizer, Scheduler]:
    """timm's optimizer, and its cosine schedule with warm-up; `steps` an epoch."""
    optimizer = create_optimizer_v2(
        model, opt=recipe.optimizer, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, momentum=MOMENTUM
    )
    schedule, _ = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=recipe.epochs,
        warmup_epochs=min(recipe.warmup_epochs, recipe.epochs - 1),
        warmup_lr=recipe.learning_rate / 100,
        step_on_epochs=False,
        updates_per_epoch=steps,
    )
    return optimizer, schedule


def check_loss(loss: float, epoch: int, recipe: ClassifierRecipe) -> float:
    """The loss itself; raises `LearnError` when it is NaN or infinite."""
    if not math.isfinite(loss):
        raise LearnError(
            f"the loss became {loss} in epoch {epoch}; lower learning_rate ({recipe.learning_rate}) in the recipe "
            f"or raise warmup_epochs ({recipe.warmup_epochs})"
        )
    return loss


def residence(images: Tensor, device: torch.device) -> Tensor:
    """The pictures on the CUDA device where they fit, else where they are."""
    if device.type == "cuda" and images.nbytes < RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
        return images.to(device)
    return images


@torch.inference_mode()
def top1(model: nn.Module, pool: Pool, rows: Tensor) -> float:
    """Share of the rows that the network gets right; 0 without rows."""
    model.eval()
    right = 0
    for start in range(0, len(rows), MEASURE_BATCH):
        part = rows[start : start + MEASURE_BATCH]
        answer = model(pool.view.inputs(pool.pixels(part))).argmax(1).cpu()
        right += int((answer == pool.labels[part]).sum())
    return right / max(1, len(rows))


# ------------------------------------------------------------------ export and figures


def export_onnx(model: nn.Module, side_px: int, path: Path) -> None:
    """Write the network as ONNX with any batch size, and check that it answers as the network itself does."""
    example = torch.rand(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter takes seconds more for the same
        torch.onnx.export(
            model,
            (example,),
            str(path),
            input_names=["images"],
            output_names=["scores"],
            dynamic_axes={"images": {0: "batch"}, "scores": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    more = torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = model(more).softmax(1).numpy()
    (scores,) = open_onnx(path).run(None, {"images": more.numpy()})
    difference = float(np.abs(softmax(scores) - wanted).max())
    if not difference <= ONNX_TOLERANCE:
        raise LearnError(f"the exported network differs from the trained one by {difference:.2g} in probability")


def open_onnx(path: Path) -> onnxruntime.InferenceSession:
    """The exported network on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def softmax(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Probabilities of scores of shape (n, classes)."""
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def measure(path: Path, snapshot: Snapshot, view: View) -> tuple[dict[str, float], Answers]:
    """Figures of the exported network on the validation (`val_…`) and the test split, and its test answers."""
    session = open_onnx(path)
    results = {}
    for split in ("val", "test"):
        rows = snapshot.indices(split)
        if not len(rows):
            continue
        parts = []
        for start in range(0, len(rows), MEASURE_BATCH):
            images = torch.from_numpy(snapshot.images[rows[start : start + MEASURE_BATCH]])
            (scores,) = session.run(None, {"images": view.inputs(view.pixels(images)).contiguous().numpy()})
            parts.append(softmax(scores))
        truths = snapshot.rows["style_code"].gather(rows).to_list()
        results[split] = answers(np.concatenate(parts), snapshot.products, truths)
    metrics = score_figures(results["test"])
    if "val" in results:
        metrics["val_top1"] = score_figures(results["val"])["top1"]
    return metrics, results["test"]


def write_predictions(path: Path, snapshot: Snapshot, test: Answers) -> None:
    """What the version answered to each test picture (`schemas.PREDICTIONS`)."""
    rows = snapshot.rows.filter(pl.col("split") == "test").select("sha256", "listing_id", "style_code")
    frame = rows.with_columns(
        pl.Series("predicted", test.predicted, pl.String()),
        pl.Series("correct", test.correct, pl.Boolean()),
        pl.Series("probability", test.probability, pl.Float64()),
        pl.Series("rank", [rank or None for rank in test.rank.tolist()], pl.Int32()),
    )
    check_schema(frame, schemas.PREDICTIONS, path.name)
    path.write_bytes(parquet_bytes(frame))


def detectors(snapshot: Snapshot) -> str:
    """The detector versions that cropped the snapshot, joined by "+"."""
    return "+".join(sorted(set(snapshot.rows["detector"])))


if __name__ == "__main__":
    child.run(ClassifierJob, work)
