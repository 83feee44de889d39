"""Train a network without each fold of a snapshot and ask it about that fold's labels. From top to bottom: pictures,
one fold, scores.

Runs as `python -m lvbag.learn.suspicions.run_judging job.json`, started by `lvbag.learn.suspicions.steps`. The
trainings are those of `classifier.run_training`, with its checkpoints: killed, the same job goes on where it was.
Nothing is published.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lvbag import schemas
from lvbag.learn import child
from lvbag.learn.checkpoints import Checkpoints, Place
from lvbag.learn.classifier.checkpoints import ClassifierProgress
from lvbag.learn.classifier.data import Pictures as Squares
from lvbag.learn.classifier.data import Snapshot, read_snapshot
from lvbag.learn.classifier.measuring import MEASURE_BATCH
from lvbag.learn.classifier.network import build
from lvbag.learn.classifier.pool import Pool
from lvbag.learn.classifier.run_training import Pictures, View, plan_training, read_beginning, train
from lvbag.learn.devices import open_accelerator
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import ClassifierJob, JobResult
from lvbag.learn.local_cache import LocalCache
from lvbag.learn.suspicions.records import ROWS_NAME, SuspicionJob, SuspicionRun
from lvbag.learn.suspicions.scores import judge_labels
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, ObjectMissing, Ref, Store, keys, open_store
from lvbag.store.tables import write_table
from lvbag.suspicions import RUN, SCORES, with_ranks

_ANSWERS = "answers.safetensors"
"""Beside a fold's checkpoints: what its network answered, so that a fold that is done is not trained again."""


def work(job: SuspicionJob) -> JobResult:
    """Everything from the snapshot's pictures to its `run.json`."""
    started = time.monotonic()
    settings = job.read_settings()
    store = open_store(settings)
    snapshot, rows = read_pictures(store, settings, job)
    folds = rows["fold"].to_numpy()
    child.say(f"labels of {job.snapshot}: {len(rows)} pictures in {job.folds} folds, recipe {job.recipe_name}")
    probabilities = np.zeros((len(rows), len(snapshot.products)))
    for fold in range(job.folds):
        held_out = np.flatnonzero(folds == fold)
        if len(held_out):
            probabilities[held_out] = ask_about(store, settings, job, snapshot, fold)
    scores, run = judge(job, rows, snapshot, probabilities)
    write_table(store, keys.suspicions(job.snapshot, SCORES), scores, schemas.SUSPICIONS)
    told = run.model_copy(update={"seconds": round(time.monotonic() - started, 1)})
    store.put_json(keys.suspicions(job.snapshot, RUN), told.model_dump(mode="json"))
    for fold in range(job.folds):
        prefix = keys.checkpoints_of(ModelKind.CLASSIFIER, _training_key(job, fold), _made_of(job))
        for item in list(store.list_objects(Bucket.MODELS, prefix)):
            store.delete(item.ref)
    child.say(f"{told.suspicious} of {told.judged} labels are suspicious; top-1 out of sample {told.top1:.3f}")
    return JobResult()


# ------------------------------------------------------------------ pictures


def read_pictures(store: Store, settings: Settings, job: SuspicionJob) -> tuple[Snapshot, pl.DataFrame]:
    """The chosen pictures as a snapshot of their own, whose column `fold` says where each is, and their rows."""
    cache = LocalCache(job.cache / "training", settings.train.cache_gb) if settings.train.cache_gb else None
    whole = read_snapshot(store, job.snapshot, job.recipe.image_side_px, settings.images, cache=cache)
    place = {sha256: row for row, sha256 in enumerate(whole.rows["sha256"])}
    asked = pl.read_parquet(job.folder / ROWS_NAME)
    rows = asked.filter(pl.col("sha256").is_in(whole.rows["sha256"].implode()))  # what was taken down is gone
    chosen = np.array([place[sha256] for sha256 in rows["sha256"]], np.int64)
    images = whole.images
    picked = Squares(images.array, images.places[chosen]) if isinstance(images, Squares) else images[chosen]
    manifest = whole.rows[chosen].with_columns(rows["fold"])
    return Snapshot(whole.name, whole.products, manifest, picked), rows


# ------------------------------------------------------------------ one fold


def ask_about(
    store: Store, settings: Settings, job: SuspicionJob, snapshot: Snapshot, fold: int
) -> npt.NDArray[np.float64]:
    """What a network that has not seen a fold answers to its pictures: probabilities (pictures, products)."""
    kept = keys.checkpoint(ModelKind.CLASSIFIER, _training_key(job, fold), _ANSWERS, _made_of(job))
    shape = (int((snapshot.rows["fold"] == fold).sum()), len(snapshot.products))
    standing = _read_answers(store, kept, shape)
    if standing is not None:
        child.say(f"fold {fold + 1}/{job.folds}: done before")
        return standing
    child.say(f"fold {fold + 1}/{job.folds}: {shape[0]} pictures held out")
    accelerator = open_accelerator(settings.train, job.recipe)
    own = _fold_job(job, fold)
    own.folder.mkdir()
    torch.manual_seed(job.seed)
    model, normal = build(job.recipe.model, job.recipe.image_side_px, snapshot.products, read_beginning(store, own))
    plan = plan_training(_held_out(snapshot, fold, "test"), job.recipe)
    pictures = Pictures(_held_out(snapshot, fold, "val"), plan, normal)
    place = Place(ModelKind.CLASSIFIER, own.training_key, "timm", own.made_of)
    every_s = settings.train.checkpoint_minutes * 60
    checkpoints = Checkpoints(store, place, ClassifierProgress, own.folder, every_s)
    network, _ = train(own, model, pictures, accelerator, checkpoints)
    answers = _answers(network, pictures, View(normal, job.recipe))
    store.put(kept, save({"probabilities": answers}))
    return answers


@torch.inference_mode()
def _answers(network: torch.nn.Module, pictures: Pictures, view: View) -> npt.NDArray[np.float64]:
    network.eval()
    device = next(network.parameters()).device
    rows = pictures.snapshot.indices("val")
    batches = [rows[at : at + MEASURE_BATCH] for at in range(0, len(rows), MEASURE_BATCH)]
    parts = [
        network(view.inputs(view.pixels(images))).float().softmax(1).cpu().double()
        for images, _ in Pool(pictures.snapshot, device, ("val",)).in_turn(batches)
    ]
    answers: npt.NDArray[np.float64] = torch.cat(parts).numpy()
    if not np.isfinite(answers).all():
        raise LearnError("a network answers with what is no number; lower the recipe's learning_rate")
    return answers


def _held_out(snapshot: Snapshot, fold: int, split: str) -> Snapshot:
    """The snapshot with a fold in one split, and everything else in training."""
    named = pl.when(pl.col("fold") == fold).then(pl.lit(split)).otherwise(pl.lit("train")).alias("split")
    return dataclasses.replace(snapshot, rows=snapshot.rows.with_columns(named))


def _fold_job(job: SuspicionJob, fold: int) -> ClassifierJob:
    """The training of a fold, as `classifier.run_training` is told of one; it has no version."""
    return ClassifierJob(
        folder=job.folder / f"fold-{fold}", cache=job.cache, parent_process=job.parent_process, settings=job.settings,
        data=job.snapshot, recipe_name=job.recipe_name, recipe_sha256="", recipe=job.recipe, seed=job.seed, version=0,
        training_key=_training_key(job, fold), parent=None, start=job.start,
    )  # fmt: skip


def _training_key(job: SuspicionJob, fold: int) -> str:
    return f"{job.key}-fold-{fold}"


def _made_of(job: SuspicionJob) -> tuple[str, str]:
    return job.snapshot, job.recipe_name


def _read_answers(store: Store, ref: Ref, shape: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    try:
        answers: npt.NDArray[np.float64] = load(store.get_sound(ref))["probabilities"]
    except (ObjectMissing, SafetensorError, KeyError):
        return None
    return answers if answers.shape == shape else None  # a picture may have been taken down since


# ------------------------------------------------------------------ scores


def judge(
    job: SuspicionJob, rows: pl.DataFrame, snapshot: Snapshot, probabilities: npt.NDArray[np.float64]
) -> tuple[pl.DataFrame, SuspicionRun]:
    """The table (`schemas.SUSPICIONS`) of the judged pictures, and what is said of the whole."""
    judged = rows["judged"].to_numpy()
    shares, labels = probabilities[judged], snapshot.labels[judged]
    found = judge_labels(labels, shares)
    best = shares.argmax(axis=1)
    every = np.arange(len(labels))
    scores = rows.filter("judged").drop("decided", "judged").with_columns(
        pl.Series("predicted", [snapshot.products[label] for label in best], dtype=pl.String),
        pl.Series("probability", shares[every, best]),
        pl.Series("own_probability", shares[every, labels]),
        pl.Series("quality", found.quality),
        pl.Series("suspicious", found.suspicious),
    )  # fmt: skip
    run = SuspicionRun(
        key=job.key, snapshot=job.snapshot, recipe=job.recipe_name, folds=job.folds, images=len(rows),
        judged=len(labels), suspicious=int(found.suspicious.sum()), top1=round(float((best == labels).mean()), 4),
    )  # fmt: skip
    return with_ranks(scores, rows.filter("decided")["sha256"]), run


if __name__ == "__main__":
    child.run(SuspicionJob, work)
