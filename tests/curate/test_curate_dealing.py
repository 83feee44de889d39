"""How groups are dealt: the bounds that `lvbag.curate.snapshots.dealing` states, whatever the groups are."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from lvbag.curate.snapshots.dealing import MIN_GROUPS, deal

SHARES = {"test": 0.15, "val": 0.10}
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=60)
NIGHTS = st.lists(st.lists(st.integers(1, 6), min_size=0, max_size=12), min_size=1, max_size=8)
MIXED = st.lists(st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 4), min_size=1, max_size=3), max_size=80)


def held(groups: dict[str, dict[str, int]], splits: dict[str, str], product: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for name, sizes in groups.items():
        counts[splits[name]] += sizes.get(product, 0)
    return counts


def room(total: int, split: str) -> int:
    return math.ceil(total * SHARES[split] - 1e-9)


@budget(max_examples=300, deadline=None)
@given(SIZES)
def test_one_products_test_set_is_as_large_as_it_should_be_but_for_one_group(sizes: list[int]) -> None:
    groups = {f"g{number}": {"A": size} for number, size in enumerate(sizes)}
    counts = held(groups, deal(groups, {}, SHARES), "A")
    total, largest = sum(sizes), max(sizes)
    assert sum(counts.values()) == total
    if len(groups) < MIN_GROUPS:
        assert counts["train"] == total
        return
    for split in SHARES:
        assert 0 < counts[split] <= max(room(total, split), largest)
    assert counts["train"] > 0
    if largest <= room(total, "test"):
        assert total * SHARES["test"] - counts["test"] < largest


@budget(max_examples=200, deadline=None)
@given(NIGHTS)
def test_the_bounds_hold_while_nights_bring_groups_and_nothing_ever_moves(nights: list[list[int]]) -> None:
    groups: dict[str, dict[str, int]] = {}
    fixed: dict[str, str] = {}
    for night, sizes in enumerate(nights):
        groups |= {f"g{night}-{number}": {"A": size} for number, size in enumerate(sizes)}
        chosen = deal(groups, fixed, SHARES)
        assert chosen.keys() == groups.keys() - fixed.keys()
        fixed |= chosen
        total = sum(size["A"] for size in groups.values())
        counts = held(groups, fixed, "A")
        largest = max((size["A"] for size in groups.values()), default=0)
        for split in SHARES:
            assert counts[split] <= max(room(total, split), largest)
        if len(groups) >= MIN_GROUPS and chosen:
            assert counts["test"] > 0
            if largest <= room(total, "test"):
                assert total * SHARES["test"] - counts["test"] < largest


@budget(max_examples=200, deadline=None)
@given(MIXED)
def test_with_groups_of_several_products_none_is_tested_that_is_not_trained(
    mixed: list[dict[str, int]],
) -> None:
    groups = {f"g{number}": sizes for number, sizes in enumerate(mixed)}
    splits = deal(groups, {}, SHARES)
    assert splits.keys() == groups.keys()
    for product in "ABCD":
        own = [sizes[product] for sizes in mixed if product in sizes]
        if not own:
            continue
        counts = held(groups, splits, product)
        assert counts["train"] > 0, "a product that is tested and never trained"
        if len(own) >= 4 * MIN_GROUPS and max(own) <= room(sum(own), "val"):
            assert counts["test"] > 0
            assert counts["val"] > 0


def test_a_market_of_private_sellers_with_several_bags_comes_close_to_the_shares() -> None:
    groups = {
        f"seller{number}": {f"M{(number * 7 + bag * 13) % 40}": 2 + (number + bag) % 4 for bag in range(1 + number % 4)}
        for number in range(2000)
    }
    splits = deal(groups, {}, SHARES)
    for product in {product for sizes in groups.values() for product in sizes}:
        counts = held(groups, splits, product)
        total = sum(counts.values())
        assert abs(counts["test"] / total - 0.15) < 0.02
        assert abs(counts["val"] / total - 0.10) < 0.02
