"""Dealing pictures into folds: a group is in one fold, and every product is spread as evenly as its groups allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def deal_folds(groups: Sequence[str], labels: npt.NDArray[np.int64], folds: int) -> npt.NDArray[np.int64]:
    """The fold (from 0) of each picture; the same groups and labels are dealt alike, in whatever order they come.

    Large groups first, each to the fold that has the fewest pictures of its products, and of those the emptiest.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    dealt = np.zeros(len(groups), np.int64)
    held = np.zeros((folds, int(labels.max(initial=0)) + 1), np.int64)
    totals = np.zeros(folds, np.int64)
    for group in sorted(members, key=lambda name: (-len(members[name]), name)):
        rows = members[group]
        products, counts = np.unique(labels[rows], return_counts=True)
        alike = held[:, products] @ counts
        fold = int(np.lexsort((totals, alike))[0])
        dealt[rows] = fold
        held[fold, products] += counts
        totals[fold] += len(rows)
    return dealt


def seen_elsewhere(folds: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each picture, how many of its product are in other folds: what a network that has not seen it learnt from."""
    count = int(folds.max(initial=0)) + 1
    held = np.zeros((count, int(labels.max(initial=0)) + 1), np.int64)
    np.add.at(held, (folds, labels), 1)
    elsewhere: npt.NDArray[np.int64] = held.sum(axis=0)[labels] - held[folds, labels]
    return elsewhere
