"""A store that is cut off in the middle of a step: clear errors, nothing lost, nothing doubled, the same objects."""

from __future__ import annotations

import pytest
from curate_frames import all_digests, digest
from faulty_nights import REMEDY, SECOND, STEPS, Nights, at, drawn, snapshot_is_whole

from cutting_store import Cut, CuttingStore, Where
from lvbag.curate import newest_snapshot
from lvbag.store import Bucket, Store, StoreUnavailable, keys

MOST = {"validate": 1, "snapshot": 5}
"""Cuts that are tried for a step and kind: fewer where it takes seconds, more where there is more to spoil."""

CUTS: dict[str, tuple[Where, bool]] = {
    "gone before it is asked": ("before", False),
    "asked but never answers": ("after", True),
    "broken off in its answer": ("answer", True),
}


def test_the_second_night_does_what_these_tests_are_about(nights: Nights) -> None:
    nights.begin("report")
    name = newest_snapshot(nights.store)
    assert name is not None
    assert name.startswith(SECOND.isoformat())
    assert nights.store.exists(keys.snapshot_shard(name, 1))
    parts = [item.ref for item in nights.store.list_objects(Bucket.CURATED, keys.curated_images_prefix(SECOND))]
    assert parts == [keys.curated_images(SECOND, 0), keys.curated_images(SECOND, 1)]
    written = (Bucket.CURATED, Bucket.DATASETS, Bucket.REPORTS)
    kept = {str(ref): digest(data) for ref, data in nights.before["report"].items() if ref.bucket in written}
    assert all_digests(nights.store) == kept


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_was_cut_off_says_so_and_run_again_leaves_the_same_objects(
    nights: Nights, proxy: CuttingStore, step: str, kind: str
) -> None:
    where, once = CUTS[kind]
    settings = at(nights.settings, proxy.endpoint, retries=0)
    for number in drawn(len(nights.requests[step]), MOST.get(step, 2), f"{step} {kind}"):
        nights.begin(step)
        proxy.begin(Cut(where, number, once))
        with pytest.raises(StoreUnavailable, match=REMEDY):
            STEPS[step](Store(settings.store), settings)
        assert nights.wrong_so_far(step) == {}, number
        newest = newest_snapshot(nights.store)
        assert newest is not None
        assert snapshot_is_whole(nights.store, newest), number
        STEPS[step](nights.store, nights.settings)
        assert nights.wrong(step) == {}, number


@pytest.mark.parametrize("step", STEPS)
def test_a_single_cut_goes_unnoticed_where_the_store_is_asked_again(
    nights: Nights, proxy: CuttingStore, step: str
) -> None:
    settings = at(nights.settings, proxy.endpoint, retries=2)
    for where in ("answer",) if step == "validate" else ("before", "after", "answer"):
        for number in drawn(len(nights.requests[step]), 4 if step == "snapshot" else 1, f"{step} {where}"):
            nights.begin(step)
            proxy.begin(Cut(where, number))
            STEPS[step](Store(settings.store), settings)
            assert nights.wrong(step) == {}, (where, number)


def test_a_night_over_a_store_that_turns_every_second_request_away_ends_the_same(
    nights: Nights, proxy: CuttingStore
) -> None:
    settings = at(nights.settings, proxy.endpoint, retries=5)
    nights.begin("close")
    proxy.begin(Cut("instead", every=2))
    for name, step in STEPS.items():
        step(Store(settings.store), settings)
        assert nights.wrong(name) == {}, name
