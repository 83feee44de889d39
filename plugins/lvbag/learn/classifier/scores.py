"""Figures of a classifier's answers: pure functions of scores and truths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvbag.infer.classifier import softmax
from lvbag.learn.classifier.calibration import expected_calibration_error
from lvbag.registry.records import Pairs


@dataclass(frozen=True)
class Answers:
    """What a version answered to each test picture; `rank` is that of the true product from 1, 0 when it is unknown."""

    truths: tuple[str, ...]
    predicted: tuple[str, ...]
    probability: npt.NDArray[np.float64]  # of the predicted product
    rank: npt.NDArray[np.int64]
    untempered: npt.NDArray[np.float64]  # the probability at temperature 1

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the true product came first."""
        correct: npt.NDArray[np.bool_] = self.rank == 1
        return correct


def answers(
    scores: npt.NDArray[np.floating], classes: Sequence[str], truths: Sequence[str], temperature: float = 1.0
) -> Answers:
    """Read scores of shape (pictures, classes), before softmax; a true product that is no class has rank 0."""
    column = {name: index for index, name in enumerate(classes)}
    order = np.argsort(-scores, axis=1, kind="stable")
    known = np.array([column.get(truth, -1) for truth in truths], dtype=np.int64)
    rank = np.where(known >= 0, (order == known[:, None]).argmax(axis=1) + 1, 0).astype(np.int64)
    exact = scores.astype(np.float64)
    return Answers(
        truths=tuple(truths),
        predicted=tuple(classes[index] for index in order[:, 0]),
        probability=softmax(exact / temperature).max(axis=1),
        rank=rank,
        untempered=softmax(exact).max(axis=1),
    )


def figures(result: Answers) -> dict[str, float]:
    """Shares of all pictures, and means over products; products without a test picture do not count.

    `ece` is the expected calibration error of the probabilities as they are given, `ece_untempered` at temperature 1.
    """
    truths, predicted = np.array(result.truths), np.array(result.predicted)
    accuracies, f1s = [], []
    for product in sorted(set(result.truths)):
        mine, said = truths == product, predicted == product
        accuracies.append(float(result.correct[mine].mean()))
        f1s.append(2.0 * float((mine & said).sum()) / float(mine.sum() + said.sum()))
    return {
        **{f"top{k}": float(((result.rank >= 1) & (result.rank <= k)).mean()) for k in (1, 2, 3, 5)},
        "macro_accuracy": float(np.mean(accuracies)),
        "macro_f1": float(np.mean(f1s)),
        "ece": expected_calibration_error(result.probability, result.correct),
        "ece_untempered": expected_calibration_error(result.untempered, result.correct),
        "test_images": float(len(truths)),
        "classes": float(len(accuracies)),
    }


def right_by_product(result: Answers) -> dict[str, int]:
    """Pictures that it gets right, by the products that occur."""
    counts = dict.fromkeys(sorted(set(result.truths)), 0)
    for truth, correct in zip(result.truths, result.correct.tolist(), strict=True):
        counts[truth] += correct
    return counts


def within(result: Answers, products: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which pictures show one of these products."""
    wanted: npt.NDArray[np.bool_] = np.isin(np.array(result.truths), list(products))
    return wanted


def pairs(champion: Answers, challenger: Answers, where: npt.NDArray[np.bool_] | None = None) -> Pairs:
    """How many pictures both, one, or neither got right; `where` leaves the others out."""
    chosen = slice(None) if where is None else where
    left, right = champion.correct[chosen], challenger.correct[chosen]
    return Pairs(
        both=int((left & right).sum()),
        only_champion=int((left & ~right).sum()),
        only_challenger=int((~left & right).sum()),
        neither=int((~left & ~right).sum()),
    )


def confusion(result: Answers, products: Sequence[str]) -> npt.NDArray[np.int64]:
    """Counts of shape (products, products): true product down, answer across."""
    index = {name: position for position, name in enumerate(products)}
    counts = np.zeros((len(products), len(products)), np.int64)
    for truth, predicted in zip(result.truths, result.predicted, strict=True):
        if truth in index and predicted in index:
            counts[index[truth], index[predicted]] += 1
    return counts
