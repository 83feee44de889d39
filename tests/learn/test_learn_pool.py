"""Pictures on their way to the device: the same ones, whichever way they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from lvbag import schemas
from lvbag.learn.classifier.data import Pictures, Snapshot

torch = pytest.importorskip("torch")

from lvbag.learn.classifier.pool import Pool  # noqa: E402

BATCHES = [np.array([4, 1, 7]), np.array([8, 0]), np.array([3])]


@pytest.fixture
def snapshot() -> Snapshot:
    splits = ["train"] * 6 + ["test"] + ["val"] * 2
    values = {"label": [number % 3 for number in range(9)], "split": splits}
    rows = pl.DataFrame(values, schema={name: schemas.MANIFEST[name] for name in values})
    # the file holds others, too: rows stand at places of their own
    array = np.random.default_rng(0).integers(0, 255, (20, 4, 4, 3), dtype=np.uint8)
    return Snapshot("snap", ("A", "B", "C"), rows, Pictures(array, np.arange(19, 1, -2)))


def check(snapshot: Snapshot, batches: Any) -> None:
    found = list(batches)
    assert len(found) == len(BATCHES)
    for rows, (images, labels) in zip(BATCHES, found, strict=True):
        assert np.array_equal(images.numpy(), snapshot.images[rows])
        assert labels.tolist() == (rows % 3).tolist()


def test_pictures_are_those_of_the_rows_read_ahead_or_held_on_the_device(snapshot: Snapshot) -> None:
    pool = Pool(snapshot, torch.device("cpu"))
    assert not pool.is_resident
    check(snapshot, pool.in_turn(BATCHES))
    check(snapshot, pool._ahead(BATCHES))
    check(snapshot, pool._resident(BATCHES, pool._copied(np.array([0, 1, 2, 3, 4, 5, 7, 8]))))
    assert list(pool._ahead([])) == []
