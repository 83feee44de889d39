"""How odd a picture is, from codes and errors: pure functions of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.learn.outliers.scores import RECONSTRUCTION_WEIGHT, nearness, plane, ranks, robust_z, score


def two_products(seed: int = 0, each: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Codes of two products apart from each other, and their labels."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([rng.normal(side, 1.0, (each, 8)) for side in (-3.0, 3.0)])
    return codes, np.repeat([0, 1], each)


def test_a_picture_under_the_other_products_name_is_the_oddest_of_its_product() -> None:
    codes, labels = two_products()
    labels[0] = 1
    found = score(codes, np.ones(60), labels, 5)
    assert found.score[labels == 1].argmax() == np.flatnonzero(labels == 1).tolist().index(0)
    assert found.score[0] > 5
    assert np.abs(np.median(found.distance_z[labels == 1])) < 1e-9


def test_a_rare_picture_of_its_own_is_less_odd_than_one_of_another_product() -> None:
    codes, labels = two_products()
    codes[0] = np.array([-3.0] * 4 + [-12.0] * 4)  # far from all, and nearer to its own
    codes[1] = codes[45] + 0.1
    found = score(codes, np.ones(60), labels, 5)
    assert found.score[1] > found.score[0]


def test_what_cannot_be_redrawn_counts_and_what_is_easy_to_redraw_does_not() -> None:
    codes, labels = two_products()
    errors = np.exp(np.random.default_rng(1).normal(0, 0.1, 60))
    errors[3], errors[4] = 100.0, 0.001
    found = score(codes, errors, labels, 5)
    assert found.reconstruction_z[3] > 10
    assert found.score[3] == pytest.approx(found.distance_z[3] + 4 * RECONSTRUCTION_WEIGHT)
    assert found.reconstruction_z[4] < -10
    assert found.score[4] == found.distance_z[4]


def test_a_product_with_too_few_pictures_is_not_judged_but_others_are_compared_with_it() -> None:
    codes, labels = two_products()
    labels[30:] = np.where(np.arange(30) < 4, 1, 0)
    found = score(codes, np.ones(60), labels, 5)
    assert np.isnan(found.score[labels == 1]).all()
    assert np.isnan(found.x[labels == 1]).all()
    assert np.isfinite(found.score[labels == 0]).all()
    alone = score(codes[labels == 0], np.ones(56), labels[labels == 0], 5)
    assert np.isfinite(alone.score).all(), "a single product is judged by itself"


def test_equal_pictures_are_not_odd() -> None:
    found = score(np.ones((12, 8)), np.ones(12), np.zeros(12, np.int64), 5)
    assert (found.score == 0).all()
    assert np.isfinite(found.x).all()


def test_robust_deviations_do_not_follow_the_odd_ones() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 1000.0])
    assert robust_z(values)[-1] > 100
    assert robust_z(np.array([2.0, 2.0, 2.0, 2.0, 9.0]))[-1] == pytest.approx(2.5, abs=0.1)


def test_a_map_keeps_its_sides_and_what_is_alike_together() -> None:
    codes, _ = two_products()
    places = plane(codes)
    assert places.shape == (60, 2)
    assert np.array_equal(places, plane(codes.copy()))
    assert abs(places[:30, 0].mean() - places[30:, 0].mean()) > 10
    assert plane(np.arange(3.0)[:, None]).shape == (3, 2)


def test_ranks_leave_out_what_is_decided_and_equal_scores_stand_by_name() -> None:
    scores = np.array([5.0, 9.0, 5.0, 1.0, 7.0])
    decided = np.array([False, True, False, False, False])
    assert ranks(scores, np.zeros(5, np.int64), decided, list("edcba")).tolist() == [3, 0, 2, 4, 1]
    assert ranks(scores, np.array([0, 1, 0, 1, 1]), decided, list("edcba")).tolist() == [2, 0, 1, 2, 1]


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(7, 20))
def test_scores_do_not_depend_on_the_order_of_the_pictures(seed: int, each: int) -> None:
    codes, labels = two_products(seed, each)
    order = np.random.default_rng(seed).permutation(len(labels))
    found = score(codes, np.ones(len(labels)), labels, 5)
    turned = score(codes[order], np.ones(len(labels)), labels[order], 5)
    assert turned.score == pytest.approx(found.score[order], abs=1e-6)


def test_nearness_without_others_is_the_distance_alone() -> None:
    own = np.eye(8)
    assert nearness(own, np.empty((0, 8))) == pytest.approx(np.full(8, np.log(np.sqrt(2))), abs=1e-5)
