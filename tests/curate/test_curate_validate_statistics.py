"""What a night looked like, counted from its tables, kept, and read again."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest
from validate_frames import NIGHT, fetch, listing, picture, put_history, sha, usual

from lvbag import schemas
from lvbag.curate import CurateError
from lvbag.curate.validation.statistics import (
    NO_PRODUCT,
    NightStatistics,
    SourceStatistics,
    absent_sources,
    count_sources,
    read_statistics,
    read_trailing,
    write_statistics,
)
from lvbag.store import ObjectMissing, Store, keys


def count(
    listings: list[dict[str, object]], fetches: list[dict[str, object]], pictures: list[dict[str, object]]
) -> dict[str, SourceStatistics]:
    return count_sources(
        pl.DataFrame(listings, schema=schemas.LISTINGS),
        pl.DataFrame(fetches, schema=schemas.FETCHES),
        pl.DataFrame(pictures, schema=schemas.STAGE_NEAR),
    )


def test_listings_count_once_and_pictures_by_place_whether_new_or_unchanged() -> None:
    listings = [
        listing(0, price=None),
        listing(0, shard="001"),  # another shard met it as well, and read its price
        listing(1, price=None, style_code=None),
        listing(2, verdict="refused", reason="sold_out"),
        listing(3, verdict="refused", reason="not_understood: no_product", title=None),
        listing(4, source="other"),
    ]
    fetches = [
        fetch(0),
        fetch(0, shard="001"),
        fetch(0, position=1, verdict="unchanged", sha256=sha(7)),
        fetch(1, verdict="duplicate_url"),
        fetch(1, position=1, verdict="refused", sha256=None, reason="timeout"),
    ]
    found = count(listings, fetches, [])
    assert list(found) == ["other", "shop"]
    shop = found["shop"]
    assert (shop.listings, shop.missing_prices, shop.pages_read, shop.pages_not_understood) == (2, 1, 4, 1)
    assert (shop.fetches, shop.failed_fetches, shop.pictures, shop.new_pictures) == (5, 1, 3, 1)
    assert shop.products == {"M41108": 1, NO_PRODUCT: 1}
    assert (shop.rows, shop.kept, shop.measures, shop.classes) == (0, 0, {}, {})
    assert found["other"].found == 1


def test_one_picture_is_found_by_its_bytes_and_by_its_near_duplicates() -> None:
    fetches = [fetch(n, sha256=sha("same" if n < 3 else n)) for n in range(8)]
    fetches.append(fetch(9, verdict="unchanged", sha256=sha("same")))
    alone = count([], fetches, [picture("same")])["shop"]
    assert (alone.new_pictures, alone.same_picture) == (8, 3)
    copies = [picture(n, cluster=sha("same"), verdict="refused", reason="duplicate_near") for n in (4, 5)]
    assert count([], fetches, [picture("same"), *copies])["shop"].same_picture == 5


def test_measures_are_means_over_listings_of_the_new_kept_pictures() -> None:
    many = [picture(f"many{n}", listing_id="many", brightness=0.2, white_share=0.0) for n in range(9)]
    one = picture("one", listing_id="one", brightness=0.8, style_code="M40000", blur=math.e - 1)
    out = picture("out", listing_id="out", brightness=0.9, verdict="refused", reason="duplicate_near: x")
    shop = count([], [], [*many, one, out])["shop"]
    assert (shop.rows, shop.kept, shop.shown_listings, shop.method) == (11, 10, 2, "1")
    assert shop.classes == {"M40000": 1, "M41108": 1}
    assert (shop.measures["brightness"].mean, shop.measures["brightness"].sd) == (0.5, 0.3)
    assert shop.measures["white_share"].mean == 0.45
    assert shop.measures["blur"].mean == pytest.approx((math.log1p(300) + 1) / 2, abs=1e-6)
    assert shop.measures["aspect"].mean == pytest.approx(math.log(4 / 3), abs=1e-6)


def test_a_measure_that_nobody_took_is_left_out() -> None:
    assert "chroma" not in count([], [], [picture(0, chroma=None)])["shop"].measures


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [picture(n, brightness=0.1 * (n % 7), blur=3.0**n, listing_id=f"l{n % 5}") for n in range(20)]
    assert count([], [], rows) == count([], [], rows[::-1])


def test_statistics_are_read_as_they_were_written(store: Store) -> None:
    kept = NightStatistics(night=NIGHT, sources={"shop": usual(quarantined="x: 1")}, notes=("source_present: b: 0",))
    write_statistics(store, kept)
    first = store.get(keys.statistics(NIGHT))
    write_statistics(store, kept)
    assert read_statistics(store, NIGHT) == kept and store.get(keys.statistics(NIGHT)) == first
    with pytest.raises(ObjectMissing):
        read_statistics(store, NIGHT - dt.timedelta(days=1))


def test_the_trailing_nights_are_the_last_ones_before_a_night(store: Store) -> None:
    put_history(store, 20, before=NIGHT + dt.timedelta(days=5), shop=usual())
    found = [one.night for one in read_trailing(store, NIGHT, 3)]
    assert found == [NIGHT - dt.timedelta(days=back) for back in (3, 2, 1)]
    since = NIGHT - dt.timedelta(days=2)
    assert [one.night for one in read_trailing(store, NIGHT, 14, since)] == found[1:]
    assert len(read_trailing(store, NIGHT, 366)) == 15
    assert read_trailing(store, NIGHT, 0) == []


def test_an_object_that_is_no_night_is_named(store: Store) -> None:
    stray = keys.statistics(NIGHT)
    store.put(keys.Ref(stray.bucket, stray.key.replace("2026", "now-2026")), b"{}")
    with pytest.raises(CurateError, match=r"night=now-2026-11-23\.json is no night's statistics; remove"):
        read_trailing(store, NIGHT, 3)


def test_a_source_is_missed_when_most_nights_had_it() -> None:
    def night(*names: str) -> NightStatistics:
        return NightStatistics(night=NIGHT, sources=dict.fromkeys(names, usual()))

    empty = NightStatistics(night=NIGHT, sources={"a": SourceStatistics(fetches=3)})
    trailing = [night("a", "b"), night("b"), night("c", "b", "a"), empty]
    assert absent_sources({}, trailing) == ["b"]
    assert absent_sources({"b": SourceStatistics()}, trailing) == []
    assert absent_sources({}, []) == []
