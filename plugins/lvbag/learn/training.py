"""One training, of a classifier or a detector: who owns which version number, and whether it stands already."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from lvbag.learn.jobs import ClassifierJob, DetectorJob, Start
from lvbag.learn.launch import run_job, visible_gpus
from lvbag.learn.recipes import ClassifierRecipe, DetectorRecipe, recipe_digest
from lvbag.learn.results import TrainingResult
from lvbag.registry import champion, reserve_version
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store, keys

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What to train: on which data (snapshot or label set), by which recipe, under which key, from which weights."""

    kind: ModelKind
    data: str
    recipe_name: str
    recipe: ClassifierRecipe | DetectorRecipe
    seed: int
    training_key: str
    start: Start | None = None


def train(store: Store, settings: Settings, training: Training) -> TrainingResult:
    """Run the training in a process of its own and publish the version, unless the same training stands already."""
    started = time.monotonic()
    version = reserve_version(store, training.kind, training.training_key, (training.data, training.recipe_name))
    named = f"kind={training.kind} version={version} data={training.data} recipe={training.recipe_name}"
    if store.exists(keys.version_file(training.kind, version, "config.json")):
        log.info("train.reused %s", named)
        return TrainingResult(version, True, time.monotonic() - started)
    alias = champion(store, training.kind)

    def make(folder: Path, cache: Path) -> ClassifierJob | DetectorJob:
        model = ClassifierJob if training.kind is ModelKind.CLASSIFIER else DetectorJob
        return model.asked(
            settings,
            folder,
            cache,
            data=training.data,
            recipe_name=training.recipe_name,
            recipe_sha256=recipe_digest(training.recipe),
            recipe=training.recipe,
            seed=training.seed,
            version=version,
            training_key=training.training_key,
            parent=alias.version if alias else None,
            **({"start": training.start} if training.start is not None else {}),
        )

    run_job(f"lvbag.learn.{training.kind}.run_training", settings, make, _processes(settings, training.kind))
    seconds = time.monotonic() - started
    log.info("train.done %s s=%.1f", named, seconds)
    return TrainingResult(version, False, seconds)


def _processes(settings: Settings, kind: ModelKind) -> int:
    """How many processes train together; a detector's training is one."""
    if kind is ModelKind.DETECTOR:
        return 1
    if settings.train.processes:
        return settings.train.processes
    return 1 if settings.train.device == "never" else max(1, visible_gpus())
