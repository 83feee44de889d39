"""Suspicious labels in the queue: which are asked about, for how long, and what decisions do."""

from __future__ import annotations

import datetime as dt

import polars as pl
from review_frames import AT, NIGHT, decision, judged, sha
from suspicion_frames import SNAPSHOT, write_suspicions

from lvbag import schemas
from lvbag.review import apply_decisions, list_entries, read_decided
from lvbag.review.ledger import write_decision
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.suspicions import RUN
from lvbag.tombstones import Tombstone, Tombstones, write_tombstone


def names(store: Store, settings: Settings) -> list[str]:
    return [str(entry.item.id) for entry in list_entries(store, settings, kind="suspicious_label")]


def test_the_most_suspicious_labels_are_asked_about_first(store: Store, settings: Settings) -> None:
    write_suspicions(store, [(1, 0.3, True), (2, 0.1, True), (3, 0.05, False), (4, 0.2, True)])
    entries = list_entries(store, settings, kind="suspicious_label")
    assert [str(entry.item.id) for entry in entries] == [f"suspicious_label:{sha(n)}" for n in (2, 4, 1)]
    item = entries[0].item
    assert (item.machine, item.style_code, item.night, item.uncertainty) == ("kept", "M41108", NIGHT, 0.9)
    assert item.why == "labelled M41108, while networks that have not seen it name M40156 (75%; M41108 12%)"
    assert item.numbers == {"quality": 0.1, "probability": 0.75, "own_probability": 0.125}
    assert item.picture == keys.raw_image(sha(2), "jpg")

    few, off = (
        settings.model_copy(update={"suspicions": settings.suspicions.model_copy(update=update)})
        for update in ({"questions": 2}, {"enabled": False})
    )
    assert names(store, few) == [f"suspicious_label:{sha(n)}" for n in (2, 4)]
    assert names(store, off) == []


def test_what_was_not_finished_asks_nothing(store: Store, settings: Settings) -> None:
    write_suspicions(store, [(1, 0.3, True)])
    store.delete(keys.suspicions(SNAPSHOT, RUN))
    assert names(store, settings) == []


def test_a_later_snapshot_judges_anew_and_of_one_night_the_last_run_counts(store: Store, settings: Settings) -> None:
    write_suspicions(store, [(1, 0.3, True), (2, 0.2, True)])
    later = NIGHT + dt.timedelta(days=1)
    write_suspicions(store, [(1, 0.9, False), (2, 0.1, True)], f"{later}-aaaaaaaaaaaa")
    (entry,) = list_entries(store, settings, kind="suspicious_label")
    assert (str(entry.item.id), entry.item.numbers["quality"]) == (f"suspicious_label:{sha(2)}", 0.1)


def test_decided_labels_make_room_and_what_was_taken_down_is_gone(store: Store, settings: Settings) -> None:
    one = settings.model_copy(update={"suspicions": settings.suspicions.model_copy(update={"questions": 1})})
    write_suspicions(store, [(1, 0.1, True), (2, 0.2, True), (3, 0.3, True)])
    assert names(store, one) == [f"suspicious_label:{sha(1)}"]
    write_suspicions(store, [(1, 0.1, True), (2, 0.2, True), (3, 0.3, True)], decided=[sha(1)])
    assert names(store, one) == [f"suspicious_label:{sha(2)}"]
    everything = Tombstones(images=frozenset({sha(2)}))
    write_tombstone(store, Tombstone("image", sha(2), everything, "asked to", "a test", AT))
    assert names(store, settings) == [f"suspicious_label:{sha(3)}"]


def test_the_next_snapshot_honours_what_people_said(store: Store, settings: Settings) -> None:
    write_suspicions(store, [(1, 0.1, True), (2, 0.2, True)])
    write_decision(store, decision(f"suspicious_label:{sha(1)}", "relabel", style="M40156"))
    write_decision(store, decision(f"suspicious_label:{sha(2)}", "refuse"))
    kept = pl.DataFrame([judged(number, 0.9) for number in (1, 2, 3)], schema=schemas.IMAGES)
    made = apply_decisions(kept, read_decided(store))
    assert dict(made.kept.select("sha256", "style_code").rows()) == {sha(1): "M40156", sha(3): "M41108"}
    assert made.dropped["sha256"].to_list() == [sha(2)]
