"""Train and measure classifiers: who owns which number, what stands already; the work is done by `run_…` processes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from lvbag.learn.evaluating import evaluate
from lvbag.learn.jobs import ClassifierJob, digest, public_settings
from lvbag.learn.launch import run_job
from lvbag.learn.recipes import load_classifier_recipe, recipe_digest
from lvbag.learn.results import EvaluationResult, TrainingResult
from lvbag.registry import champion, reserve_version
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys

log = logging.getLogger(__name__)

KIND = ModelKind.CLASSIFIER


def train_classifier(store: Store, settings: Settings, snapshot: str, recipe: str, seed: int = 0) -> TrainingResult:
    """Train the recipe on a snapshot and publish the version, unless the same training stands already.

    The same snapshot, recipe, seed and start (from scratch or `train.pretrained`) own the same version number,
    whoever asks how often. Raises `RecipeError`, and `LearnError` when the training fails.
    """
    started = time.monotonic()
    plan = load_classifier_recipe(recipe)
    training_key = digest("classifier", snapshot, recipe_digest(plan), seed, settings.train.pretrained)
    version = reserve_version(store, KIND, training_key)
    if store.exists(keys.version_file(KIND, version, "config.json")):
        log.info("train.reused kind=%s version=%d snapshot=%s recipe=%s", KIND, version, snapshot, recipe)
        return TrainingResult(version, True, time.monotonic() - started)
    alias = champion(store, KIND)

    def make(folder: Path, cache: Path) -> ClassifierJob:
        return ClassifierJob(
            folder=folder,
            cache=cache,
            parent_process=os.getpid(),
            settings=public_settings(settings),
            data=snapshot,
            recipe_name=recipe,
            recipe_sha256=recipe_digest(plan),
            recipe=plan,
            seed=seed,
            version=version,
            training_key=training_key,
            parent=alias.version if alias else None,
        )

    run_job("lvbag.learn.run_classifier", settings, make)
    seconds = time.monotonic() - started
    log.info("train.done kind=%s version=%d snapshot=%s recipe=%s s=%.1f", KIND, version, snapshot, recipe, seconds)
    return TrainingResult(version, False, seconds)


def evaluate_classifiers(
    store: Store, settings: Settings, snapshot: str, challengers: Iterable[int]
) -> EvaluationResult:
    """Measure the champion and the challengers on the snapshot's test split, in one process; writes `keys.evaluation`.

    The same snapshot, champion and challengers are measured once. Raises `LearnError` when it fails.
    """
    return evaluate(store, settings, KIND, snapshot, tuple(challengers))
