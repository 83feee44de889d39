"""Figures of a classifier's answers: pure functions of scores and truths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvbag.registry.records import Pairs


@dataclass(frozen=True)
class Answers:
    """What a version answered to each test picture; `rank` is that of the true product from 1, 0 when it is unknown."""

    truths: tuple[str, ...]
    predicted: tuple[str, ...]
    probability: npt.NDArray[np.float64]
    rank: npt.NDArray[np.int64]

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the true product came first."""
        correct: npt.NDArray[np.bool_] = self.rank == 1
        return correct


def answers(probabilities: npt.NDArray[np.floating], classes: Sequence[str], truths: Sequence[str]) -> Answers:
    """Read probabilities of shape (pictures, classes); a true product that is no class of the version has rank 0."""
    column = {name: index for index, name in enumerate(classes)}
    order = np.argsort(-probabilities, axis=1, kind="stable")
    known = np.array([column.get(truth, -1) for truth in truths], dtype=np.int64)
    rank = np.where(known >= 0, (order == known[:, None]).argmax(axis=1) + 1, 0).astype(np.int64)
    best = order[:, 0]
    return Answers(
        truths=tuple(truths),
        predicted=tuple(classes[index] for index in best),
        probability=probabilities[np.arange(len(best)), best].astype(np.float64),
        rank=rank,
    )


def figures(result: Answers) -> dict[str, float]:
    """Top-1, 3 and 5, and the mean over products of their top-1; products without a test picture do not count."""
    truths = np.array(result.truths)
    by_product = [float(result.correct[truths == product].mean()) for product in sorted(set(result.truths))]
    return {
        **{f"top{k}": float(((result.rank >= 1) & (result.rank <= k)).mean()) for k in (1, 3, 5)},
        "macro_accuracy": float(np.mean(by_product)),
        "test_images": float(len(truths)),
        "classes": float(len(by_product)),
    }


def shared_top1(result: Answers, products: Sequence[str]) -> float | None:
    """Top-1 over the pictures of these products alone; None when there is none of them."""
    wanted = np.isin(np.array(result.truths), list(products))
    return float(result.correct[wanted].mean()) if wanted.any() else None


def pairs(champion: Answers, challenger: Answers) -> Pairs:
    """How many pictures both, one, or neither got right."""
    left, right = champion.correct, challenger.correct
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
