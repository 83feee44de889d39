"""Do probabilities mean what they say? Expected calibration error, and the temperature that mends most of it.

Both after Guo et al., On Calibration of Modern Neural Networks, 2017 (arXiv:1706.04599). Pure functions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BINS = 15
"""Of equal width, as in the paper."""

MIN_IMAGES = 30
"""Validation images; fewer say nothing about a temperature."""

COOLEST, HOTTEST = 0.25, 8.0
"""A network that gets all validation images right would be made ever surer of itself, one that gets none ever less."""

_STEPS = 50


def expected_calibration_error(confidence: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_]) -> float:
    """Mean distance of confidence and accuracy over bins of confidence, 0 (honest) to 1; 0 without images."""
    if not len(confidence):
        return 0.0
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    surplus = np.bincount(bins, weights=confidence - correct, minlength=BINS)
    return float(np.abs(surplus).sum() / len(confidence))


def fit_temperature(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """What scores (n, classes) are to be divided by for the smallest negative log-likelihood of the labels.

    1 with fewer than `MIN_IMAGES` images; always between `COOLEST` and `HOTTEST`.
    """
    if len(labels) < MIN_IMAGES:
        return 1.0
    scores = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    true = scores[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        """Of the loss by the temperature's inverse: it only rises, for the loss is convex in that."""
        powers = np.exp(scores * inverse)
        return float(((scores * powers).sum(axis=1) / powers.sum(axis=1) - true).mean())

    low, high = 1.0 / HOTTEST, 1.0 / COOLEST
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 2.0 / (low + high)
