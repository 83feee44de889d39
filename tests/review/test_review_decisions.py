"""Decisions: which counts, how they stand in the store, and what a damaged one says."""

from __future__ import annotations

import datetime as dt
import itertools
import re

import pytest
from pydantic import ValidationError
from review_frames import AT, decision, sha

from lvbag.care import Limits, plan_collection
from lvbag.care.garbage import collect
from lvbag.review import Decision, ReviewError, Verdict, decide, parse_id, read_history, undo
from lvbag.review.decisions import standing
from lvbag.review.ledger import write_decision
from lvbag.settings import Settings
from lvbag.store import Bucket, CorruptObject, Store, keys

PICTURE = f"confidence:{sha(1)}"
LISTING = "unlabelled:my-shop/id 1:é/2"


def test_the_newest_decision_counts_in_whatever_order_they_are_read() -> None:
    everything = [decision(PICTURE, "keep"), decision(PICTURE, "refuse", 1), decision(PICTURE, "keep", 2, who="bo")]
    for order in itertools.permutations(everything):
        assert standing(order) == everything[2]


def test_of_two_people_at_the_same_moment_the_same_one_counts_everywhere() -> None:
    one, other = decision(PICTURE, "keep", who="ana"), decision(PICTURE, "refuse", who="bo")
    assert one.name != other.name
    assert standing([one, other]) == standing([other, one]) == max(one, other, key=lambda each: each.name)


def test_an_undo_brings_back_what_stood_before_and_a_second_one_goes_further_back() -> None:
    first, second = decision(PICTURE, "keep"), decision(PICTURE, "refuse", 1)
    once = [first, second, decision(PICTURE, "undo", 2, replaces=second.name)]
    assert standing(once) == first
    assert standing([*once, decision(PICTURE, "undo", 3, replaces=first.name)]) is None
    again = decision(PICTURE, "refuse", 4)
    assert standing([*once, again]) == again


@pytest.mark.parametrize(
    ("verdict", "style", "replaces"), [("relabel", None, None), ("keep", "M41108", None), ("undo", None, None)]
)
def test_a_decision_that_does_not_fit_its_verdict_is_none(verdict: str, style: str | None, replaces: None) -> None:
    with pytest.raises(ValidationError):
        decision(PICTURE, verdict, style=style, replaces=replaces)


@pytest.mark.parametrize("text", ["", "confidence", "confidence:", f"A:{sha(1)}", "x:shop/", "x:../l1", "x:shop/a\nb"])
def test_a_name_that_is_no_items_is_refused(text: str) -> None:
    with pytest.raises(ReviewError, match="names no item: write KIND:SHA256"):
        parse_id(text)


@pytest.mark.parametrize("text", [PICTURE, LISTING, "unlabelled:shop/a:b/c"])
def test_a_name_reads_as_it_is_written(text: str) -> None:
    assert str(parse_id(text)) == text


def test_decisions_are_objects_of_their_own_and_none_is_ever_changed(store: Store) -> None:
    first = decide(store, parse_id(LISTING), Verdict.RELABEL, "M41108", "ana", AT, "the title says so")
    there = {item.ref: store.get(item.ref) for item in store.list_objects(Bucket.CURATED, "reviews/")}
    second = decide(store, parse_id(LISTING), Verdict.REFUSE, None, "bo", AT + dt.timedelta(hours=1), "a fake")
    assert (first.replaces, second.replaces) == (None, first.name)
    gone, now = undo(store, parse_id(LISTING), "ana", AT + dt.timedelta(hours=2), "it is real")
    assert (gone, now) == (second, first)
    after = {item.ref: store.get(item.ref) for item in store.list_objects(Bucket.CURATED, "reviews/")}
    assert len(there) == 1
    assert len(after) == 3
    assert there.items() <= after.items()
    history = read_history(store)[LISTING]
    assert [one.verdict.value for one in history] == ["relabel", "refuse", "undo"]
    assert all(keys.review_decision(one.id.key, one.name) in after for one in history)
    with pytest.raises(ReviewError, match="nothing is decided about confidence:"):
        undo(store, parse_id(PICTURE), "ana", AT, "")


def test_a_decision_counts_though_its_machines_clock_is_behind(store: Store) -> None:
    decide(store, parse_id(PICTURE), Verdict.KEEP, None, "ana", AT, "a bag")
    late = decide(store, parse_id(PICTURE), Verdict.REFUSE, None, "bo", AT - dt.timedelta(days=1), "none")
    assert standing(read_history(store)[PICTURE]) == late


def test_two_people_at_once_are_both_kept_and_the_same_decision_twice_is_one(store: Store) -> None:
    one, other = decision(PICTURE, "keep", who="ana"), decision(PICTURE, "refuse", who="bo")
    for each in (one, other, one):
        write_decision(store, each)
    assert set(read_history(store)[PICTURE]) == {one, other}


def _edited(written: Decision) -> bytes:
    return written.data.replace(b'"keep"', b'"refuse"')


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda one: b"{", "is no decision: "),
        (lambda one: b'{"item": 3}', "is no decision: item: "),
        (_edited, "is not the decision that was written there"),
    ],
)
def test_a_damaged_decision_is_named_with_what_to_do(store: Store, data: object, says: str) -> None:
    written = decision(PICTURE, "keep")
    ref = write_decision(store, written)
    store.put(ref, data(written))  # type: ignore[operator]
    with pytest.raises(CorruptObject, match=f"{re.escape(store.uri(ref))} {says}.*restore it from a backup, or remove"):
        read_history(store)


def test_a_foreign_object_among_decisions_is_named(store: Store) -> None:
    ref = keys.review_decision(parse_id(PICTURE).key, "notes")
    store.put(ref, b"{}")
    with pytest.raises(CorruptObject, match=f"{re.escape(store.uri(ref))} is no decision of a review; remove it"):
        read_history(store)


def test_garbage_collection_never_takes_a_decision(store: Store, settings: Settings) -> None:
    ref = write_decision(store, decision(PICTURE, "keep"))
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=400)
    plan = plan_collection(store, settings, Limits(1, 1), later)
    assert ref not in {item.ref for kind in plan.kinds for item in kind.objects}
    collect(store, settings, plan)
    assert store.exists(ref)
