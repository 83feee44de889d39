"""How a task learns what to work on."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import pytest

from lvbag.nights import NightError
from lvbag.orchestrate import context
from lvbag.orchestrate.context import RunError, TaskRun
from lvbag.store import Store, keys

AT = dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC)
MONDAY, SUNDAY = dt.date(2026, 11, 23), dt.date(2026, 11, 22)


def run(
    params: dict[str, object] | None = None, events: dict[str, tuple[dict[str, object], ...]] | None = None
) -> TaskRun:
    return TaskRun("run-1", AT, params or {}, events or {})


def test_the_night_is_the_day_of_the_run_unless_one_is_named() -> None:
    assert context.one_night(run({"night": None})) == MONDAY
    assert context.one_night(run({"night": "2026-11-22"})) == SUNDAY


def test_the_night_is_counted_in_utc() -> None:
    late = TaskRun("r", dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.timezone(dt.timedelta(hours=3))), {}, {})
    assert context.one_night(late) == MONDAY


def test_a_night_that_is_no_day_is_refused() -> None:
    with pytest.raises(NightError, match="yesterday"):
        context.one_night(run({"night": "yesterday"}))


def test_all_nights_of_merged_events_are_curated_in_order_and_once() -> None:
    events = {"listings": ({"night": "2026-11-23"}, {"night": "2026-11-22"}, {"night": "2026-11-23"})}
    assert context.nights_of(run(events=events), "listings", None) == [SUNDAY, MONDAY]


def test_a_named_night_wins_over_events_and_events_over_the_newest() -> None:
    events = {"listings": ({"night": "2026-11-22"},)}
    named = run({"night": "2026-11-01"}, events)
    assert context.nights_of(named, "listings", MONDAY) == [dt.date(2026, 11, 1)]
    assert context.nights_of(run(events=events), "listings", MONDAY) == [SUNDAY]
    assert context.nights_of(run(), "listings", MONDAY) == [MONDAY]


def test_without_any_night_the_remedy_is_named() -> None:
    with pytest.raises(RunError, match="run lvbag_crawl first"):
        context.nights_of(run(), "listings", None)


def test_a_name_comes_from_the_parameter_the_last_event_or_the_newest() -> None:
    events = {"dataset": ({"snapshot": "a"}, {"snapshot": "b"})}
    assert context.name_of(run({"snapshot": "x"}, events), "snapshot", "dataset", "new", "") == "x"
    assert context.name_of(run({}, events), "snapshot", "dataset", "new", "") == "b"
    assert context.name_of(run(), "snapshot", "dataset", "new", "") == "new"
    with pytest.raises(RunError, match="there is no snapshot yet; curate first"):
        context.name_of(run(), "snapshot", "dataset", None, "curate first")


def test_the_newest_crawled_night_is_the_last_that_was_closed(store: Store) -> None:
    assert context.newest_crawled(store) is None
    for night in (MONDAY, SUNDAY):
        store.put_json(keys.night_manifest(night), {})
    assert context.newest_crawled(store) == MONDAY


def test_results_travel_as_plain_json() -> None:
    @dataclass(frozen=True)
    class Result:
        night: dt.date
        parts: tuple[int, ...]
        refused: dict[str, int]

    value = context.plain([Result(MONDAY, (1, 2), {"blur": 3})])
    assert json.loads(json.dumps(value)) == value == [{"night": "2026-11-23", "parts": [1, 2], "refused": {"blur": 3}}]
