"""What the process that trains a classifier is told, for tests that run it without a launch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.jobs import ClassifierJob, Start
from lvbag.learn.recipes import recipe_digest
from lvbag.registry import reserve_version
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store

TINY = {"kind": "classifier", "model": "test_efficientnet", "image_side_px": 32, "epochs": 2, "batch": 8,
        "optimizer": "adamw", "learning_rate": 0.01, "warmup_epochs": 1}  # fmt: skip


def tiny(**values: Any) -> ClassifierRecipe:
    """A recipe of timm's smallest network, but for these values."""
    return ClassifierRecipe.model_validate(TINY | values)


def make_job(
    store: Store, settings: Settings, folder: Path, recipe: ClassifierRecipe, *, start: Start | None = None
) -> ClassifierJob:
    """A training of snapshot `snap` in a folder of its own; a cache beside it, one thread, no GPU."""
    folder.mkdir(parents=True)
    train = settings.train.model_copy(update={"threads": 1, "device": "never"})
    key = recipe_digest(recipe)[:32]
    return ClassifierJob.asked(
        settings.model_copy(update={"train": train}),
        folder,
        folder.parent / "cache",
        data="snap",
        recipe_name="tiny",
        recipe_sha256=recipe_digest(recipe),
        recipe=recipe,
        seed=3,
        version=reserve_version(store, ModelKind.CLASSIFIER, key),
        training_key=key,
        parent=None,
        start=start,
    )
