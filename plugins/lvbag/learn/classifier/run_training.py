"""Train one classifier from a snapshot and publish it. Reads from top to bottom: data, model, loop, export, publish.

Runs as `python -m lvbag.learn.classifier.run_training job.json`, once or, by torchrun, in several processes, started by
`lvbag.learn.classifier.steps`. Networks, optimizers and schedules are timm's (Wightman,
https://github.com/huggingface/pytorch-image-models), devices and processes are accelerate's
(https://github.com/huggingface/accelerate). Stopped or killed, the same training goes on at the step of its last
checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from lvbag.learn import child, figures
from lvbag.learn.checkpoints import Checkpoints, Place
from lvbag.learn.classifier.augmenting import augment
from lvbag.learn.classifier.checkpoints import ClassifierProgress, Learner, capture, restore, seed_step
from lvbag.learn.classifier.course import Course
from lvbag.learn.classifier.curves import write_tensorboard
from lvbag.learn.classifier.data import Snapshot, read_snapshot
from lvbag.learn.classifier.export import export_onnx, write_tensors
from lvbag.learn.classifier.measuring import MEASURE_BATCH, measure, write_predictions
from lvbag.learn.classifier.network import Beginning, Normal, build, check_model, leave_the_outputs
from lvbag.learn.classifier.objective import is_mixed, make_loss, make_mixing
from lvbag.learn.classifier.pool import Pool
from lvbag.learn.classifier.sampling import epoch_order, step_batches
from lvbag.learn.classifier.scores import confusion
from lvbag.learn.describing import describe
from lvbag.learn.devices import open_accelerator
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import ClassifierJob, JobResult
from lvbag.learn.local_cache import open_cache
from lvbag.learn.recipes import ClassifierRecipe
from lvbag.registry import fetch_file, model_card, publish_version
from lvbag.registry.records import ModelSpec
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys, open_store

MOMENTUM = 0.9

LossOf = Callable[[Tensor, Tensor], Tensor]
"""Of scores (n, products) and targets, the mean."""


def work(job: ClassifierJob) -> JobResult:
    """Everything from the snapshot to the published version."""
    settings, recipe = job.read_settings(), job.recipe
    store = open_store(settings)
    check_model(recipe.model)
    accelerator = open_accelerator(settings.train, recipe)

    cache = open_cache(job.cache, settings.train.cache_gb)
    snapshot = read_snapshot(store, job.data, recipe.image_side_px, settings.images, cache=cache)
    plan = plan_training(snapshot, recipe, accelerator.num_processes)
    if accelerator.is_main_process:
        child.say(f"snapshot {job.data}: {describe_counts(snapshot)}; {describe_device(accelerator, settings)}")

    torch.manual_seed(job.seed)
    model, normal = build(recipe.model, recipe.image_side_px, snapshot.products, read_beginning(store, job))
    folder = job.folder / f"process-{accelerator.process_index}"
    folder.mkdir()
    place = Place(ModelKind.CLASSIFIER, job.training_key, "timm", job.made_of)
    checkpoints = Checkpoints(store, place, ClassifierProgress, folder, settings.train.checkpoint_minutes * 60)
    pictures = Pictures(snapshot, plan, normal)
    if recipe.epochs:
        model, progress = train(job, model, pictures, accelerator, checkpoints)
        accelerator.end_training()
    else:
        child.say("epochs 0: the network stays untrained")
        progress = ClassifierProgress(of=0, parts=recipe.accumulate)
    if accelerator.is_main_process:
        model = model.cpu().to(memory_format=torch.contiguous_format).eval()
        publish(job, store, pictures, model, progress)
        checkpoints.remove()
    return JobResult(version=job.version)


def read_beginning(store: Store, job: ClassifierJob) -> Beginning | None:
    """The weights to start from, their digest checked; None for scratch."""
    from safetensors.torch import load_file

    start = job.start
    if start is None:
        return None
    if start.version is not None:
        path = fetch_file(store, ModelKind.CLASSIFIER, start.version, "model.safetensors", job.cache / "models")
    else:
        ref = keys.weights_file(start.sha256, ModelKind.CLASSIFIER)
        path = store.download(ref, job.cache / "models" / start.sha256 / "model.safetensors", sha256=start.sha256)
    child.say(f"starting from {start.named}")
    return Beginning(load_file(path), start.classes, start.named)


# ------------------------------------------------------------------ what is trained on


@dataclass(frozen=True)
class Plan:
    """The rows that are trained on with their labels, a step's pictures over all processes, and an epoch's steps."""

    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    batch: int
    steps: int


def plan_training(snapshot: Snapshot, recipe: ClassifierRecipe, processes: int = 1) -> Plan:
    """How the training pictures are dealt with; raises `LearnError` where nothing can be learnt or measured."""
    rows = snapshot.indices("train")
    if not len(snapshot.indices("test")):
        raise LearnError(f"snapshot {snapshot.name} has no test image, so nothing that is trained could be measured")
    labels = snapshot.labels[rows]
    named = np.unique(labels)
    if len(named) < 2:
        which = snapshot.products[named[0]] if len(named) else "no product"
        raise LearnError(f"snapshot {snapshot.name} has train images of {which} alone: there is nothing to tell apart")
    together = processes * (2 if recipe.mixup or recipe.cutmix else 1)  # a picture is mixed with another one
    batch = min(recipe.batch, len(rows)) // together * together
    if batch < 2 * processes:
        raise LearnError(
            f"snapshot {snapshot.name}: {min(recipe.batch, len(rows))} images a step are too few for {processes} "
            "processes, which need two each; lower train.processes or raise the recipe's batch"
        )
    return Plan(rows, labels, batch, len(rows) // batch)


def describe_counts(snapshot: Snapshot) -> str:
    """Products and images, and how many products have nothing to be learnt from."""
    counts = " ".join(f"{split} {len(snapshot.indices(split))}" for split in ("train", "val", "test"))
    missing = len(snapshot.products) - len(np.unique(snapshot.labels[snapshot.indices("train")]))
    rest = f" ({missing} without a train image)" if missing else ""
    return f"{len(snapshot.products)} products{rest}, images: {counts}"


def describe_device(accelerator: Accelerator, settings: Settings) -> str:
    """Where and how it is computed."""
    processes = f" in {accelerator.num_processes} processes" if accelerator.num_processes > 1 else ""
    precision = "float32" if accelerator.mixed_precision == "no" else accelerator.mixed_precision
    wish = settings.train.device
    why = f" (no CUDA device is visible, train.device = {wish!r})" if wish == "prefer" else ""
    return f"device {accelerator.device.type}{why if accelerator.device.type == 'cpu' else ''}{processes}, {precision}"


@dataclass(frozen=True)
class Pictures:
    """A snapshot, how it is trained on, and how its pictures are normalised."""

    snapshot: Snapshot
    plan: Plan
    normal: Normal


@dataclass(frozen=True)
class View:
    """How pictures reach the network: normalised, and in training changed and mixed by the recipe."""

    normal: Normal
    recipe: ClassifierRecipe
    mixing: Any = None  # timm's `Mixup`, or None

    def shown(self, images: Tensor, labels: Tensor, chances: torch.Generator, epoch: int) -> tuple[Tensor, Tensor]:
        """What a training step takes of uint8 pictures (n, side, side, 3) and labels in an epoch (from 0)."""
        inputs = self.inputs(augment(self.pixels(images), self.recipe.augment, chances))
        if self.mixing is not None and is_mixed(self.recipe, epoch):
            mixed: tuple[Tensor, Tensor] = self.mixing(inputs, labels)
            return mixed
        return inputs, labels

    def pixels(self, images: Tensor) -> Tensor:
        """uint8 (n, side, side, 3) to float32 (n, 3, side, side) in 0 to 1."""
        return images.permute(0, 3, 1, 2).float().div_(255)

    def inputs(self, pixels: Tensor) -> Tensor:
        """What the network takes."""
        mean, std = on_device(self.normal.mean, pixels.device), on_device(self.normal.std, pixels.device)
        order = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return ((pixels - mean) / std).contiguous(memory_format=order)


@lru_cache(maxsize=8)
def on_device(values: tuple[float, float, float], device: torch.device) -> Tensor:
    """Three numbers, a channel each, (1, 3, 1, 1): copied once, for each copy waits until a GPU has nothing to do."""
    return torch.tensor(values, device=device).view(1, 3, 1, 1)


# ------------------------------------------------------------------ loop


def train(
    job: ClassifierJob,
    model: nn.Module,
    pictures: Pictures,
    accelerator: Accelerator,
    checkpoints: Checkpoints[ClassifierProgress],
) -> tuple[nn.Module, ClassifierProgress]:
    """The recipe's epochs; returns what becomes the model. Raises `LearnError` when a loss is no number any more."""
    recipe, plan, snapshot = job.recipe, pictures.plan, pictures.snapshot
    process, processes = accelerator.process_index, accelerator.num_processes
    learner, schedule = set_up(model, recipe, plan, accelerator)
    network = accelerator.prepare_model(learner.model)
    with child.between_steps() as stop:
        progress = go_on(
            checkpoints, learner, ClassifierProgress(of=recipe.epochs * plan.steps, parts=recipe.accumulate)
        )
        schedule.step_update(progress.steps)
        agree(accelerator, progress.steps)

        pool = Pool(snapshot, accelerator.device)
        view = View(pictures.normal, recipe, make_mixing(recipe, len(snapshot.products)))
        frequency = np.bincount(plan.labels, minlength=len(snapshot.products))
        loss_of = make_loss(recipe, frequency, accelerator.device)
        passes = Passes(accelerator, network, loss_of, progress.parts, plan.batch // processes)
        stepper = Stepper(learner, schedule, passes)
        course = Course(recipe, progress, snapshot.rows["sha256"].to_list(), plan.batch)
        while course.steps < progress.of:
            epoch, first = divmod(course.steps, plan.steps)
            order = epoch_order(plan.rows, plan.labels, recipe, job.seed, epoch)
            batches = step_batches(order, plan.batch, process, processes)[first:]
            course.begin_epoch()
            network.train(not recipe.freeze)  # what is frozen keeps its batch statistics, too
            for rows, (images, labels) in zip(batches, pool.in_turn(batches), strict=True):
                chances = seed_step(job.seed, course.steps, process, accelerator.device)
                inputs, targets = view.shown(images, labels, chances, epoch)
                course.note(rows, stepper.learn(inputs, targets, course.steps + 1))
                if course.steps % plan.steps == 0:
                    score = None
                    if course.is_measured:
                        score = top1(learner.ready, pool, view, snapshot.indices("val"), accelerator)
                    rate = learner.optimizer.param_groups[-1]["lr"]
                    course.end_epoch(score, rate, say=accelerator.is_main_process)
                ends = stop.is_there or child.is_orphan(job)
                if accelerator.is_main_process and (ends or checkpoints.are_due):
                    checkpoints.note(capture(learner, course.progress(passes.parts)))
                    checkpoints.flush()
                if ends:
                    raise child.Stopped(143)
                course.say_when_due(accelerator.is_main_process)
    accelerator.unwrap_model(network, keep_fp32_wrapper=False, keep_torch_compile=False)
    return learner.ready, course.progress(passes.parts)


def go_on(
    checkpoints: Checkpoints[ClassifierProgress], learner: Learner, beginning: ClassifierProgress
) -> ClassifierProgress:
    """Put the last checkpoint into the learner and say how far it is; where there is none, the beginning."""
    state = checkpoints.load()
    if state is None:
        return beginning
    if state.progress.of != beginning.of:
        child.say(f"pictures were taken down since: {beginning.of} steps, not {state.progress.of}; starting anew")
        return beginning
    restore(learner, state)
    return state.progress


def set_up(
    model: nn.Module, recipe: ClassifierRecipe, plan: Plan, accelerator: Accelerator
) -> tuple[Learner, Scheduler]:
    """The network on its device, its average, its optimizer, and the course of the learning rate."""
    model = model.to(accelerator.device)
    if recipe.freeze:
        leave_the_outputs(model)
    if recipe.channels_last:
        model = model.to(memory_format=torch.channels_last)
    average = ModelEmaV3(model, decay=recipe.ema, use_warmup=True) if recipe.ema else None
    optimizer, schedule = plan_steps(model, recipe, plan.steps)
    return Learner(model, average, optimizer), schedule


def plan_steps(model: nn.Module, recipe: ClassifierRecipe, steps: int) -> tuple[torch.optim.Optimizer, Scheduler]:
    """timm's optimizer, and its cosine schedule with warm-up; `steps` an epoch."""
    optimizer = create_optimizer_v2(
        model,
        opt=recipe.optimizer,
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        momentum=MOMENTUM,
        layer_decay=recipe.layer_decay if recipe.layer_decay < 1 else None,
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


class Passes:
    """A batch through the network and back, in parts where memory asks for it: the step stays the same.

    But for batch statistics, which are those of a part.
    """

    def __init__(self, accelerator: Accelerator, network: nn.Module, loss_of: LossOf, parts: int, batch: int) -> None:
        self._accelerator = accelerator
        self._network = network
        self._loss_of = loss_of
        self._most = max(1, batch // 2)
        self.parts = min(parts, self._most)

    def backward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Leave the gradients of the batch's mean loss with the network, and return that; out of memory, in halves."""
        while True:
            try:
                return self._in_parts(inputs, targets)
            except torch.OutOfMemoryError as error:
                self._halve(len(inputs), str(error).partition(".")[0])
            self._network.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()

    def _in_parts(self, inputs: Tensor, targets: Tensor) -> Tensor:
        total = torch.zeros((), device=inputs.device)
        pieces = list(zip(inputs.chunk(self.parts), targets.chunk(self.parts), strict=True))
        for number, (some, wanted) in enumerate(pieces, start=1):
            gathers = nullcontext() if number == len(pieces) else self._accelerator.no_sync(self._network)
            with gathers:
                loss = self._loss_of(self._network(some), wanted) * (len(some) / len(inputs))
                self._accelerator.backward(loss)
            total += loss.detach()
        return total

    def _halve(self, batch: int, why: str) -> None:
        if self._accelerator.num_processes > 1:  # the others are in the middle of the same step
            raise LearnError(f"{why}: raise accumulate in the recipe, or lower its batch or image_side_px")
        if self.parts >= self._most:
            raise LearnError(
                f"{why} with two pictures at a time; lower image_side_px in the recipe or take another model"
            )
        self.parts = min(2 * self.parts, self._most)
        child.say(f"{why}: from here on a batch of {batch} goes through the network in {self.parts} parts")


@dataclass(frozen=True)
class Stepper:
    """One step of the training."""

    learner: Learner
    schedule: Scheduler
    passes: Passes

    def learn(self, inputs: Tensor, targets: Tensor, step: int) -> Tensor:
        """Learn from what the network is shown in a step (from 1); returns the loss, still on the device."""
        self.learner.optimizer.zero_grad(set_to_none=True)
        loss = self.passes.backward(inputs, targets)
        self.learner.optimizer.step()
        self.schedule.step_update(step)
        self.learner.follow(step)
        return loss


@torch.inference_mode()
def top1(model: nn.Module, pool: Pool, view: View, rows: npt.NDArray[np.int64], accelerator: Accelerator) -> float:
    """Share of the rows that the network gets right, each process asking about its share of them; 0 without rows."""
    if not len(rows):
        return 0.0
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=accelerator.device)
    own = rows[accelerator.process_index :: accelerator.num_processes]
    for images, labels in pool.in_turn([own[at : at + MEASURE_BATCH] for at in range(0, len(own), MEASURE_BATCH)]):
        with accelerator.autocast():
            right += (model(view.inputs(view.pixels(images))).argmax(1) == labels).sum()
    return int(accelerator.reduce(right)) / len(rows)


def agree(accelerator: Accelerator, steps: int) -> None:
    """Wait until every process is ready; raises `LearnError` where they did not find the same checkpoint."""
    if accelerator.num_processes > 1:
        found = accelerator.gather(torch.tensor([steps], device=accelerator.device)).tolist()
        if len(set(found)) > 1:
            raise LearnError(f"the processes stand at different steps ({found}): the store failed some; run it again")


# ------------------------------------------------------------------ publishing


def publish(
    job: ClassifierJob, store: Store, pictures: Pictures, model: nn.Module, progress: ClassifierProgress
) -> None:
    """Export, measure the exported file, draw, and publish the version; the model is on the CPU."""
    snapshot, recipe, normal = pictures.snapshot, job.recipe, pictures.normal
    folder = job.folder / "version"
    folder.mkdir()
    write_tensors(model, folder / "model.safetensors")
    export_onnx(model, recipe.image_side_px, folder / "model.onnx")
    metrics, test = measure(folder / "model.onnx", snapshot, normal.mean, normal.std)
    metrics |= {"train_images": float(len(pictures.plan.rows)), "train_seconds": progress.seconds}
    write_predictions(folder / "predictions.parquet", snapshot, test)
    figures.draw_confusion(folder / "confusion.png", confusion(test, snapshot.products), snapshot.products)
    curve = progress.curve
    if curve.loss:
        figures.draw_curve(folder / "curve.png", curve.loss, curve.val_top1, rates=curve.learning_rate)
        write_tensorboard(folder / "curve.tfevents", curve)
    spec = ModelSpec(
        architecture=recipe.model,
        image_side_px=recipe.image_side_px,
        mean=normal.mean,
        std=normal.std,
        classes=snapshot.products,
        temperature=metrics.get("temperature", 1.0),
    )
    detectors = "+".join(sorted(set(snapshot.rows["detector"])))
    record = describe(ModelKind.CLASSIFIER, job, spec, metrics, detectors)
    told = {"metrics": metrics, "curve": curve.model_dump()}
    (folder / "metrics.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    (folder / "card.md").write_text(model_card(record, None, None), encoding="utf-8")
    publish_version(store, ModelKind.CLASSIFIER, job.version, folder, record)
    child.say(f"version {job.version:04d}: top-1 {metrics['top1']:.4f} on {len(test.truths)} test images")


if __name__ == "__main__":
    child.run(ClassifierJob, work)
