"""Splits: nothing straddles, nothing moves, and the order of the input does not matter."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from lvbag.curate import CurateError
from lvbag.curate.snapshots.splits import MIN_GROUPS, Home, Member, assign, check, find_shops


def member(number: int, listing: int, cluster: int, product: int = 0) -> Member:
    return Member(hashlib.sha256(b"%d" % number).hexdigest(), f"M{product:05d}", ("shop", f"l{listing}"), f"c{cluster}")


def alone(count: int, product: int = 0, start: int = 0) -> list[Member]:
    return [member(start + n, start + n, start + n, product) for n in range(count)]


MEMBERS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 40), st.integers(0, 2)), min_size=1, max_size=60).map(
    lambda rows: [member(n, listing, cluster, product) for n, (listing, cluster, product) in enumerate(rows)]
)


@budget(max_examples=150, deadline=None)
@given(MEMBERS, st.integers(0, 60), st.randoms(use_true_random=False))
def test_no_group_straddles_nothing_ever_moves_and_order_does_not_matter(
    members: list[Member], first: int, shuffle: random.Random
) -> None:
    early = assign(members[:first], [], 0.15, 0.10)
    late = assign(members, early.homes.values(), 0.15, 0.10)
    for sha256, home in early.homes.items():
        assert late.homes[sha256] == home
    for attribute in ("group", "cluster", "listing"):
        splits: dict[object, set[str]] = {}
        for home in late.homes.values():
            splits.setdefault(getattr(home, attribute), set()).add(home.split)
        assert all(len(found) == 1 for found in splits.values())
    assert late.homes.keys() | late.conflicts.keys() == {one.sha256 for one in members}
    mixed = members.copy()
    shuffle.shuffle(mixed)
    homes = list(early.homes.values())
    shuffle.shuffle(homes)
    assert assign(mixed, homes, 0.15, 0.10) == late


def test_shares_are_met_for_every_product() -> None:
    members = [one for product in range(4) for one in alone(100, product, product * 1000)]
    homes = assign(members, [], 0.15, 0.10).homes
    for product in range(4):
        counts = Counter(homes[one.sha256].split for one in members if one.style_code == f"M{product:05d}")
        assert counts == {"train": 75, "test": 15, "val": 10}


def test_shares_stay_met_while_nights_add_a_few_images_each() -> None:
    homes: dict[str, Home] = {}
    for night in range(1, 21):
        homes = assign(alone(night * 10), homes.values(), 0.15, 0.10).homes
    counts = Counter(home.split for home in homes.values())
    assert counts["test"] == pytest.approx(30, abs=2)
    assert counts["val"] == pytest.approx(20, abs=2)


@pytest.mark.parametrize("groups", range(1, 12))
def test_a_product_is_tested_as_soon_as_it_has_five_groups(groups: int) -> None:
    splits = {home.split for home in assign(alone(groups), [], 0.15, 0.10).homes.values()}
    assert ("test" in splits) == (groups >= MIN_GROUPS)
    assert "train" in splits


def test_a_product_is_tested_even_if_each_of_its_groups_is_larger_than_the_share() -> None:
    members = [
        member(100 * listing + n, listing, 100 * listing + n) for listing in range(5) for n in range(8 + listing)
    ]
    counts = Counter(home.split for home in assign(members, [], 0.15, 0.10).homes.values())
    assert counts["test"] == 8
    assert counts["train"] > counts["test"] + counts["val"]


def test_a_sellers_huge_listing_goes_to_train() -> None:
    members = [member(n, 999, n) for n in range(80)] + alone(20, start=100)
    homes = assign(members, [], 0.15, 0.10).homes
    assert homes[members[0].sha256].split == "train"
    assert Counter(home.split for home in homes.values())["test"] == pytest.approx(12, abs=2)


def test_a_new_image_follows_its_listing_and_one_that_would_tie_two_splits_is_refused() -> None:
    homes = [
        Home("a" * 64, ("shop", "l1"), "c1", "g1", "test"),
        Home("b" * 64, ("shop", "l2"), "c2", "g2", "train"),
    ]
    follower = Member("c" * 64, "M41108", ("shop", "l1"), "c9")
    tie = Member("d" * 64, "M41108", ("shop", "l1"), "c2")
    answer = assign([follower, tie], homes, 0.15, 0.10)
    assert answer.homes["c" * 64].split == "test"
    assert answer.homes["c" * 64].group == "g1"
    assert answer.conflicts == {"d" * 64: "group_conflict: listing shop/l1 is in test, cluster c2 is in train"}


def test_near_clusters_are_in_one_group_although_nothing_else_ties_them() -> None:
    members = alone(40)
    tied = [Member(one.sha256, one.style_code, one.listing, one.cluster, (members[0].sha256,)) for one in members[1:6]]
    homes = assign([members[0], *tied, *members[6:]], [], 0.15, 0.10).homes
    assert len({(homes[one.sha256].group, homes[one.sha256].split) for one in members[:6]}) == 1


def test_a_sellers_listings_are_in_one_group_and_a_shops_are_strangers() -> None:
    members = [dataclasses.replace(one, seller="s1" if n < 8 else "s2") for n, one in enumerate(alone(60)[:20])]
    members += alone(40, start=100)
    listings = ((one.seller, one.listing) for one in members if one.seller)
    shops = find_shops(listings, 8)
    assert shops == {"s2"}
    homes = assign(members, [], 0.15, 0.10, shops).homes
    assert len({(homes[one.sha256].group, homes[one.sha256].split) for one in members[:8]}) == 1
    assert len({homes[one.sha256].group for one in members[8:20]}) == 12


def test_a_seller_whose_homes_already_lie_apart_binds_nothing_and_nothing_is_refused() -> None:
    homes = [
        Home("a" * 64, ("shop", "l1"), "c1", "g1", "test", "s"),
        Home("b" * 64, ("shop", "l2"), "c2", "g2", "train", "s"),
    ]
    new = Member("c" * 64, "M41108", ("shop", "l3"), "c3", seller="s")
    answer = assign([new], homes, 0.15, 0.10)
    assert (answer.conflicts, answer.torn) == ({}, ("s",))
    assert answer.homes["c" * 64].group == "c" * 64
    follower = assign([new], homes[:1], 0.15, 0.10)
    assert (follower.homes["c" * 64].group, follower.homes["c" * 64].split) == ("g1", "test")


def test_a_firm_tie_wins_over_a_seller() -> None:
    homes = [
        Home("a" * 64, ("shop", "l1"), "c1", "g1", "test", "s"),
        Home("b" * 64, ("shop", "l2"), "c2", "g2", "train"),
    ]
    new = Member("c" * 64, "M41108", ("shop", "l3"), "c2", seller="s")
    answer = assign([new], homes, 0.15, 0.10)
    assert (answer.homes["c" * 64].split, answer.conflicts, answer.torn) == ("train", {}, ("s",))


@pytest.mark.parametrize("how", ["crop cluster", "near-duplicate"])
def test_of_two_placed_images_that_turn_out_to_be_copies_the_one_for_testing_stays(how: str) -> None:
    homes = [
        Home("a" * 64, ("shop", "l1"), "c1", "g1", "train"),
        Home("b" * 64, ("shop", "l2"), "c2", "g2", "test"),
    ]
    crops, near = ("k", ()) if how == "crop cluster" else (None, ("b" * 64,))
    members = [
        Member("a" * 64, "M41108", ("shop", "l1"), "c1", near, crops),
        Member("b" * 64, "M41108", ("shop", "l2"), "c2", (), crops),
    ]
    answer = assign(members, homes, 0.15, 0.10)
    assert answer.homes.keys() == {"b" * 64}
    assert list(answer.conflicts) == ["a" * 64]
    assert answer.conflicts["a" * 64].startswith("late_conflict: ")
    assert "is in test" in answer.conflicts["a" * 64]


def test_a_placed_image_that_is_now_told_to_belong_elsewhere_leaves_and_keeps_its_place() -> None:
    homes = [
        Home("a" * 64, ("shop", "l1"), "c1", "g1", "test"),
        Home("b" * 64, ("shop", "l2"), "c2", "g2", "train"),
    ]
    answer = assign([Member("a" * 64, "M41108", ("shop", "l2"), "c2")], homes, 0.15, 0.10)
    assert answer.homes == {}
    assert answer.conflicts["a" * 64].startswith("late_conflict: listing shop/l2 is in train")


def test_what_stands_behind_a_better_copy_ties_but_does_not_count() -> None:
    members = alone(20)
    spare = [dataclasses.replace(one, spare=True) for one in alone(20, start=100)]
    spare[0] = dataclasses.replace(spare[0], listing=members[1].listing, cluster=members[0].cluster)
    homes = assign([*members, *spare], [], 0.15, 0.10).homes
    assert homes[members[0].sha256].group == homes[members[1].sha256].group
    counts = Counter(homes[one.sha256].split for one in members)
    assert (counts["test"], counts["val"]) == (3, 2)


def test_what_stands_behind_a_better_copy_keeps_no_other_from_its_place() -> None:
    homes = [
        Home("a" * 64, ("shop", "l1"), "c1", "g1", "test"),
        Home("b" * 64, ("shop", "l2"), "c2", "g2", "train"),
    ]
    spare = Member("c" * 64, "M41108", ("shop", "l3"), "c1", spare=True)
    best = Member("d" * 64, "M41108", ("shop", "l3"), "c2")
    answer = assign([spare, best], homes, 0.15, 0.10)
    assert answer.homes["d" * 64].split == "train"
    assert list(answer.conflicts) == ["c" * 64]


def test_an_image_that_left_and_comes_back_finds_its_old_place() -> None:
    members = alone(40)
    first = assign(members, [], 0.15, 0.10)
    fewer = assign(members[:20], first.homes.values(), 0.15, 0.10)
    remembered = first.homes | fewer.homes
    assert assign(members, remembered.values(), 0.15, 0.10).homes == first.homes


@pytest.mark.parametrize("shared", ["group", "cluster", "listing"])
def test_the_check_names_what_straddles(shared: str) -> None:
    one = Home("a" * 64, ("shop", "l1"), "c1", "g1", "test")
    changes = {"group": "g1"} if shared == "group" else {"cluster": "c1"} if shared == "cluster" else {}
    listing = ("shop", "l1") if shared == "listing" else ("shop", "l2")
    other = Home("b" * 64, listing, changes.get("cluster", "c2"), changes.get("group", "g2"), "train")
    with pytest.raises(CurateError, match=f"{shared} .* straddles splits"):
        check([one, other])
