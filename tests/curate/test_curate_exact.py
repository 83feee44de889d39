"""Exact duplicates over the tables of a crawl, in a real store."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from curate_frames import Shop, all_digests, curate_uncropped, digest, jpeg, photo, small

from lvbag import schemas
from lvbag.curate import CurateError, mark_exact
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import read_table
from lvbag.tombstones import seller_key, tombstone_ref

FIRST, SECOND = dt.date(2026, 11, 23), dt.date(2026, 11, 24)


def verdicts(store: Store, night: dt.date) -> list[tuple[str, int, str | None]]:
    table = read_table(store, keys.stage(night, "exact"), schemas.STAGE_EXACT)
    return table.select("listing_id", "position", "reason").rows()


def test_the_first_of_equal_bytes_is_kept_and_the_others_name_it(store: Store, settings: Settings) -> None:
    one, two = jpeg(photo(1)), jpeg(photo(2))
    shop = Shop(store, FIRST)
    shop.listing("b", [one], shard="shop.000")
    shop.listing("a", [two, one, two], shard="shop.001")
    shop.close()
    result = mark_exact(store, settings, FIRST)
    assert (result.rows, result.kept, result.refused) == (4, 2, {"duplicate_exact": 2})
    rows = verdicts(store, FIRST)
    assert [(listing, position, reason is None) for listing, position, reason in rows] == [
        ("a", 0, True),
        ("a", 1, True),
        ("a", 2, False),
        ("b", 0, False),
    ]
    assert rows[3][2] is not None
    assert rows[3][2].endswith("first seen 2026-11-23 in shop/a")


def test_pictures_without_a_product_are_refused_and_do_not_hide_a_labelled_copy(
    store: Store, settings: Settings
) -> None:
    same, other = jpeg(photo(1)), jpeg(photo(2))
    shop = Shop(store, FIRST)
    shop.listing("a", [same], style_code=None)
    shop.listing("b", [other], listing_verdict="refused")
    shop.listing("c", [same, other])
    shop.failed_fetch("c", "http_404: gone")
    shop.close()
    mark_exact(store, settings, FIRST)
    assert verdicts(store, FIRST) == [
        ("a", 0, "unlabelled: two products match"),
        ("b", 0, "listing_refused: sold_out"),
        ("c", 0, None),
        ("c", 1, None),
    ]


def test_the_same_bytes_under_two_products_are_a_label_conflict(store: Store, settings: Settings) -> None:
    same = jpeg(photo(1))
    shop = Shop(store, FIRST)
    shop.listing("a", [same], style_code="M41108")
    shop.listing("b", [same], style_code="M40156")
    shop.close()
    result = mark_exact(store, settings, FIRST)
    assert result.refused == {"label_conflict": 1}
    assert "is M41108" in str(verdicts(store, FIRST)[1][2])


def test_what_an_earlier_night_judged_is_known_and_a_relisted_copy_is_a_duplicate(
    store: Store, settings: Settings
) -> None:
    same = jpeg(photo(1))
    shop = Shop(store, FIRST)
    shop.listing("a", [same])
    shop.close()
    curate_uncropped(store, small(settings), FIRST)
    shop = Shop(store, SECOND)
    shop.listing("a", [same], verdict="unchanged")
    shop.listing("z", [same], verdict="duplicate_url")
    shop.close()
    result = mark_exact(store, settings, SECOND)
    assert (result.kept, result.refused) == (0, {"duplicate_exact": 1, "known": 1})
    table = read_table(store, keys.stage(SECOND, "exact"), schemas.STAGE_EXACT)
    assert table["first_night"].to_list() == [FIRST, FIRST]
    assert table["reason"][0] == "known: since 2026-11-23"


def test_a_later_title_may_give_a_product_to_bytes_that_had_none(store: Store, settings: Settings) -> None:
    same = jpeg(photo(1))
    shop = Shop(store, FIRST)
    shop.listing("a", [same], style_code=None)
    shop.close()
    curate_uncropped(store, small(settings), FIRST)
    shop = Shop(store, SECOND)
    shop.listing("a", [same], verdict="unchanged")
    shop.close()
    assert mark_exact(store, settings, SECOND).kept == 1


def test_marking_again_after_a_later_night_leaves_the_same_bytes(store: Store, settings: Settings) -> None:
    for night in (FIRST, SECOND):
        shop = Shop(store, night)
        shop.listing("a", [jpeg(photo(1))])
        shop.listing("b", [jpeg(photo(night.day))])
        shop.close()
        curate_uncropped(store, small(settings), night)
    before = all_digests(store)
    mark_exact(store, settings, FIRST)
    mark_exact(store, settings, SECOND)
    assert all_digests(store) == before


def test_a_listing_that_two_shards_met_counts_once(store: Store, settings: Settings) -> None:
    picture = jpeg(photo(1))
    shop = Shop(store, FIRST)
    shop.listing("a", [picture], style_code=None, shard="shop.000")
    shop.listing("a", [picture], style_code="M41108", shard="shop.001")
    shop.close()
    assert mark_exact(store, settings, FIRST).rows == 1
    table = read_table(store, keys.stage(FIRST, "exact"), schemas.STAGE_EXACT)
    assert table.select(pl.col("style_code"), pl.col("verdict")).rows() == [("M41108", "kept")]


def test_a_night_that_was_not_crawled_is_an_error_that_says_what_to_do(store: Store, settings: Settings) -> None:
    with pytest.raises(CurateError, match=r"night 2026-11-23 was not crawled.*run `lvbag crawl`"):
        mark_exact(store, settings, FIRST)


def test_a_night_whose_crawl_met_nothing_is_empty_and_no_error(store: Store, settings: Settings) -> None:
    store.put_json(keys.night_manifest(FIRST), {})
    assert mark_exact(store, settings, FIRST).rows == 0


def test_what_was_taken_down_is_refused_and_does_not_hide_a_copy_that_was_not(store: Store, settings: Settings) -> None:
    same, gone, sold = jpeg(photo(1)), jpeg(photo(2)), jpeg(photo(3))
    shop = Shop(store, FIRST)
    shop.listing("a", [same])
    shop.listing("b", [same, gone])
    shop.listing("c", [sold], seller="Anna  K.")
    shop.listing("d", [jpeg(photo(4))], seller="anna k.", source="other", shard="other.000")
    shop.close()
    for kind, key in (("listing", {"source": "shop", "listing_id": "a"}), ("image", {"key": digest(gone)})):
        store.put_json(tombstone_ref(kind, str(key)), {"kind": kind, **key})
    store.put_json(tombstone_ref("seller", "x"), {"kind": "seller", "key": seller_key("shop", "anna K.")})
    mark_exact(store, settings, FIRST)
    assert verdicts(store, FIRST) == [
        ("d", 0, None),
        ("a", 0, "taken_down"),
        ("b", 0, None),
        ("b", 1, "taken_down"),
        ("c", 0, "taken_down"),
    ]


def test_sellers_stand_in_the_table_as_digests(store: Store, settings: Settings) -> None:
    shop = Shop(store, FIRST)
    shop.listing("a", [jpeg(photo(1))], seller="Anna K.")
    shop.listing("b", [jpeg(photo(2))], seller=" anna  k.")
    shop.listing("c", [jpeg(photo(3))])
    shop.close()
    mark_exact(store, settings, FIRST)
    table = read_table(store, keys.stage(FIRST, "exact"), schemas.STAGE_EXACT)
    assert table["seller_key"].to_list() == [seller_key("shop", "Anna K.")] * 2 + [None]
    assert "nna" not in str(table["seller_key"].to_list())
