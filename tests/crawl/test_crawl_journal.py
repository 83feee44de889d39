"""What a killed shard has done is found again by its next try."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256

import pytest

from lvbag.crawl.journal import LISTING, PICTURE, RESULTS, Journal, Upload, open_journal
from lvbag.store import Bucket, Ref, Store, StoreUnavailable, keys

NIGHT = dt.date(2026, 11, 23)


def opened(store: Store) -> Journal:
    return open_journal(store, NIGHT, "shop", "shop.000")


def segments(store: Store) -> list[str]:
    return [item.ref.key for item in store.list_objects(Bucket.RAW, keys.journal_prefix(NIGHT, "shop", "shop.000"))]


def test_the_next_try_finds_every_entry_with_its_picture_stored(store: Store) -> None:
    picture = Ref(Bucket.RAW, f"images/aa/{'a' * 64}.jpg")
    with opened(store) as journal:
        journal.note(RESULTS, "/search", {"links": ["/a"]}, 2)
        journal.note(
            PICTURE,
            "/a.jpg",
            {"verdict": "kept"},
            3,
            Upload(picture, b"bytes", "image/jpeg", sha256(b"bytes").hexdigest()),
        )
        journal.settle()
        assert store.get(picture) == b"bytes"
    with opened(store) as journal:
        assert journal.requests_before == 3
        assert journal.meet(RESULTS, "/search") == ({"links": ["/a"]}, False)
        assert journal.meet(PICTURE, "/a.jpg") == ({"verdict": "kept"}, False)
        assert journal.meet(PICTURE, "/a.jpg") == ({"verdict": "kept"}, True), "met a second time"
        assert journal.meet(LISTING, "/b") == (None, False)


def test_tries_add_up_and_what_only_an_earlier_one_met_is_told(store: Store) -> None:
    with opened(store) as journal:
        journal.note(LISTING, "/gone", {"title": "gone"}, 5)
    with opened(store) as journal:
        journal.note(LISTING, "/new", {"title": "new"}, 4)
    with opened(store) as journal:
        assert journal.requests_before == 9
        assert journal.meet(LISTING, "/new")[0] == {"title": "new"}
        assert list(journal.unmet(LISTING)) == [{"title": "gone"}]
        journal.discard()
    assert segments(store) == []


def test_many_entries_stand_in_few_segments(store: Store) -> None:
    with opened(store) as journal:
        for number in range(450):
            journal.note(PICTURE, f"/{number}.jpg", {"number": number}, number)
    assert 4 <= len(segments(store)) <= 6
    with opened(store) as journal:
        assert [journal.meet(PICTURE, f"/{number}.jpg")[0] for number in range(450)] == [
            {"number": number} for number in range(450)
        ]


def test_rows_keep_their_order_and_stay_on_this_machine(store: Store) -> None:
    with opened(store) as journal:
        for number in (3, 1, 2):
            journal.add_row("fetch", {"number": number})
        journal.add_row("listing", {"number": 9})
        assert [row["number"] for row in journal.rows("fetch")] == [3, 1, 2]
    assert segments(store) == []


def test_a_store_that_fails_fails_the_shard_and_nothing_is_believed_that_was_not_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise StoreUnavailable("the store is away")

    with opened(store) as journal:
        monkeypatch.setattr(store, "put", fail)
        journal.note(
            PICTURE, "/a.jpg", {}, 1, Upload(Ref(Bucket.RAW, "images/x"), b"x", "image/jpeg", sha256(b"x").hexdigest())
        )
        with pytest.raises(StoreUnavailable, match="away"):
            journal.settle()
        with pytest.raises(StoreUnavailable, match="away"):
            journal.note(PICTURE, "/b.jpg", {}, 2)
    monkeypatch.undo()
    with opened(store) as journal:
        assert journal.meet(PICTURE, "/a.jpg") == (None, False)
