"""Whether a label set can be believed: three questions that random, shuffled or careless boxes do not pass.

1. Do boxes suit their pictures? A linear model learns, on some pictures, to tell a picture's own boxes from those of
   other pictures laid on it, and is asked about the pictures that it has not seen (five folds, near-duplicates
   together). How often the own box is preferred is 0.5 by chance: boxes that were not drawn on their pictures are
   exchangeable, whatever their sizes and places (a classifier two-sample test: Lopez-Paz & Oquab, ICLR 2017).
2. Are boxes drawn at all, or one and the same everywhere?
3. Do boxes on copies of one photo agree?
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lvbag.labels.box_features import Box, SmallPicture
from lvbag.settings import LabelSettings

MAX_BOXES = 400
"""Boxes that are judged; more make the answer no surer, and this takes a second."""
MAX_BOXES_OF_PICTURE = 3
_OTHERS = 4
"""Boxes of other pictures that each own box is compared with."""
_FOLDS = 5
_RIDGE = 0.05
"""Of the rows, in the units of standardised features: among 0.01 to 0.2 nothing changed on real sets."""
_ALIKE = 0.7
"""Boxes of different pictures that overlap by this much on average say nothing: every bag stands in the middle."""


@dataclass(frozen=True)
class Labelled:
    """A picture as it is judged: its small pixels (`box_features`), its boxes, its near-duplicate group."""

    pixels: NDArray[np.uint8]
    boxes: tuple[Box, ...]
    group: str


@dataclass(frozen=True)
class Belief:
    """Figures behind the verdict, None where there was too little to judge, and why the set is refused (empty: not)."""

    fit: float | None
    same_boxes: float | None
    agreement: float | None
    why: str


def judge_labels(
    pictures: Sequence[Labelled], copies: Sequence[tuple[Sequence[Box], Sequence[Box]]], settings: LabelSettings
) -> Belief:
    """Judge a label set by some of its pictures (with boxes) and by the boxes on both of each pair of copies."""
    enough = len(pictures) >= settings.min_judged
    fit = boxes_fit(pictures) if enough else None
    same = _same_boxes([box for picture in pictures for box in picture.boxes]) if enough else None
    agreement = _agreement(copies) if len(copies) >= settings.min_copies else None
    reasons = []
    if fit is not None and fit < settings.min_fit:
        reasons.append(
            f"boxes do not suit their pictures: a picture's own box is told from another picture's in {fit:.0%} of "
            f"cases, 50% is chance, labels.min_fit is {settings.min_fit:.0%}"
        )
    if same is not None and same > settings.max_same_boxes:
        reasons.append(
            f"{same:.0%} of the boxes are one and the same, labels.max_same_boxes is {settings.max_same_boxes:.0%}"
        )
    if agreement is not None and agreement < settings.min_agreement:
        reasons.append(
            f"boxes on {len(copies)} pairs of copies of one photo overlap by {agreement:.2f} on average, "
            f"labels.min_agreement is {settings.min_agreement:g}"
        )
    return Belief(fit, same, agreement, "; ".join(reasons))


def boxes_fit(pictures: Sequence[Labelled]) -> float | None:
    """How often a picture's own box is preferred to one of another picture (0.5: chance); None where all are alike."""
    rng = random.Random(len(pictures))  # noqa: S311 - the same set gets the same answer
    items = [(number, box) for number, picture in enumerate(pictures) for box in picture.boxes[:MAX_BOXES_OF_PICTURE]]
    items = rng.sample(items, min(MAX_BOXES, len(items)))
    groups = sorted({pictures[number].group for number, _ in items})
    if len(groups) < _FOLDS or _mean_overlap(items, rng) >= _ALIKE:
        return None
    folds = {group: place % _FOLDS for place, group in enumerate(rng.sample(groups, len(groups)))}
    rows, own, fold, asked = [], [], [], []
    for question, (number, box) in enumerate(items):
        picture = pictures[number]
        seen = SmallPicture(picture.pixels)
        others = [
            other
            for at, other in rng.sample(items, min(len(items), 4 * _OTHERS))
            if pictures[at].group != picture.group
        ]
        for is_own, one in [(True, box), *((False, other) for other in others[:_OTHERS])]:
            rows.append(seen.features(one))
            own.append(is_own)
            fold.append(folds[picture.group])
            asked.append(question)
    return _preferred(np.stack(rows), np.array(own), np.array(fold), np.array(asked))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, wide) * max(0.0, high)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / max(areas - shared, 1e-12)


def _preferred(
    rows: NDArray[np.float32], own: NDArray[np.bool_], fold: NDArray[np.int64], asked: NDArray[np.int64]
) -> float:
    scores = np.zeros(len(rows))
    for number in range(_FOLDS):
        learnt = fold != number
        if own[learnt].any() and not learnt.all():
            scores[~learnt] = _Taste(rows[learnt], own[learnt]).scores(rows[~learnt])
    wins = []
    for question in np.unique(asked):
        mine = asked == question
        others = scores[mine & ~own]
        if len(others):
            best = scores[mine & own][0]
            wins.append(((best > others) + 0.5 * (best == others)).mean())
    return float(np.mean(wins)) if wins else 0.5


class _Taste:
    """Ridge regression of own (1) against other (-1) on standardised features and their squares."""

    def __init__(self, rows: NDArray[np.float32], own: NDArray[np.bool_]) -> None:
        self._mean, self._scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
        values = self._spread(rows)
        weights = np.where(own, 1.0, own.sum() / max(1, (~own).sum()))
        weighted = values * weights[:, None]
        ridge = _RIDGE * len(values) * np.eye(values.shape[1])
        self._coefficients = np.linalg.solve(values.T @ weighted + ridge, weighted.T @ np.where(own, 1.0, -1.0))

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """How much each row (n, features) looks like an own box."""
        answer: NDArray[np.float64] = self._spread(rows) @ self._coefficients
        return answer

    def _spread(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        values = ((rows - self._mean) / self._scale).astype(np.float64)
        return np.hstack([values, np.clip(values, -3, 3) ** 2, np.ones((len(values), 1))])


def _mean_overlap(items: Sequence[tuple[int, Box]], rng: random.Random) -> float:
    pairs = [rng.sample(items, 2) for _ in range(300)]
    return float(np.mean([overlap(one[1], other[1]) for one, other in pairs if one[0] != other[0]] or [0.0]))


def _same_boxes(boxes: Sequence[Box]) -> float:
    """The share of the most frequent box, to a thousandth of the side."""
    counts = Counter(tuple(round(value, 3) for value in box) for box in boxes)
    return max(counts.values()) / len(boxes)


def _agreement(copies: Sequence[tuple[Sequence[Box], Sequence[Box]]]) -> float:
    """Over pairs of copies: the mean of every box's best overlap with a box of the other; 1 where neither has any."""
    found = []
    for one, other in copies:
        best = [max((overlap(box, second) for second in other), default=0.0) for box in one]
        best += [max((overlap(box, first) for first in one), default=0.0) for box in other]
        found.append(float(np.mean(best)) if best else 1.0)
    return float(np.mean(found))
