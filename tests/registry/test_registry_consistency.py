"""Alias and history must tell the same story."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from registry_makers import AT, KIND, decision, publish

from lvbag.registry import promote, rollback
from lvbag.registry.consistency import chain_faults, history_faults
from lvbag.registry.records import Champion, Event
from lvbag.store import Ref, Store, keys


def kinds(store: Store) -> list[str]:
    return [fault.kind for fault in history_faults(store, KIND)]


def changed(store: Store, folder: Path) -> None:
    """1, then 2, then 1 again, and a refusal; the times are not in the order of the flips."""
    for key in ("a", "b"):
        publish(store, folder, key)
    promote(store, KIND, decision(1, None, key="e0"), AT, "test")
    promote(store, KIND, decision(2, 1), AT - dt.timedelta(hours=3), "test")
    promote(store, KIND, decision(1, 2, promoted=False, key="e2"), AT, "test")
    rollback(store, KIND, 1, AT + dt.timedelta(hours=1), "test", "better")


def test_an_empty_registry_and_one_that_was_used_are_consistent(store: Store, tmp_path: Path) -> None:
    assert kinds(store) == []
    changed(store, tmp_path)
    assert kinds(store) == []


def test_events_that_are_missing_or_broken_are_named(store: Store, tmp_path: Path) -> None:
    changed(store, tmp_path)
    last = next(store.list_objects(keys.champion(KIND).bucket, "classifier/history/20261123T030000Z")).ref
    first = next(store.list_objects(last.bucket, "classifier/history/20261122T230000Z")).ref
    data = store.get(first)

    store.delete(first)
    assert [(fault.kind, fault.problem) for fault in history_faults(store, KIND)] == [
        ("history_inconsistent", "0001 became champion 2 times and was left 0 times, and is champion now"),
        ("history_inconsistent", "0002 became champion 0 times and was left 1 times, and is not champion now"),
    ]

    store.put(first, b"{}")
    (fault,) = history_faults(store, KIND)
    assert (fault.kind, fault.ref) == ("history_unreadable", first)
    store.put(first, data)

    noted = store.get(last)
    store.delete(last)
    assert kinds(store) == ["history_incomplete"]
    store.put(keys.flip(KIND, last.key.rpartition("/")[2].removesuffix(".json")), noted)
    assert kinds(store) == [], "a flip that crashed before it was recorded is completed from its note"

    store.put(Ref(first.bucket, "classifier/history/a name that we never give.json"), b"{}")
    assert kinds(store) == ["history_unreadable"]


@given(st.lists(st.integers(1, 4), max_size=8), st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_chain_of_flips_adds_up_to_its_last_version_only(flips: list[int], chance: object, other: int) -> None:
    events, previous = {}, None
    for number, version in enumerate(flips):
        if version == previous:
            continue
        event = Event(kind=KIND, event="rolled_back", at=AT, by="t", version=version, previous=previous, why="w")
        events[str(number)] = event
        previous = version
    shuffled = list(events.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    def alias(version: int) -> Champion:
        return Champion(version=version, since=AT, event="unknown", nonce="n")

    assert list(chain_faults(dict(shuffled), None if previous is None else alias(previous))) == []
    if other != previous:
        assert list(chain_faults(dict(shuffled), alias(other)))
