"""A training that dies at any write of reserving and publishing its version, and what a second try leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from crashing_store import Crashing, read_everything
from registry_makers import KIND, digests, publish

from lvbag.registry import list_versions
from lvbag.store import Store, StoreUnavailable

WRITES = ["reservation", "pointer", "metrics.json", "model.onnx", "config.json"]


def test_reserving_and_publishing_are_the_writes_that_the_crash_tests_stop_at(store: Store, tmp_path: Path) -> None:
    counting = Crashing(store, 1000, is_done=False)
    publish(counting, tmp_path, "a")
    assert 1000 - counting.left == len(WRITES)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at_write", range(1, len(WRITES) + 1), ids=WRITES)
def test_a_training_that_crashed_anywhere_leaves_a_readable_registry_and_ends_in_the_same_objects(
    store: Store, tmp_path: Path, at_write: int, is_done: bool
) -> None:
    before = publish(store, tmp_path, "earlier")
    with pytest.raises(StoreUnavailable, match="crash"):
        publish(Crashing(store, at_write, is_done), tmp_path, "a")
    read_everything(store, KIND)
    is_published = is_done and at_write == len(WRITES)
    assert [version.version for version in list_versions(store, KIND)] == ([1, 2] if is_published else [1])

    other = publish(store, tmp_path, "b")
    again = publish(store, tmp_path, "a")

    # a number that was claimed is the training's own; one that was not goes to whoever comes next
    was_claimed = is_done or at_write > 1
    assert (again.version, other.version) == ((2, 3) if was_claimed else (3, 2))
    assert list_versions(store, KIND) == sorted([before, again, other], key=lambda version: version.version)
    clean = digests(store)
    publish(store, tmp_path, "a")
    assert digests(store) == clean
    assert len(clean) == 3 * len(WRITES)
