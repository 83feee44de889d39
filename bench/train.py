"""Images per second of a classifier's training: ours, a plain loop over timm's loader, and the step alone.

Ours is the loop's own step (`run_training.Stepper` on what `Pool` and `View` hand it): squares that were decoded once
into a mapped file, changed and mixed on the device, forward, backward, optimizer, schedule and average. Beside it
(a) the plain loop: timm's dataset, loader and transforms over the same pictures as JPEG files in folders, timm's
optimizer and schedule, the same network, precision and memory order; with workers, and with none where it computes on
the CPU itself; and (b) the same step on random tensors that are on the device already, which is what no data path can
beat. All by turns in one run, each turn after a step that is not timed; speeds are medians of the turns, and ratios
medians of the rounds' ratios, so that a slow minute of the machine falls on both sides of one.

    python bench/train.py                                    efficientnet_b0, 96 px, batch 16, on the CPU
    python bench/train.py --device cuda                      224 px, batch 256, bf16: peak memory, cost of an epoch
    python bench/train.py --device cuda --set compile=true   a recipe that differs
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import timm
import torch
import yaml
from PIL import Image
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2

from lvbag import schemas
from lvbag.images import decode, square
from lvbag.learn.classifier.checkpoints import seed_step
from lvbag.learn.classifier.data import Pictures, Snapshot
from lvbag.learn.classifier.network import build
from lvbag.learn.classifier.objective import make_loss, make_mixing
from lvbag.learn.classifier.pool import Pool
from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.classifier.run_training import MOMENTUM, Passes, Stepper, View, plan_training, set_up
from lvbag.learn.classifier.sampling import epoch_order, step_batches
from lvbag.learn.devices import open_accelerator
from lvbag.settings import ImageSettings, TrainSettings

PRODUCTS = 10
LONGEST_PX = 288
"""Of a crop: `curate.crop_side_px`."""
EPOCHS = (130_000, 1_000_000)
TARGET = 0.95
"""Of (b), that ours must reach."""

Turn = Callable[[int], float]
"""So many steps; returns the seconds that they took."""


@dataclass(frozen=True)
class Measured:
    """Images per second of a side in each round, and the most bytes on the GPU."""

    speeds: list[float]
    peak: int

    @property
    def speed(self) -> float:
        """In the middle of the rounds."""
        return statistics.median(self.speeds)

    def beside(self, other: Measured) -> float:
        """How many times as fast as another side, in the middle of the rounds."""
        return statistics.median(mine / its for mine, its in zip(self.speeds, other.speeds, strict=True))


@dataclass(frozen=True)
class Place:
    """Where the pictures are: JPEG files in a folder a product, and the same as a snapshot."""

    folder: Path
    snapshot: Snapshot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--recipe", default="efficientnet_b0", help="timm's model")
    parser.add_argument("--side", type=int, help="96 on the CPU, 224 on a GPU")
    parser.add_argument("--batch", type=int, help="16 on the CPU, 256 on a GPU")
    parser.add_argument("--images", type=int, help="of the training part: 320 on the CPU, 8192 on a GPU")
    parser.add_argument("--steps", type=int, help="of a turn: 8 on the CPU, 40 on a GPU")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="of timm's loader")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="what the recipe says otherwise")
    args = parser.parse_args()
    small = args.device == "cpu"
    side, batch = args.side or (96 if small else 224), args.batch or (16 if small else 256)
    images, steps = args.images or (320 if small else 8192), args.steps or (8 if small else 40)
    changed = {name: yaml.safe_load(value) for name, _, value in (pair.partition("=") for pair in args.set)}
    values = {"kind": "classifier", "model": args.recipe, "image_side_px": side, "batch": batch}
    recipe = ClassifierRecipe.model_validate(values | changed)
    with tempfile.TemporaryDirectory(prefix="lvbag-bench-") as name:
        place = make_place(Path(name), images, side)
        settings = TrainSettings(device="never" if small else "require")
        accelerator = open_accelerator(settings, recipe)
        report(recipe, measure(recipe, accelerator, place, (steps, args.rounds), args.workers), small)


def measure(
    recipe: ClassifierRecipe, accelerator: Any, place: Place, turns: tuple[int, int], workers: int
) -> dict[str, Measured]:
    """Each side in turns of so many steps, by rounds."""
    steps, rounds = turns
    device = accelerator.device
    sides: dict[str, Turn] = dict(zip(("ours", "(b) step alone"), ours(recipe, accelerator, place), strict=True))
    for count in sorted({workers, 0} if device.type == "cpu" else {workers}):
        sides[f"(a) plain, {count} workers"] = plain(recipe, accelerator, place, count)
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    peaks = dict.fromkeys(sides, 0)
    for _ in range(rounds):
        for name, turn in sides.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            speeds[name].append(steps * recipe.batch / turn(steps))
            if device.type == "cuda":
                peaks[name] = max(peaks[name], torch.cuda.max_memory_allocated(device))
    return {name: Measured(speeds[name], peaks[name]) for name in sides}


def report(recipe: ClassifierRecipe, results: dict[str, Measured], on_cpu: bool) -> None:
    print(f"{recipe.model}, {recipe.image_side_px} px, batch {recipe.batch}, {'CPU' if on_cpu else device_name()}")
    mine = results["ours"]
    for name, side in results.items():
        memory = "" if on_cpu else f"  peak {side.peak / 2**30:5.1f} GiB"
        epochs = "".join(f"  {count:>9,} images {count / side.speed / 60:7.1f} min" for count in EPOCHS)
        print(f"{name:24s} {side.speed:9.1f} images/s  ours is {mine.beside(side):5.2f} of it{memory}{epochs}")
    share = mine.beside(results["(b) step alone"])
    best = min(mine.beside(side) for name, side in results.items() if name.startswith("(a)"))
    print(f"ours: {share:.3f} of the step alone (wanted {TARGET}), {best:.2f} of the plain loop (wanted above 1)")


def device_name() -> str:
    return torch.cuda.get_device_name(0)


# ------------------------------------------------------------------ ours, and the step alone


def ours(recipe: ClassifierRecipe, accelerator: Any, place: Place) -> tuple[Turn, Turn]:
    """The same learner in both, so that both are as warm."""
    snapshot, device = place.snapshot, accelerator.device
    plan = plan_training(snapshot, recipe)
    torch.manual_seed(0)
    model, normal = build(recipe.model, recipe.image_side_px, snapshot.products, None)
    learner, schedule = set_up(model, recipe, plan, accelerator)
    network = accelerator.prepare_model(learner.model)
    network.train()
    loss_of = make_loss(recipe, np.bincount(plan.labels), device)
    stepper = Stepper(learner, schedule, Passes(accelerator, network, loss_of, recipe.accumulate, plan.batch))
    pool = Pool(snapshot, device)
    view = View(normal, recipe, make_mixing(recipe, len(snapshot.products)))
    print(f"pictures {'on the device' if pool.is_resident else 'in a mapped file'}, {len(plan.rows)} to train on")

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        epoch = 0
        while True:
            yield from pool.in_turn(step_batches(epoch_order(plan.rows, plan.labels, recipe, 0, epoch), plan.batch))
            epoch += 1

    def whole(steps: int) -> float:
        source = batches()

        def step(number: int) -> None:
            inputs, targets = view.shown(*next(source), seed_step(0, number, 0, device), 0)
            stepper.learn(inputs, targets, number + 1)

        taken = timed(step, steps, device)
        source.close()  # type: ignore[attr-defined]
        return taken

    side = recipe.image_side_px
    order = torch.channels_last if recipe.channels_last else torch.contiguous_format
    inputs = torch.randn(plan.batch, 3, side, side, device=device).contiguous(memory_format=order)
    targets = torch.arange(plan.batch, device=device) % len(snapshot.products)

    def alone(steps: int) -> float:
        return timed(lambda number: void(stepper.learn(inputs, targets, number + 1)), steps, device)

    return whole, alone


def timed(step: Callable[[int], None], steps: int, device: torch.device) -> float:
    """Seconds of so many steps after one that is not timed."""
    step(0)
    wait(device)
    began = time.perf_counter()
    for number in range(1, steps + 1):
        step(number)
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def void(value: object) -> None:
    """Nothing: for what returns something where nothing is wanted."""


# ------------------------------------------------------------------ the plain loop


def plain(recipe: ClassifierRecipe, accelerator: Any, place: Place, workers: int) -> Turn:
    """A loop as timm's documentation and training script have it, over timm's own factories."""
    device, on_cuda = accelerator.device, accelerator.device.type == "cuda"
    torch.manual_seed(0)
    model = timm.create_model(recipe.model, num_classes=PRODUCTS).to(device)
    if recipe.channels_last:
        model = model.to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(
        model, opt=recipe.optimizer, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, momentum=MOMENTUM
    )
    schedule, _ = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=recipe.epochs,
        warmup_epochs=2,
        step_on_epochs=False,
        updates_per_epoch=100,
    )
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    loader = create_loader(
        create_dataset("", root=str(place.folder)),
        input_size=(3, recipe.image_side_px, recipe.image_side_px),
        batch_size=recipe.batch,
        is_training=True,
        use_prefetcher=on_cuda,
        scale=recipe.augment.scale,
        hflip=0.5,
        auto_augment=f"rand-m{chosen:g}-mstd0.5-inc1" if (chosen := recipe.augment.randaugment) else None,
        color_jitter=(recipe.augment.colour_jitter, recipe.augment.colour_jitter, 0, 0),
        num_workers=workers,
        persistent_workers=False,
        device=device,
    )
    model.train()

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield from loader

    def turn(steps: int) -> float:
        source = batches()

        def step(number: int) -> None:
            images, labels = next(source)
            if recipe.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=accelerator.mixed_precision == "bf16"):
                loss = loss_of(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step_update(number)

        taken = timed(step, steps, device)
        source.close()  # type: ignore[attr-defined]
        return taken

    return turn


# ------------------------------------------------------------------ pictures


def make_place(folder: Path, count: int, side: int) -> Place:
    """Drawn crops with the detail of photographs, as files and, decoded once, as squares; the time is told."""
    kept = folder / "jpeg"
    rows: list[dict[str, object]] = []
    squares = np.memmap(folder / "squares", np.uint8, "w+", shape=(count + PRODUCTS, side, side, 3))
    limits, taken = ImageSettings(min_side_px=1), 0.0
    for number in range(count + PRODUCTS):
        code, data = f"M{number % PRODUCTS:05d}", picture(number)
        split = "train" if number < count else "test"
        if split == "train":
            path = kept / code / f"{number:06d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        began = time.perf_counter()
        squares[number] = square(decode(data, limits), side)
        taken += time.perf_counter() - began
        rows.append({"sha256": f"{number:064x}", "style_code": code, "label": number % PRODUCTS, "split": split})
    print(f"decoding once: {count + PRODUCTS} crops in {taken:.1f} s of one core")
    names = ("sha256", "style_code", "label", "split")
    frame = pl.DataFrame(rows, schema={name: schemas.MANIFEST[name] for name in names})
    products = tuple(f"M{label:05d}" for label in range(PRODUCTS))
    return Place(kept, Snapshot("bench", products, frame, Pictures(squares, np.arange(len(frame)))))


def picture(seed: int) -> bytes:
    """Noise at several sizes, as natural pictures have it: some 20 KB, as a crop of a photograph."""
    chance = np.random.default_rng(seed)
    total = np.full((LONGEST_PX, LONGEST_PX, 3), 128.0)
    for cells in (4, 9, 36, 144):
        noise = chance.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize((LONGEST_PX, LONGEST_PX), Image.Resampling.BICUBIC)
        total += (np.asarray(layer, float) - 128) * 2 / cells**0.5
    buffer = io.BytesIO()
    Image.fromarray(total.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
