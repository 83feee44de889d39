"""Nights that were crawled while nobody curated: they come before the next one, and nothing else does."""

from __future__ import annotations

import datetime as dt

import pytest

from lvbag.curate import closed_nights, with_waiting
from lvbag.store import Store, keys

DAYS = [dt.date(2026, 11, day) for day in range(20, 26)]


def crawl(store: Store, *nights: dt.date, changed: bool = True) -> None:
    for night in nights:
        store.put_json(keys.night_manifest(night), {"changed": changed})


def begin(store: Store, *nights: dt.date) -> None:
    for night in nights:
        store.put(keys.stage(night, "exact"), b"a table")


def test_closed_nights_are_those_with_a_manifest_in_order(store: Store) -> None:
    assert closed_nights(store) == []
    crawl(store, DAYS[2], DAYS[0])
    assert closed_nights(store) == [DAYS[0], DAYS[2]]


def test_nights_crawled_since_the_last_curated_one_come_first(store: Store) -> None:
    crawl(store, *DAYS[:5])
    begin(store, DAYS[1])
    assert with_waiting(store, [DAYS[4]]) == DAYS[2:5], "the first one was left out before the second was curated"


def test_where_nothing_was_ever_curated_all_of_them_wait(store: Store) -> None:
    crawl(store, *DAYS[:3])
    assert with_waiting(store, [DAYS[2]]) == DAYS[:3]


def test_a_night_without_news_is_not_waited_for(store: Store) -> None:
    crawl(store, DAYS[0], DAYS[3])
    crawl(store, DAYS[1], changed=False)
    store.put_json(keys.night_manifest(DAYS[2]), ["no manifest"])
    begin(store, DAYS[0])
    assert with_waiting(store, [DAYS[3]]) == [DAYS[3]]


def test_a_night_that_is_run_again_takes_no_later_one_along(store: Store) -> None:
    crawl(store, *DAYS[:4])
    begin(store, *DAYS[:2])
    assert with_waiting(store, [DAYS[1]]) == [DAYS[1]]


@pytest.mark.parametrize("order", [1, -1])
def test_what_lies_between_the_nights_of_merged_events_comes_along_unless_it_is_curated(
    store: Store, order: int
) -> None:
    crawl(store, *DAYS)
    begin(store, DAYS[0], DAYS[3])
    assert with_waiting(store, [DAYS[1], DAYS[5]][::order]) == [DAYS[1], DAYS[2], DAYS[4], DAYS[5]]
