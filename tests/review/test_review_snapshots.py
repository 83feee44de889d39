"""Snapshots follow decisions: what is refused leaves, what is relabelled is another product, undone is as before."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from review_frames import AT

from curate.curate_frames import PRODUCTS, Shop, curate_uncropped, jpeg, manifest, market, photo, small
from lvbag.care import Reason, image_target, plan_takedown, take_down
from lvbag.curate import build_snapshot
from lvbag.curate.snapshots.places import read_splits
from lvbag.curate.snapshots.stats import ReviewStats, read_stats
from lvbag.review import Verdict, decide, parse_id, read_history, undo
from lvbag.settings import Settings
from lvbag.store import CorruptObject, Store, keys

FIRST, SECOND = dt.date(2026, 11, 23), dt.date(2026, 11, 24)


def build(store: Store, settings: Settings, night: dt.date = FIRST) -> str:
    return str(build_snapshot(store, settings, night, (0,)).snapshot)


def places(store: Store, snapshot: str) -> dict[str, str]:
    return dict(read_splits(store, snapshot).select("sha256", "split").iter_rows())


def say(store: Store, item: str, verdict: Verdict, style: str | None = None) -> None:
    decide(store, parse_id(item), verdict, style, "ana", AT, "looked at it")


def test_the_next_snapshot_honours_decisions_and_undo_brings_the_same_one_back(
    store: Store, settings: Settings
) -> None:
    chosen = small(settings)
    market(store, chosen, FIRST, range(16))
    before = build(store, chosen)
    rows = manifest(store, before)
    held = rows.filter(pl.col("split") == "test")["sha256"].to_list()
    other = rows.filter(pl.col("style_code") == "M40156", pl.col("split") == "train")["sha256"][0]
    say(store, f"confidence:{held[0]}", Verdict.REFUSE)
    say(store, f"picture:{other}", Verdict.RELABEL, "M41108")
    after = build(store, chosen)
    now = manifest(store, after)
    assert after != before
    assert set(rows["sha256"]) - set(now["sha256"]) == {held[0]}
    both = rows.join(now, on="sha256", suffix="_now")
    assert both.filter(pl.col("style_code") != pl.col("style_code_now"))["sha256"].to_list() == [other]
    assert both.filter(pl.col("label") != pl.col("label_now"))["sha256"].to_list() == [other]
    assert (both["split"] == both["split_now"]).all()
    assert places(store, after) == places(store, before), "also of what has left"
    assert read_stats(store, after).reviews == ReviewStats(refused=1, relabelled=1)
    card = store.get(keys.snapshot(after, "card.md")).decode()
    assert "- reviews: 1 refused, 1 relabelled by people." in card
    for item in (f"confidence:{held[0]}", f"picture:{other}"):
        undo(store, parse_id(item), "bo", AT, "a mistake")
    assert build(store, chosen) == before


def test_a_decision_moves_no_picture_while_nights_grow(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    market(store, chosen, FIRST, range(16))
    first = build(store, chosen)
    for sha256 in manifest(store, first)["sha256"][:6]:
        say(store, f"confidence:{sha256}", Verdict.REFUSE)
    market(store, chosen, SECOND, range(24))
    second = build(store, chosen, SECOND)
    assert places(store, first).items() <= places(store, second).items()
    for sha256 in manifest(store, first)["sha256"][:6]:
        undo(store, parse_id(f"confidence:{sha256}"), "bo", AT, "")
    third = build(store, chosen, SECOND)
    split = dict(manifest(store, third).select("sha256", "split").iter_rows())
    assert dict(manifest(store, first).select("sha256", "split").iter_rows()).items() <= split.items()


def test_without_decisions_that_count_the_snapshot_is_the_same(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    market(store, chosen, FIRST, range(16))
    before = build(store, chosen)
    assert read_stats(store, before).reviews is None
    assert "reviews" not in store.get(keys.snapshot(before, "card.md")).decode()
    say(store, f"confidence:{manifest(store, before)['sha256'][0]}", Verdict.KEEP)
    say(store, "unlabelled:shop/nobody", Verdict.REFUSE)
    assert build(store, chosen) == before


def test_no_snapshot_is_built_over_a_decision_that_cannot_be_read(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    market(store, chosen, FIRST, range(16))
    ref = keys.review_decision(f"confidence-{'0' * 64}", "20261124T093000.000000Z-01234567")
    store.put(ref, b"[]")
    with pytest.raises(CorruptObject, match=store.uri(ref)):
        build(store, chosen)


def test_a_listing_that_got_a_product_is_learned_from_when_its_night_is_curated(
    store: Store, settings: Settings
) -> None:
    chosen = small(settings)
    shop = Shop(store, FIRST)
    for seed in range(16):
        shop.listing(f"l{seed}", [jpeg(photo(1000 + seed))], style_code=PRODUCTS[seed % 2])
    (new,) = shop.listing("untitled", [jpeg(photo(500))], style_code=None)
    shop.close()
    curate_uncropped(store, chosen, FIRST)
    before = build(store, chosen)
    say(store, "unlabelled:shop/untitled", Verdict.RELABEL, "M41108")
    curate_uncropped(store, chosen, FIRST)
    after = manifest(store, build(store, chosen))
    assert after.filter(pl.col("sha256") == new)["style_code"].to_list() == ["M41108"]
    undo(store, parse_id("unlabelled:shop/untitled"), "bo", AT, "")
    assert build(store, chosen) == before, "at once, before the night is curated again"


def test_a_picture_that_people_decided_about_can_be_taken_down(store: Store, settings: Settings) -> None:
    chosen = small(settings)
    market(store, chosen, FIRST, range(16))
    sha256 = manifest(store, build(store, chosen))["sha256"][0]
    say(store, f"confidence:{sha256}", Verdict.REFUSE)
    build(store, chosen)
    take_down(store, chosen, plan_takedown(store, image_target(sha256)), Reason("asked to", "a test", AT))
    assert sha256 not in set(manifest(store, build(store, chosen))["sha256"])
    assert len(read_history(store)) == 1
