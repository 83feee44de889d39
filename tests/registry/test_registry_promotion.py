from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from crashing_store import Crashing, read_everything
from registry_makers import AT, KIND, decision, digests, evaluation, publish, put_evaluation, together

from lvbag.registry import RegistryError, champion, judge, list_history, promote, rollback
from lvbag.settings import Settings
from lvbag.store import Bucket, CorruptObject, ModelKind, Ref, Store, StoreUnavailable, keys

LATER = AT + dt.timedelta(days=1)


@pytest.fixture
def versions(store: Store, tmp_path: Path) -> None:
    """Versions 1, 2 and 3; 1 is the champion."""
    for key in ("a", "b", "c"):
        publish(store, tmp_path, key)
    assert promote(store, KIND, decision(1, None, key="e0"), AT - dt.timedelta(days=1), "test")


def current(store: Store) -> int | None:
    alias = champion(store, KIND)
    return alias.version if alias else None


def told(store: Store) -> list[tuple[str, int, int | None]]:
    return [(event.event, event.version, event.previous) for event in list_history(store, KIND)]


# ------------------------------------------------------------------ promoting


def test_there_is_no_champion_before_the_first_promotion(store: Store, tmp_path: Path) -> None:
    assert champion(store, KIND) is None
    publish(store, tmp_path, "a")
    assert promote(store, KIND, decision(1, None), AT, "lvbag_train")
    alias = champion(store, KIND)
    assert alias is not None
    assert (alias.version, alias.since, alias.event) == (1, AT, "20261123T020000Z-promoted-0001")
    assert [key for key in digests(store) if "/versions/" not in key and "/trainings/" not in key] == [
        "classifier/champion.json",
        "classifier/history/20261123T020000Z-promoted-0001.json",
    ]


@pytest.mark.usefixtures("versions")
def test_a_promotion_and_a_refusal_are_both_recorded_with_the_numbers(store: Store) -> None:
    assert promote(store, KIND, decision(2, 1), AT, "lvbag_train")
    assert not promote(store, KIND, decision(3, 2, promoted=False), LATER, "lvbag_train")
    assert current(store) == 2
    assert told(store) == [("promoted", 1, None), ("promoted", 2, 1), ("refused", 3, 2)]
    last = list_history(store, KIND)[-1]
    assert last.decision == decision(3, 2, promoted=False)
    assert (last.by, last.at, last.why) == ("lvbag_train", LATER, "top-1 0.9 against 0.8")


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize("promoted", [True, False])
def test_the_same_call_again_changes_nothing_and_says_the_same(store: Store, promoted: bool) -> None:
    made = decision(2, 1, promoted)
    assert promote(store, KIND, made, AT, "test") is promoted
    before = digests(store)
    assert promote(store, KIND, made, AT, "test") is promoted
    assert promote(store, KIND, made, LATER, "somebody else") is promoted
    assert digests(store) == before


@pytest.mark.usefixtures("versions")
def test_a_promotion_of_yesterday_does_not_undo_the_one_of_today(store: Store) -> None:
    promote(store, KIND, decision(2, 1), AT, "test")
    promote(store, KIND, decision(3, 2, key="e2"), LATER, "test")
    before = digests(store)
    assert promote(store, KIND, decision(2, 1), AT, "test")
    assert current(store) == 3
    assert digests(store) == before


@pytest.mark.usefixtures("versions")
def test_a_decision_about_another_champion_is_refused(store: Store) -> None:
    promote(store, KIND, decision(2, 1), AT, "test")
    assert not promote(store, KIND, decision(3, 1), LATER, "test")
    assert current(store) == 2
    assert list_history(store, KIND)[-1].why == "champion changed meanwhile from 0001 to 0002; evaluate again"


@pytest.mark.usefixtures("versions")
def test_what_cannot_become_champion_raises_and_leaves_the_alias(store: Store) -> None:
    before = digests(store)
    with pytest.raises(RegistryError, match="0009 does not exist"):
        promote(store, KIND, decision(9, 1), AT, "test")
    with pytest.raises(RegistryError, match="cannot change the detector champion"):
        promote(store, ModelKind.DETECTOR, decision(2, 1), AT, "test")
    with pytest.raises(RegistryError, match="no time zone"):
        promote(store, KIND, decision(2, 1), AT.replace(tzinfo=None), "test")
    assert digests(store) == before
    promote(store, KIND, decision(2, 1), AT, "test")
    with pytest.raises(RegistryError, match="stands already for another evaluation"):
        promote(store, KIND, decision(2, 2, key="e9"), AT, "test")
    store.put(keys.version_file(KIND, 3, "model.onnx"), b"something else")
    with pytest.raises(CorruptObject, match="0003"):
        promote(store, KIND, decision(3, 2), AT, "test")
    assert current(store) == 2


# ------------------------------------------------------------------ races and crashes


@pytest.mark.usefixtures("versions")
def test_of_many_promoters_in_the_same_moment_one_flips(store: Store, tmp_path: Path) -> None:
    numbers = [2, 3, *(publish(store, tmp_path, f"more-{n}").version for n in range(6))]
    calls = [partial(promote, store, KIND, decision(number, 1), AT, "race") for number in numbers]
    answers = together(calls)
    assert sorted(answers, key=str) == [False] * 7 + [True]
    winner = numbers[answers.index(True)]
    assert current(store) == winner
    events = [event for event in list_history(store, KIND) if event.by == "race"]
    assert sorted(event.event for event in events) == ["promoted"] + ["refused"] * 7
    losers = [event for event in events if event.event == "refused"]
    assert {event.why for event in losers} == {f"champion changed meanwhile from 0001 to {winner:04d}; evaluate again"}
    assert list(store.list_objects(Bucket.MODELS, "classifier/flips/")) == []


@pytest.mark.usefixtures("versions")
def test_one_promotion_running_eight_times_at_once_is_one_flip(store: Store) -> None:
    assert together([partial(promote, store, KIND, decision(2, 1), AT, "race")] * 8) == [True] * 8
    assert told(store) == [("promoted", 1, None), ("promoted", 2, 1)]
    assert list(store.list_objects(Bucket.MODELS, "classifier/flips/")) == []


def crash(store: Store, call: Callable[[Store], Any], at_write: int, is_done: bool) -> None:
    with pytest.raises(StoreUnavailable, match="crash"):
        call(Crashing(store, at_write, is_done))
    read_everything(store, KIND)
    assert current(store) in (1, 2, 3)


PROMOTE = partial(promote, kind=KIND, decision=decision(2, 1), at=AT, by="test")
ROLLBACK = partial(rollback, kind=KIND, number=2, at=AT, by="test", why="3 was worse in the shop")
WRITES = [(n, is_done) for n in range(1, 5) for is_done in (False, True)]


@pytest.mark.parametrize("call", [PROMOTE, ROLLBACK], ids=["promote", "rollback"])
def test_a_flip_has_the_four_writes_that_the_crash_tests_stop_at(store: Store, versions: None, call: Any) -> None:
    counting = Crashing(store, 1000, is_done=False)
    call(counting)
    assert 1000 - counting.left == 4


@pytest.mark.parametrize(("at_write", "is_done"), WRITES)
@pytest.mark.parametrize("call", [PROMOTE, ROLLBACK], ids=["promote", "rollback"])
def test_a_flip_that_crashed_anywhere_is_completed_by_the_same_call(
    store: Store, versions: None, call: Any, at_write: int, is_done: bool
) -> None:
    before = {info.ref: store.get(info.ref) for info in store.list_objects(Bucket.MODELS, "classifier/")}
    call(store)
    clean = digests(store)
    for ref in [info.ref for info in store.list_objects(Bucket.MODELS, "classifier/")]:
        store.delete(ref)
    for ref, data in before.items():
        store.put(ref, data)
    crash(store, call, at_write, is_done)
    call(store)
    assert digests(store) == clean


@pytest.mark.parametrize("is_done", [False, True])
def test_a_refusal_that_crashed_is_recorded_once_by_the_same_call(store: Store, versions: None, is_done: bool) -> None:
    refuse = partial(promote, kind=KIND, decision=decision(2, 1, promoted=False), at=AT, by="test")
    crash(store, refuse, 1, is_done)
    assert told(store) == [("promoted", 1, None), *([("refused", 2, 1)] if is_done else [])]
    assert refuse(store) is False
    assert told(store) == [("promoted", 1, None), ("refused", 2, 1)]


@pytest.mark.parametrize(("at_write", "is_done"), WRITES)
def test_a_flip_that_crashed_is_completed_by_the_next_promotion(
    store: Store, versions: None, at_write: int, is_done: bool
) -> None:
    crash(store, PROMOTE, at_write, is_done)
    flipped = current(store) == 2
    assert promote(store, KIND, decision(3, 2 if flipped else 1, key="e2"), LATER, "test")
    wanted = [("promoted", 1, None), ("promoted", 2, 1), ("promoted", 3, 2)]
    assert told(store) == (wanted if flipped else [wanted[0], ("promoted", 3, 1)])
    assert PROMOTE(store) is flipped, "what became of it is the same, however late it is asked again"
    assert current(store) == 3
    assert list(store.list_objects(Bucket.MODELS, "classifier/flips/")) == []


@pytest.mark.usefixtures("versions")
def test_a_flip_that_crashed_before_it_was_recorded_counts_for_a_retry_at_another_time(store: Store) -> None:
    crash(store, PROMOTE, 2, is_done=True)
    assert told(store) == [("promoted", 1, None)]
    assert promote(store, KIND, decision(2, 1), LATER, "test")
    assert told(store) == [("promoted", 1, None), ("promoted", 2, 1)]


# ------------------------------------------------------------------ rolling back


@pytest.mark.usefixtures("versions")
def test_a_rollback_brings_the_old_version_back_with_its_reason(store: Store) -> None:
    promote(store, KIND, decision(2, 1), AT, "test")
    rollback(store, KIND, 1, LATER, "anna", "2 takes wallets for bags")
    assert current(store) == 1
    event = list_history(store, KIND)[-1]
    assert (event.event, event.version, event.previous, event.by) == ("rolled_back", 1, 2, "anna")
    assert event.why == "2 takes wallets for bags"
    before = digests(store)
    rollback(store, KIND, 1, LATER, "anna", "2 takes wallets for bags")
    rollback(store, KIND, 1, LATER + dt.timedelta(hours=1), "anna", "again")
    assert digests(store) == before
    assert promote(store, KIND, decision(2, 1), AT, "test"), "a promotion that was undone is not repeated"
    assert current(store) == 1


@pytest.mark.usefixtures("versions")
def test_a_rollback_to_a_damaged_or_missing_version_is_refused(store: Store) -> None:
    promote(store, KIND, decision(2, 1), AT, "test")
    store.put(keys.version_file(KIND, 1, "model.onnx"), b"something else")
    before = digests(store)
    with pytest.raises(CorruptObject, match=r"classifier version 0001: model\.onnx is not what was published"):
        rollback(store, KIND, 1, LATER, "anna", "why not")
    with pytest.raises(RegistryError, match="0009 does not exist"):
        rollback(store, KIND, 9, LATER, "anna", "why not")
    with pytest.raises(RegistryError, match="say why"):
        rollback(store, KIND, 3, LATER, "anna", "  ")
    assert digests(store) == before


@pytest.mark.usefixtures("versions")
def test_a_promotion_measured_before_a_rollback_there_and_back_still_counts(store: Store) -> None:
    rollback(store, KIND, 2, AT, "anna", "try it")
    rollback(store, KIND, 1, LATER, "anna", "no good")
    assert promote(store, KIND, decision(3, 1), LATER, "test"), "the champion is the one it was measured against"


# ------------------------------------------------------------------ reading


@pytest.mark.usefixtures("versions")
def test_history_is_oldest_first_and_passes_over_what_is_no_event(store: Store) -> None:
    promote(store, KIND, decision(2, 1), LATER, "test")
    rollback(store, KIND, 1, AT + dt.timedelta(days=2), "test", "why")
    store.put(keys.history(KIND, "notes"), b"[]")
    store.put(Ref(Bucket.MODELS, "classifier/history/deep/er.json"), b"{}")
    store.put(Ref(Bucket.MODELS, "classifier/history/a name that we never give.json"), b"{}")
    assert told(store) == [("promoted", 1, None), ("promoted", 2, 1), ("rolled_back", 1, 2)]


def test_an_unreadable_alias_is_named(store: Store) -> None:
    store.put(keys.champion(KIND), b"0007")
    with pytest.raises(RegistryError, match=r"classifier/champion\.json is no Champion"):
        champion(store, KIND)


# ------------------------------------------------------------------ judging


def test_judging_needs_the_evaluation(store: Store, settings: Settings) -> None:
    with pytest.raises(RegistryError, match=r"evaluations/e1\.json does not exist: run the evaluation"):
        judge(store, settings, KIND, "e1", AT)


@pytest.mark.usefixtures("versions")
def test_judging_keeps_what_was_decided_whatever_the_settings_say_now(store: Store, settings: Settings) -> None:
    put_evaluation(store, evaluation({2: 0.92, 3: 0.95}, champion=(1, 0.9)))
    first = judge(store, settings, KIND, "e1", AT)
    assert [(item.challenger, item.promoted) for item in first] == [(2, False), (3, True)]
    assert judge(store, settings, KIND, "e1", AT) == first
    promote(store, KIND, first[0], AT, "test")
    strict = settings.model_copy(update={"gate": settings.gate.model_copy(update={"min_gain": 0.5})})
    again = judge(store, strict, KIND, "e1", LATER)
    assert again[0] == first[0], "recorded, so word for word"
    assert not again[1].promoted, "not recorded yet, so by the settings of now"
    promote(store, KIND, first[1], AT, "test")
    assert judge(store, strict, KIND, "e1", LATER) == first


@pytest.mark.usefixtures("versions")
def test_a_challenger_judged_after_the_winner_was_recorded_does_not_follow_it(store: Store, settings: Settings) -> None:
    put_evaluation(store, evaluation({2: 0.92, 3: 0.95}, champion=(1, 0.9)))
    promote(store, KIND, decision(2, 1), AT, "test")
    made = judge(store, settings, KIND, "e1", AT)
    assert [(item.challenger, item.promoted) for item in made] == [(2, True), (3, False)]
    assert made[1].rules[-1].rule == "best_of_night"
