"""What a snapshot will hold: the best copies, the products with enough of them, and a name that is its content."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from snapshot_corpora import SETTINGS, Shot, draft, frame, sha

from lvbag.curate import CurateError
from lvbag.curate.snapshots.draft import snapshot_id
from lvbag.curate.snapshots.members import candidates
from lvbag.curate.snapshots.splits import Home

SHOTS = [Shot(n, product=n % 2, listing=n) for n in range(24)]


def test_of_copies_of_a_picture_or_of_a_crop_the_best_one_stands_there() -> None:
    better = Shot(100, product=0, listing=100, cluster=0, pixels=20_000)
    reframed = Shot(101, product=1, listing=101, crop_cluster=1, pixels=5_000)
    made = draft([*SHOTS, better, reframed])
    there = set(made.manifest["sha256"])
    assert made.manifest.height == 24
    assert sha(100) in there
    assert sha(0) not in there
    assert sha(1) in there
    assert sha(101) not in there
    assert made.replaced == 2
    assert sha(0) not in made.homes, "what never stood in a snapshot has no place yet"


def test_a_better_copy_that_is_refused_leaves_its_place_to_the_one_that_stands_there() -> None:
    first = draft(SHOTS)
    split = dict(first.manifest.select("sha256", "split").iter_rows())
    test = next(n for n in range(24) if split[sha(n)] == "test")
    train = next(n for n in range(24) if split[sha(n)] == "train")
    better = Shot(100, product=test % 2, listing=train, cluster=test, pixels=20_000)
    second = draft([*SHOTS, better], list(first.homes.values()))
    assert sha(test) in set(second.manifest["sha256"])
    assert second.name == first.name, "nothing came of it"
    assert second.refused == {"group_conflict": 1}


def test_a_copy_that_would_not_stand_there_anyway_is_no_refusal() -> None:
    first = draft(SHOTS)
    split = dict(first.manifest.select("sha256", "split").iter_rows())
    test = next(n for n in range(24) if split[sha(n)] == "test")
    train = next(n for n in range(24) if split[sha(n)] == "train")
    worse = Shot(100, product=test % 2, listing=train, cluster=test, pixels=5_000)
    assert draft([*SHOTS, worse], list(first.homes.values())).refused == {}


def test_of_two_that_turn_out_to_be_near_one_stands_there_and_what_had_a_place_stays() -> None:
    first = draft(SHOTS)
    late = Shot(100, product=0, listing=100, pixels=20_000)
    second = draft([*SHOTS, late], list(first.homes.values()), [(0, 100)])
    assert second.name == first.name, "it was placed first"
    assert sha(100) not in second.homes
    for homes in ([], list(draft([*SHOTS, late]).homes.values())):
        together = set(draft([*SHOTS, late], homes, [(0, 100)]).manifest["sha256"])
        assert {sha(0), sha(100)} & together == {sha(100)}, "the larger one"


def test_a_better_copy_beside_another_cluster_leaves_its_place_to_the_one_that_stands_there() -> None:
    first = draft(SHOTS)
    better = Shot(100, product=0, listing=100, cluster=0, pixels=20_000)
    second = draft([*SHOTS, better], list(first.homes.values()), [(2, 100)])
    assert second.name == first.name


def test_a_product_enters_with_enough_different_pictures_and_copies_do_not_count() -> None:
    few = [Shot(200 + n, product=5, listing=200 + n) for n in range(SETTINGS.min_images - 1)]
    copies = [Shot(300 + n, product=5, listing=300 + n, cluster=200) for n in range(3)]
    assert "M00005" not in set(draft([*SHOTS, *few, *copies]).manifest["style_code"])
    one_more = Shot(400, product=5, listing=400)
    assert "M00005" in set(draft([*SHOTS, *few, *copies, one_more]).manifest["style_code"])
    assert candidates(frame(few), SETTINGS.min_images).is_empty()


@pytest.mark.parametrize(
    "change", [{"split": "val"}, {"label": 7}, {"picture_url": "x"}, {"seller_key": "s"}, {"shard": 9}, {"group": "g"}]
)
def test_the_name_is_the_whole_content(change: dict[str, object]) -> None:
    manifest = draft(SHOTS).manifest
    other = manifest.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(value).cast(manifest.schema[name])).otherwise(name).alias(name)
        for name, value in change.items()
    )
    assert snapshot_id(other) != snapshot_id(manifest)


def test_the_name_begins_with_the_night_of_the_newest_picture() -> None:
    later = [*SHOTS, Shot(100, listing=100, night=3)]
    assert draft(later).name.startswith("2026-11-04-")
    assert draft(SHOTS).manifest["night"].unique().to_list() == [dt.date(2026, 11, 1)]


def test_where_every_image_is_refused_the_reasons_are_named() -> None:
    homes = [Home(sha(900), ("shop", "l900"), sha(900), "g1", "test"), Home("f", ("shop", "l901"), "f", "g2", "train")]
    torn = Shot(0, listing=901, cluster=900)
    with pytest.raises(CurateError, match=r"images would tie two splits together, so none is left .*group_conflict"):
        draft([torn], homes, settings=SETTINGS.model_copy(update={"min_images": 1}))
