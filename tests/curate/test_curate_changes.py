"""What is said of the difference between two snapshots: counts, mixes, quality."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot_corpora import Shot, draft, frame, sha

from lvbag.curate.snapshots.changes import divergence, measure_drift, measured, stability_index

WORDS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=40)


def series(values: list[str]) -> pl.Series:
    return pl.Series("value", values)


@given(WORDS, WORDS)
def test_the_divergence_of_mixes_is_between_0_and_1_and_the_same_both_ways(one: list[str], other: list[str]) -> None:
    there, back = divergence(series(one), series(other)), divergence(series(other), series(one))
    assert there == pytest.approx(back)
    assert 0 <= there <= 1
    assert divergence(series(one), series(one * 3)) == 0


def test_a_tenth_that_became_18_or_31_percent_is_at_the_marks() -> None:
    before = series(["a"] * 100 + ["b"] * 900)
    assert divergence(before, series(["a"] * 180 + ["b"] * 820)) == pytest.approx(0.01, abs=0.001)
    assert divergence(before, series(["a"] * 310 + ["b"] * 690)) == pytest.approx(0.05, abs=0.001)
    assert divergence(series(["a"]), series(["b"])) == 1


def test_the_stability_index_sees_a_shift_and_no_chance_and_says_nothing_of_few() -> None:
    rng = np.random.default_rng(3)
    old, same = pl.Series(rng.normal(0, 1, 2000)), pl.Series(rng.normal(0, 1, 2000))
    low, high = stability_index(old, same), stability_index(old, same + 1)
    assert low is not None
    assert high is not None
    assert low < 0.02
    assert high > 0.25
    assert stability_index(old.head(99), same) is None
    assert stability_index(pl.Series([1.0] * 200), pl.Series([1.0] * 300)) == 0


def test_what_came_left_was_replaced_and_relabelled_is_counted_by_split() -> None:
    shots = [Shot(n, product=n % 3, listing=n) for n in range(36)]
    first = draft(shots)
    later = [shot for shot in shots if shot.product != 2]
    later[0] = dataclasses.replace(later[0], product=1)
    later += [Shot(100, product=1, listing=1, cluster=1, pixels=20_000)]  # a better copy of picture 1
    later += [Shot(200 + n, product=3, listing=200 + n) for n in range(10)]
    second = draft(later, list(first.homes.values()))
    everything = frame([*shots, *later]).unique("sha256")
    drift = measure_drift(first.name, measured(first.manifest, everything), measured(second.manifest, everything))
    split = dict(first.manifest.select("sha256", "split").iter_rows())
    changes = {change.split: change for change in drift.changes}
    assert (drift.entered, drift.left) == (("M00003",), ("M00002",))
    assert sum(change.added for change in drift.changes) == 11
    assert sum(change.removed for change in drift.changes) == 13
    assert changes[split[sha(1)]].replaced == sum(change.replaced for change in drift.changes) == 1
    assert changes[split[sha(0)]].relabelled == sum(change.relabelled for change in drift.changes) == 1
    assert drift.verdicts[0] == "no image moved to another split"
    assert "another mix" in drift.verdicts[1]
    assert drift.verdicts[3] == "quality: too few images to say (fewer than 100)"


def test_an_image_that_moved_is_shouted() -> None:
    shots = [Shot(n, product=n % 2, listing=n) for n in range(40)]
    made = measured(draft(shots).manifest, frame(shots))
    moved = made.with_columns(split=pl.when(pl.col("split") == "val").then(pl.lit("test")).otherwise("split"))
    drift = measure_drift("before", made, moved)
    assert drift.verdicts[0].startswith("MOVED between splits: ")
    assert sum(change.moved for change in drift.changes) == made.filter(split="val").height > 0
