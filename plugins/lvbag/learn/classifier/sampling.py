"""Which training pictures an epoch shows, and in which order: it follows from the seed and the epoch's number alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lvbag.learn.classifier.recipe import ClassifierRecipe


def epoch_order(
    rows: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], recipe: ClassifierRecipe, seed: int, epoch: int
) -> npt.NDArray[np.int64]:
    """The rows of an epoch in their order, as many as there are; `labels` of the rows, one each.

    Natural: every row once. Balanced: products by turns of chance, pictures of a product as evenly as it allows.
    """
    chance = np.random.default_rng(np.random.SeedSequence([seed, epoch]))
    if recipe.sampling == "natural":
        return rows[chance.permutation(len(rows))]
    products = np.unique(labels)
    wanted = np.bincount(chance.permutation(len(rows)) % len(products), minlength=len(products))
    parts = [_evenly(rows[labels == label], int(count), chance) for label, count in zip(products, wanted, strict=True)]
    order = np.concatenate(parts)
    return order[chance.permutation(len(order))]


def _evenly(rows: npt.NDArray[np.int64], count: int, chance: np.random.Generator) -> npt.NDArray[np.int64]:
    """So many of the rows, each as often as any other or once more."""
    whole, rest = divmod(count, len(rows))
    return np.concatenate([np.tile(rows, whole), rows[chance.permutation(len(rows))[:rest]]])


def step_batches(
    order: npt.NDArray[np.int64], batch: int, process: int = 0, processes: int = 1
) -> list[npt.NDArray[np.int64]]:
    """An order cut into steps of `batch` rows, of which each process takes its share; the rest is left out."""
    steps = max(1, len(order) // batch)
    return [order[step * batch : (step + 1) * batch][process::processes] for step in range(steps)]
