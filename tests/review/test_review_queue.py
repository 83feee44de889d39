"""The queue: what is asked, in which order, and what is not asked any more."""

from __future__ import annotations

import datetime as dt

import pytest
from review_frames import AT, NIGHT, decision, judged, sha, write_images

from curate.curate_frames import Shop, jpeg, photo
from lvbag.curate import rules
from lvbag.review import ReviewError, borders, find_entry, list_entries, parse_id
from lvbag.review.ledger import write_decision
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.tombstones import Tombstone, Tombstones, write_tombstone

LATER = dt.date(2026, 11, 24)


def names(store: Store, settings: Settings, **asked: object) -> list[str]:
    return [str(entry.item.id) for entry in list_entries(store, settings, **asked)]  # type: ignore[arg-type]


def test_the_rules_are_called_as_cleaning_calls_them() -> None:
    called = (borders.NO_BAG, borders.TOO_SMALL, borders.SEVERAL_BAGS, borders.PERSON_DOMINANT, borders.CUT_OFF)
    assert (*called, borders.TEXT_DOMINANT) == tuple(rule.name for rule in rules.RULES)


def test_pictures_near_the_working_point_are_asked_about_the_nearest_first(store: Store, settings: Settings) -> None:
    write_images(
        store,
        [
            judged(1, 0.44),
            judged(2, 0.36),
            judged(3, 0.31, "no_bag: best confidence 0.31"),
            judged(4, 0.20, "no_bag: best confidence 0.20"),
            judged(5, 0.90),
            judged(6, 0.36, "several_bags: 2 boxes"),
            judged(7, None, "duplicate_exact: seen"),
        ],
    )
    entries = list_entries(store, settings)
    assert [str(entry.item.id) for entry in entries] == [f"confidence:{sha(n)}" for n in (2, 3, 1)]
    item = entries[1].item
    assert (item.machine, item.why, item.night) == ("refused", "no_bag: best confidence 0.31", NIGHT)
    assert item.numbers == {"confidence": 0.31, "detector.confidence": 0.35}
    assert item.picture == keys.raw_image(sha(3), "jpg")
    assert item.uncertainty == pytest.approx(0.6)
    narrow = settings.model_copy(update={"review": settings.review.model_copy(update={"confidence_margin": 0.02})})
    assert names(store, narrow) == [f"confidence:{sha(2)}"]


def test_boxes_near_the_smallest_size_are_asked_about(store: Store, settings: Settings) -> None:
    write_images(
        store,
        [
            judged(1, 0.9, "bag_too_small: box covers 0.018", side=0.018**0.5),
            judged(2, 0.9, side=0.021**0.5),
            judged(3, 0.9, "bag_too_small: box covers 0.001", side=0.001**0.5),
            judged(4, 0.9, side=0.5),
        ],
    )
    assert names(store, settings) == [f"bag_size:{sha(n)}" for n in (2, 1)]


@pytest.mark.parametrize("rule", ["several_bags", "person_dominant", "cut_off", "text_dominant"])
def test_what_the_other_rules_decided_narrowly_is_asked_about(store: Store, settings: Settings, rule: str) -> None:
    write_images(
        store,
        [
            judged(1, 0.9, f"{rule}: just so", near=(rule, -0.12)),
            judged(2, 0.9, near=(rule, 0.03)),
            judged(3, 0.9, f"{rule}: clearly", near=(rule, -0.4)),
            judged(4, 0.9, near=("no_bag", 0.03)),
            judged(5, 0.9, "duplicate_crop: of another", near=(rule, 0.03)),
            judged(6, 0.9, f"{rule}: by an earlier release"),
        ],
    )
    entries = list_entries(store, settings, kind=rule)
    assert [str(entry.item.id) for entry in entries] == [f"{rule}:{sha(2)}", f"{rule}:{sha(1)}"]
    assert (entries[1].item.machine, entries[1].item.why) == ("refused", f"{rule}: just so")
    assert entries[1].item.numbers == {"rule_margin": -0.12, "review.rule_margin": 0.15}
    assert entries[1].item.uncertainty == pytest.approx(0.2)
    wide = settings.model_copy(update={"review": settings.review.model_copy(update={"rule_margin": 0.5})})
    assert len(names(store, wide, kind=rule)) == 3


def test_titles_without_a_product_are_asked_about_until_a_night_knows_the_product(
    store: Store, settings: Settings
) -> None:
    for night, style in ((NIGHT, None), (LATER, "M41108")):
        shop = Shop(store, night)
        digests = shop.listing("l/1", [jpeg(photo(1)), jpeg(photo(2))], style_code=style, title="a brown bag")
        shop.listing("l2", [], style_code="M41108")
        shop.listing("l3", [], style_code=None, listing_verdict="refused")
        shop.close()
        if night == NIGHT:
            (entry,) = list_entries(store, settings)
            assert str(entry.item.id) == "unlabelled:shop/l/1"
            assert (entry.item.title, entry.item.machine) == ("a brown bag", "refused")
            assert entry.item.why == "unlabelled: two products match"
            assert entry.item.numbers["pictures"] == 2
            assert entry.item.picture == keys.raw_image(digests[0], "jpg")
    assert names(store, settings) == []
    assert names(store, settings, night=NIGHT) == ["unlabelled:shop/l/1"]


def test_what_was_taken_down_is_not_shown(store: Store, settings: Settings) -> None:
    write_images(store, [judged(1, 0.36), judged(2, 0.36)])
    everything = Tombstones(images=frozenset({sha(1)}))
    write_tombstone(store, Tombstone("image", sha(1), everything, "asked to", "a test", AT))
    assert names(store, settings) == [f"confidence:{sha(2)}"]


def test_a_decided_item_stays_in_the_queue_with_its_decision(store: Store, settings: Settings) -> None:
    write_images(store, [judged(1, 0.36), judged(2, 0.9)])
    said = decision(f"confidence:{sha(1)}", "refuse")
    write_decision(store, said)
    (entry,) = list_entries(store, settings)
    assert (entry.decision, entry.decisions) == (said, (said,))


def test_any_curated_picture_can_be_named_by_hand(store: Store, settings: Settings) -> None:
    write_images(store, [judged(1, 0.9)])
    item = parse_id(f"picture:{sha(1)}")
    assert find_entry(store, settings, item).item.machine == "kept"
    assert names(store, settings) == []
    write_decision(store, decision(str(item), "refuse"))
    assert names(store, settings) == [str(item)]
    with pytest.raises(ReviewError, match=f"there is no item picture:{sha(2)}"):
        find_entry(store, settings, parse_id(f"picture:{sha(2)}"))


def test_a_night_or_a_kind_that_there_is_not_is_an_error(store: Store, settings: Settings) -> None:
    with pytest.raises(ReviewError, match="night 2026-11-23 was neither crawled nor curated"):
        list_entries(store, settings, night=NIGHT)
    with pytest.raises(ReviewError, match="there is no kind 'smell' of items; there are confidence, bag_size"):
        list_entries(store, settings, kind="smell")


def test_a_picture_that_two_nights_judged_is_asked_about_as_it_was_kept(store: Store, settings: Settings) -> None:
    write_images(store, [judged(1, 0.36)])
    write_images(store, [judged(1, 0.33, "no_bag: best confidence 0.33", night=LATER)], LATER)
    (entry,) = list_entries(store, settings)
    assert (entry.item.machine, entry.item.night) == ("kept", NIGHT)
