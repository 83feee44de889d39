"""Train and measure classifiers; the work is done by `run_…` processes."""

from __future__ import annotations

from collections.abc import Iterable

from lvbag.learn.evaluating import evaluate
from lvbag.learn.jobs import digest
from lvbag.learn.recipes import load_classifier_recipe, recipe_digest
from lvbag.learn.results import EvaluationResult, TrainingResult
from lvbag.learn.training import Training, train
from lvbag.learn.weights import choose_start
from lvbag.registry.records import SCRATCH
from lvbag.settings import Settings
from lvbag.store import ModelKind, Store


def train_classifier(store: Store, settings: Settings, snapshot: str, recipe: str, seed: int = 0) -> TrainingResult:
    """Train the recipe on a snapshot and publish the version, unless the same training stands already.

    The same snapshot, recipe, seed and weights to start from own the same version number, whoever asks how often.
    Raises `RecipeError`, and `LearnError` when the training fails.
    """
    plan = load_classifier_recipe(recipe)

    def key_of(start: str) -> str:
        own = ("classifier", snapshot, recipe_digest(plan), seed)
        return digest(*own) if start == SCRATCH else digest(*own, start)

    start = choose_start(store, settings, plan, key_of, snapshot)
    key = key_of(start.named if start else SCRATCH)
    return train(store, settings, Training(ModelKind.CLASSIFIER, snapshot, recipe, plan, seed, key, start))


def evaluate_classifiers(
    store: Store, settings: Settings, snapshot: str, challengers: Iterable[int]
) -> EvaluationResult:
    """Measure the champion and the challengers on the snapshot's test split, in one process; writes `keys.evaluation`.

    The same snapshot, champion and challengers are measured once. Raises `LearnError` when it fails.
    """
    return evaluate(store, settings, ModelKind.CLASSIFIER, snapshot, tuple(challengers))
