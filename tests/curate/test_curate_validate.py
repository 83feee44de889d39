"""A night's validation with the real Great Expectations and a real store: what is refused, set aside, written."""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import Any

import pytest
from validate_frames import (
    NIGHT,
    digests,
    fetch,
    listing,
    picture,
    put_history,
    put_night,
    sha,
    usual,
    validated,
    with_bounds,
)

from lvbag import schemas
from lvbag.curate import CurateError, validate_night
from lvbag.curate.validation.statistics import read_statistics
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table


def test_rows_that_fail_are_refused_with_the_value_seen_and_the_rest_is_kept(store: Store, settings: Settings) -> None:
    pictures = [picture(number) for number in range(18)]
    pictures[1] |= {"width": 90, "height": 200}
    pictures[2] |= {"width": 2000, "height": 400}
    pictures[3] |= {"contrast": 0.001}
    pictures[4] |= {"entropy": 0.1}
    pictures[5] |= {"style_code": "M99999"}
    pictures[14] |= {"verdict": "refused", "reason": "near_duplicate: 3 bits", "contrast": 0.0}
    pictures[15] |= {"verdict": "refused", "reason": "truncated", "width": None, "height": None, "contrast": None}
    listings = [listing(number) for number in range(18)]
    listings[6] |= {"price": -1.0}
    listings[7] |= {"currency": "€"}
    listings[8] |= {"url": "javascript:alert(1)"}
    listings[9] |= {"title": None}
    listings += [listing(10, shard="001"), listing(11, shard="001", style_code="M41109")]
    fetches = [fetch(number) for number in range(18)]
    fetches[12] |= {"http_status": 206}
    fetches[13] |= {"http_status": 206, "sha256": sha("other bytes of the same place"), "shard": "001"}
    fetches += [fetch(13)]
    fetches[16] |= {"fetched_at": dt.datetime(1970, 1, 1, tzinfo=dt.UTC)}
    put_night(store, pictures, listings, fetches)

    result = validate_night(store, settings, NIGHT)

    found = validated(store)
    expected = {
        1: "expectation: image_side: 90",
        2: "expectation: image_aspect: 5",
        3: "expectation: image_contrast: 0.001",
        4: "expectation: image_entropy: 0.1",
        5: "expectation: image_product: M99999",
        6: "expectation: listing_price: -1",
        7: "expectation: listing_currency: €",
        8: "expectation: listing_url: javascript:alert(1)",
        9: "expectation: listing_title: null",
        11: "expectation: one_listing_one_product: 2",
        12: "expectation: fetch_status: 206",
        14: "near_duplicate: 3 bits",
        15: "truncated",
    }
    assert {n: found[sha(n)][1] for n in range(18) if found[sha(n)][0] == "refused"} == expected
    assert all(found[sha(n)] == ("kept", None) for n in (0, 10, 13, 16, 17))
    assert (result.rows, result.kept, result.quarantined) == (18, 5, {})
    assert result.refused["expectation: image_side"] == 1 and sum(result.refused.values()) == 13
    assert "fetch_time: 1 of 19 rows" in result.notes
    assert not list(store.list_objects(Bucket.CURATED, keys.quarantine_prefix(NIGHT)))


def broken_and_sound() -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Two sources of 40 pictures, one of which serves the same placeholder for all but three."""
    pictures, listings, fetches = [], [], []
    for source in ("broken", "sound"):
        for number in range(40):
            name = f"{source}{number}"
            bytes_of = "placeholder" if source == "broken" and number >= 3 else name
            if bytes_of == name or number == 3:
                pictures.append(picture(bytes_of, source=source, listing_id=f"l{name}"))
            listings.append(listing(name, source=source))
            fetches.append(fetch(name, source=source, sha256=sha(bytes_of)))
    return pictures, listings, fetches


def test_a_broken_source_is_set_aside_whole_and_the_others_go_on(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    pictures, listings, fetches = broken_and_sound()
    put_night(store, pictures, listings, fetches)

    with caplog.at_level(logging.ERROR, "lvbag.curate.validation.validate"):
        result = validate_night(store, settings, NIGHT)

    why = "same_picture: 0.925"
    assert result.quarantined == {"broken": why}
    assert result.refused == {"quarantined": 4} and result.kept == 40
    found = validated(store)
    assert found[sha("placeholder")] == ("refused", f"quarantined: {why}")
    assert found[sha("sound0")] == ("kept", None)
    for name, schema, rows in (
        ("near", schemas.STAGE_NEAR, 4),
        ("listings", schemas.LISTINGS, 40),
        ("fetches", schemas.FETCHES, 40),
    ):
        kept_whole = read_table(store, keys.quarantine(NIGHT, "broken", name), schema)
        assert kept_whole.height == rows and set(kept_whole["source"]) == {"broken"}
    assert set(read_table(store, keys.quarantine(NIGHT, "broken", "near"), schemas.STAGE_NEAR)["verdict"]) == {"kept"}
    assert len(list(store.list_objects(Bucket.CURATED, keys.quarantine_prefix(NIGHT)))) == 3
    statistics = read_statistics(store, NIGHT)
    assert {name: one.quarantined for name, one in statistics.sources.items()} == {"broken": why, "sound": None}
    index = store.get(keys.data_doc(NIGHT, "index.html")).decode()
    assert "Set aside: broken." in index and f"set aside: {why}" in index and ">sound</span>" in index
    assert "source=broken" in caplog.text and "curate.normal_since" in caplog.text

    first = digests(store)
    assert validate_night(store, settings, NIGHT) == result
    assert digests(store) == first

    released = validate_night(store, with_bounds(settings, max_same_share=0.95), NIGHT)
    assert released.quarantined == {} and released.kept == 44
    assert not list(store.list_objects(Bucket.CURATED, keys.quarantine_prefix(NIGHT)))
    assert read_statistics(store, NIGHT).sources["broken"].quarantined is None


def test_where_every_source_is_broken_every_source_is_set_aside(store: Store, settings: Settings) -> None:
    twice = picture(0, source="a"), picture(0, source="b", listing_id="other")
    put_night(store, [*twice, picture(1, source="b")], [listing(0, source="a"), listing(1, source="b")])
    result = validate_night(store, settings, NIGHT)
    assert result.quarantined == dict.fromkeys(("a", "b"), f"image_once: {sha(0)}")
    assert result.kept == 0 and result.refused == {"quarantined": 3}


def test_a_twin_of_a_picture_that_is_set_aside_waits_for_a_later_night(store: Store, settings: Settings) -> None:
    pictures, listings, fetches = broken_and_sound()
    refused = {"source": "sound", "verdict": "refused"}
    pictures += [
        picture("broken0", **refused, listing_id="lsound0", position=1, cluster=None, representative=None)
        | {"reason": "duplicate_exact: first seen in broken/lbroken0"},
        picture("near", **refused, representative=sha("broken1"), reason="duplicate_near: of broken1 at 2/8/1.0"),
        picture("own", **refused, representative=sha("sound1"), reason="duplicate_near: of sound1 at 2/8/1.0"),
        picture("torn", **refused, representative=None, cluster=None, reason="truncated"),
    ]
    put_night(store, pictures, listings, fetches)

    validate_night(store, settings, NIGHT)

    table = read_table(store, keys.stage(NIGHT, "validate"), schemas.STAGE_VALIDATE)
    reasons = {(row["source"], row["sha256"]): row["reason"] for row in table.iter_rows(named=True)}
    twin = "quarantined: with its twin, duplicate_"
    assert reasons["sound", sha("broken0")] == f"{twin}exact: first seen in broken/lbroken0"
    assert reasons["sound", sha("near")].startswith(f"{twin}near")
    assert reasons["sound", sha("own")] == "duplicate_near: of sound1 at 2/8/1.0"
    assert reasons["sound", sha("torn")] == "truncated"


def test_too_many_failing_rows_set_a_source_aside_but_never_a_handful(store: Store, settings: Settings) -> None:
    pictures = [picture(number, contrast=0.0 if number < 20 else 0.2) for number in range(30)]
    pictures += [picture(f"few{number}", source="few", contrast=0.0) for number in range(3)]
    pictures.append(picture(99, verdict="refused", reason="truncated"))
    listings = [listing(number) for number in range(30)] + [listing(f"few{n}", source="few") for n in range(3)]
    put_night(store, pictures, listings)

    result = validate_night(store, settings, NIGHT)

    why = "rows_refused: 20 of 30 pictures fail, curate.max_refused_share is 0.5"
    assert result.quarantined == {"shop": why}
    assert result.refused == {"expectation: image_contrast": 3, "quarantined": 30, "truncated": 1}
    assert validated(store)[sha(99)] == ("refused", "truncated")

    released = validate_night(store, with_bounds(settings, max_refused_share=0.7), NIGHT)
    assert (released.quarantined, released.kept) == ({}, 10)


def test_a_source_is_held_against_its_own_trailing_nights_alone(store: Store, settings: Settings) -> None:
    put_history(store, 6, shop=usual(), other=usual(missing_prices=195))
    rows = [(source, f"{source}{number}") for source in ("shop", "other") for number in range(60)]
    put_night(
        store,
        [picture(name, source=source) for source, name in rows[:1]],
        [listing(name, source=source, price=None, currency=None, style_code="M0") for source, name in rows],
        [fetch(name, source=source, verdict="unchanged") for source, name in rows],
    )

    result = validate_night(store, settings, NIGHT)

    assert list(result.quarantined) == ["shop"]
    assert result.quarantined["shop"].startswith("prices_missing: 0.7")
    assert {"volume_pictures: shop: 0.1", "volume_pictures: other: 0.1"} <= set(result.notes)
    index = store.get(keys.data_doc(NIGHT, "index.html")).decode()
    assert '100% <span class="soft">(usually 98%)</span>' in index

    # the same night, once somebody says that this is how the shop is now
    released = validate_night(store, with_bounds(settings, normal_since=NIGHT), NIGHT)
    assert released.quarantined == {} and released.notes == ()


def test_a_source_that_is_missed_is_noted_and_needs_no_row_tonight(store: Store, settings: Settings) -> None:
    put_history(store, 3, gone=usual(), shop=usual())
    put_history(store, 5, before=NIGHT - dt.timedelta(days=3), shop=usual(), rare=usual())
    put_history(store, 1, gone=usual(), shop=usual(), once=usual())
    put_history(store, 2, before=NIGHT - dt.timedelta(days=8), gone=usual(), rare=usual(), shop=usual())
    put_night(store, [picture(0)], [listing(0)])

    result = validate_night(store, settings, NIGHT)

    assert "source_present: rare: 0" in result.notes  # in seven of ten nights
    assert not any("gone" in note or "once" in note for note in result.notes)  # in five of ten, in one
    assert (result.quarantined, result.kept) == ({}, 1)
    assert list(read_statistics(store, NIGHT).sources) == ["shop"]


def test_an_old_night_that_runs_again_sees_only_what_came_before_it(store: Store, settings: Settings) -> None:
    put_history(store, 5, shop=usual())
    put_night(store, [picture(0)], [listing(number) for number in range(50)])
    result = validate_night(store, settings, NIGHT)
    first = digests(store)

    put_history(store, 5, before=NIGHT + dt.timedelta(days=6), shop=usual(missing_prices=0, pictures=9, listings=50))
    later = digests(store)

    assert validate_night(store, settings, NIGHT) == result
    assert digests(store) == later and later.items() >= first.items()


def test_a_night_of_which_nothing_is_new_is_judged_by_what_it_found(store: Store, settings: Settings) -> None:
    put_history(store, 5, shop=usual())
    names = range(150)
    put_night(
        store, [], [listing(n, style_code=f"M{n % 2}") for n in names], [fetch(n, verdict="unchanged") for n in names]
    )
    result = validate_night(store, settings, NIGHT)
    assert (result.rows, result.quarantined) == (0, {})
    assert result.data_docs == store.uri(keys.data_doc(NIGHT, "index.html"))
    assert read_statistics(store, NIGHT).sources["shop"].pictures == 150


def test_a_night_that_found_nothing_passes_without_data_docs(store: Store, settings: Settings) -> None:
    put_night(store, [], [])
    store.put(keys.data_doc(NIGHT, "index.html"), b"from an earlier run")
    result = validate_night(store, settings, NIGHT)
    assert (result.rows, result.kept, result.quarantined, result.data_docs) == (0, 0, {}, "")
    written = [keys.stage(NIGHT, "near"), keys.stage(NIGHT, "validate"), keys.statistics(NIGHT)]
    assert sorted(digests(store)) == sorted(str(ref) for ref in written)


def test_statistics_that_are_none_stop_the_night_and_say_what_to_do(store: Store, settings: Settings) -> None:
    before = NIGHT - dt.timedelta(days=1)
    put_night(store, [picture(0)], [listing(0)])
    for data in (b"\x00torn", b"[]", json.dumps({"version": 9, "night": str(before), "sources": {}}).encode()):
        store.put(keys.statistics(before), data)
        with pytest.raises(CurateError, match=rf"night={before}\.json holds no statistics.*--night {before}.*delete"):
            validate_night(store, settings, NIGHT)
    assert not store.exists(keys.stage(NIGHT, "validate"))
    store.put(keys.statistics(NIGHT + dt.timedelta(days=1)), b"a later night's do not matter")
    assert validate_night(store, with_bounds(settings, trailing_nights=0), NIGHT).kept == 1


def test_a_night_without_its_table_is_an_error_that_names_the_step_to_run(store: Store, settings: Settings) -> None:
    with pytest.raises(CurateError, match=r"near.parquet does not exist; run `near`"):
        validate_night(store, settings, NIGHT)
