"""Which pictures an epoch shows: all of them, or every product as often; the same again after a restart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.classifier.sampling import epoch_order, step_batches

ROWS = np.arange(100, 200)
LABELS = np.repeat([0, 1, 2], [80, 15, 5])


def order(sampling: str = "natural", seed: int = 1, epoch: int = 0) -> npt.NDArray[np.int64]:
    values = {"kind": "classifier", "model": "test_efficientnet", "sampling": sampling}
    return epoch_order(ROWS, LABELS, ClassifierRecipe.model_validate(values), seed, epoch)


@pytest.mark.parametrize("sampling", ["natural", "balanced"])
def test_the_order_follows_from_seed_and_epoch_alone(sampling: str) -> None:
    first = order(sampling)
    np.random.seed(5)
    assert np.array_equal(first, order(sampling))
    assert not np.array_equal(first, order(sampling, epoch=1))
    assert not np.array_equal(first, order(sampling, seed=2))
    assert len(first) == len(ROWS)


def test_a_natural_epoch_shows_every_picture_once() -> None:
    assert sorted(order()) == ROWS.tolist()


def test_a_balanced_epoch_shows_every_product_as_often_and_its_pictures_evenly() -> None:
    shown = order("balanced")
    counts = np.bincount(LABELS[shown - 100])
    assert counts.max() - counts.min() <= 1
    of_the_rare = np.bincount(shown - 100, minlength=100)[95:]
    assert of_the_rare.max() - of_the_rare.min() <= 1
    assert not np.array_equal(np.sort(shown), np.sort(order("balanced", epoch=1))), "others of the frequent ones"


def test_processes_share_each_step_and_what_is_left_over_goes() -> None:
    shown = order()
    alone = step_batches(shown, 16)
    assert [len(rows) for rows in alone] == [16] * 6
    shared = [step_batches(shown, 16, process, 4) for process in range(4)]
    for step in range(6):
        parts = [rows[step] for rows in shared]
        assert [len(part) for part in parts] == [4] * 4
        assert sorted(np.concatenate(parts)) == sorted(alone[step])
