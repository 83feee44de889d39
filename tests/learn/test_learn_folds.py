"""Folds: whole groups, even products."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lvbag.learn.suspicions.folds import deal_folds, seen_elsewhere

PICTURES = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 4)), min_size=1, max_size=80)


@given(PICTURES, st.integers(2, 6))
def test_a_group_is_in_one_fold_whatever_the_order(pictures: list[tuple[int, int]], folds: int) -> None:
    groups, labels = [f"g{group}" for group, _ in pictures], np.array([label for _, label in pictures])
    dealt = deal_folds(groups, labels, folds)
    assert set(dealt.tolist()) <= set(range(folds))
    by_group = {group: {int(fold) for fold, own in zip(dealt, groups, strict=True) if own == group} for group in groups}
    assert all(len(found) == 1 for found in by_group.values())
    back = deal_folds(groups[::-1], labels[::-1], folds)
    assert back[::-1].tolist() == dealt.tolist()


def test_products_and_folds_are_as_even_as_groups_allow() -> None:
    labels = np.repeat(np.arange(5), 40)
    dealt = deal_folds([f"g{n}" for n in range(200)], labels, 4)
    for label in range(5):
        assert np.bincount(dealt[labels == label]).tolist() == [10, 10, 10, 10]


@given(PICTURES, st.integers(2, 4))
def test_what_other_folds_have_of_a_product_is_counted(pictures: list[tuple[int, int]], folds: int) -> None:
    labels = np.array([label for _, label in pictures])
    dealt = deal_folds([f"g{group}" for group, _ in pictures], labels, folds)
    assert seen_elsewhere(dealt, labels).tolist() == [
        int(((labels == label) & (dealt != fold)).sum()) for label, fold in zip(labels, dealt, strict=True)
    ]
