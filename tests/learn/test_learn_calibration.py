"""Calibration, against counts by hand and against a network whose temperature is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from lvbag.infer.classifier import softmax
from lvbag.learn.classifier.calibration import (
    BINS,
    COOLEST,
    HOTTEST,
    MIN_IMAGES,
    expected_calibration_error,
    fit_temperature,
)

quick = run_settings(deadline=None)


def loss(scores: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Mean negative log-likelihood."""
    return float(-np.log(softmax(scores / temperature)[np.arange(len(labels)), labels]).mean())


def drawn(temperature: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels that are drawn from what the scores say at this temperature."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(count, 8)) * 3
    shares = softmax(scores / temperature).cumsum(axis=1)
    return scores, (random.random((count, 1)) > shares).sum(axis=1).clip(0, 7)


def test_an_honest_answer_has_no_error_and_a_boastful_one_what_it_boasts() -> None:
    right = np.array([True, True, True, False])
    assert expected_calibration_error(np.full(4, 0.75), right) == pytest.approx(0.0)
    assert expected_calibration_error(np.full(4, 1.0), right) == pytest.approx(0.25)
    # two bins, one a tenth too sure and one three tenths too unsure, weighted by their pictures
    confidence, correct = np.array([0.6] * 10 + [0.7] * 30), np.array([True] * 5 + [False] * 5 + [True] * 30)
    assert expected_calibration_error(confidence, correct) == pytest.approx((10 * 0.1 + 30 * 0.3) / 40)


def test_the_borders_of_bins_belong_to_the_lower_bin() -> None:
    just = np.array([1 / BINS, 1 / BINS + 1e-9])
    assert expected_calibration_error(just, np.array([True, False])) == pytest.approx(
        ((1 - 1 / BINS) + 1 / BINS) / 2, abs=1e-6
    )
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0.0
    assert expected_calibration_error(np.array([]), np.array([], bool)) == 0.0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_a_network_is_found(temperature: float) -> None:
    scores, labels = drawn(temperature, 4000)
    found = fit_temperature(scores, labels)
    assert found == pytest.approx(temperature, rel=0.08)
    calibrated, raw = (
        expected_calibration_error(softmax(scores / t).max(axis=1), scores.argmax(axis=1) == labels)
        for t in (found, 1.0)
    )
    assert calibrated < 0.03
    assert temperature == 1.0 or raw > 2 * calibrated


@quick
@given(st.floats(0.3, 6.0), st.integers(MIN_IMAGES, 200), st.integers(0, 1000))
def test_no_other_temperature_within_the_limits_has_a_smaller_loss(temperature: float, count: int, seed: int) -> None:
    scores, labels = drawn(temperature, count, seed)
    found = fit_temperature(scores, labels)
    assert COOLEST * 0.999 <= found <= HOTTEST * 1.001
    others = [loss(scores, labels, other) for other in np.geomspace(COOLEST, HOTTEST, 25)]
    assert loss(scores, labels, found) <= min(others) + 1e-9


def test_few_pictures_and_perfect_answers_do_not_run_away() -> None:
    scores, labels = drawn(2.0, MIN_IMAGES - 1)
    assert fit_temperature(scores, labels) == 1.0
    sure = np.eye(8)[np.arange(MIN_IMAGES) % 8] * 10
    assert fit_temperature(sure, np.arange(MIN_IMAGES) % 8) == pytest.approx(COOLEST)
    assert fit_temperature(sure, (np.arange(MIN_IMAGES) + 1) % 8) == pytest.approx(HOTTEST)
