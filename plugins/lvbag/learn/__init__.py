"""Learning: when to train, training and measuring, each in a process of its own. Importing this imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.learn.classifier.steps import evaluate_classifiers, train_classifier
    from lvbag.learn.detector.steps import evaluate_detectors, train_detector
    from lvbag.learn.errors import LearnError
    from lvbag.learn.outliers.steps import find_outliers
    from lvbag.learn.plan import enough_new
    from lvbag.learn.recipes import (
        ClassifierRecipe,
        DetectorRecipe,
        RecipeError,
        load_classifier_recipe,
        load_detector_recipe,
    )
    from lvbag.learn.results import EvaluationResult, OutlierResult, Readiness, SuspicionResult, TrainingResult
    from lvbag.learn.suspicions.steps import find_suspicions

_HOMES = {
    "ClassifierRecipe": "recipes",
    "DetectorRecipe": "recipes",
    "EvaluationResult": "results",
    "LearnError": "errors",
    "OutlierResult": "results",
    "Readiness": "results",
    "RecipeError": "recipes",
    "SuspicionResult": "results",
    "TrainingResult": "results",
    "enough_new": "plan",
    "evaluate_classifiers": "classifier.steps",
    "evaluate_detectors": "detector.steps",
    "find_outliers": "outliers.steps",
    "find_suspicions": "suspicions.steps",
    "load_classifier_recipe": "recipes",
    "load_detector_recipe": "recipes",
    "train_classifier": "classifier.steps",
    "train_detector": "detector.steps",
}

__all__ = [
    "ClassifierRecipe",
    "DetectorRecipe",
    "EvaluationResult",
    "LearnError",
    "OutlierResult",
    "Readiness",
    "RecipeError",
    "SuspicionResult",
    "TrainingResult",
    "enough_new",
    "evaluate_classifiers",
    "evaluate_detectors",
    "find_outliers",
    "find_suspicions",
    "load_classifier_recipe",
    "load_detector_recipe",
    "train_classifier",
    "train_detector",
]

__getattr__ = lazy_exports(__name__, _HOMES)
