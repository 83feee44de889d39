"""The crawl's pure decisions: sharing the budget, the pace of a host, whether a page was understood."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvbag.crawl.fetching.pace import Pace, PaceRules
from lvbag.crawl.need import share_budget
from lvbag.crawl.sources import NOT_UNDERSTOOD, Listing, Results
from lvbag.crawl.understanding import Tally, parser_failure

RULES = PaceRules(
    base_s=1.0, factor=2.0, max_delay_s=30.0, breaker_failures=3, breaker_pause_s=60.0, breaker_openings=2
)


# ------------------------------------------------------------------ the budget


def test_products_that_cannot_be_learnt_yet_come_first() -> None:
    shares = share_budget({"full": 1000, "some": 500, "few": 29, "none": 0}, 60, 30, 1000)
    assert next(iter(shares)) == "none"
    assert "full" not in shares
    assert shares["none"] > shares["few"] > 0
    assert "some" not in shares, "the budget is spent before it is its turn"


def test_what_is_left_goes_to_products_below_the_target() -> None:
    shares = share_budget({"some": 500, "few": 29, "none": 0}, 5000, 30, 1000)
    assert shares["some"] >= 700
    assert shares["none"] >= shares["few"] >= shares["some"]
    assert sum(shares.values()) == 5000


def test_a_market_without_need_is_left_alone() -> None:
    assert share_budget({"a": 1000, "b": 2000}, 5000, 30, 1000) == {}


@given(
    st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.integers(0, 1200), max_size=30),
    st.integers(0, 20_000),
)
def test_a_budget_is_never_overdrawn_and_the_needier_never_get_less(images: dict[str, int], budget: int) -> None:
    shares = share_budget(images, budget, 30, 1000)
    assert sum(shares.values()) <= budget
    assert all(images[code] < 1000 and share > 0 for code, share in shares.items())
    needy = any(count < 1000 for count in images.values())
    assert sum(shares.values()) == (budget if needy else 0), "nothing lies idle while somebody needs it"
    ordered = sorted((count, -shares.get(code, 0)) for code, count in images.items() if count < 1000)
    assert all(a[1] <= b[1] + 1 for a, b in pairwise(ordered))


# ------------------------------------------------------------------ the pace


def test_a_host_that_answers_slowly_is_asked_slowly() -> None:
    assert Pace().after_answer(RULES, 0.1).delay_s == 1.0
    assert Pace().after_answer(RULES, 4.0).delay_s == 8.0
    assert Pace().after_answer(RULES, 400.0).delay_s == 30.0


def test_complaints_double_the_delay_and_good_answers_bring_it_back_in_steps() -> None:
    pace = Pace(delay_s=1.0)
    for expected in (2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        pace = pace.after_complaint(RULES)
        assert pace.delay_s == expected
    steps = []
    for _ in range(40):
        pace = pace.after_answer(RULES, 0.1)
        steps.append(pace.delay_s)
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > 20.0, "not at once"
    assert steps[-1] == 1.0


def test_the_breaker_opens_after_some_failures_pauses_longer_each_time_and_then_gives_up() -> None:
    pace = Pace(delay_s=1.0)
    pauses = []
    while not pace.is_hopeless(RULES):
        pace = pace.after_failed_fetch(RULES)
        pauses.append(pace.pause_s)
    assert pauses == [0.0, 0.0, 60.0, 120.0, 240.0]
    assert Pace(1.0, failures=2, openings=2).after_answer(RULES, 0.1) == Pace(1.0), "one good answer closes it"


# ------------------------------------------------------------------ understanding


def page(count: int, announced: int | None = None, odd: int = 0) -> Results:
    listings = tuple(Listing(str(number), f"https://shop.example/{number}", "a bag") for number in range(count))
    return Results(listings, announced=announced, dropped={NOT_UNDERSTOOD: odd} if odd else {})


@pytest.mark.parametrize(
    ("results", "before", "is_last", "why"),
    [
        (page(0, 12), 0, True, "announces 12 results and none is understood"),
        (page(0, 12), 0, False, "announces 12 results and none is understood"),
        (page(4, 12), 0, True, "12 results are announced and 4 understood"),
        (page(2, None, odd=5), 0, False, "5 of 7 results on the page are not understood"),
        (page(4, 12), 0, False, None),  # more may follow
        (page(4, 12), 8, True, None),
        (page(6, 12), 0, True, None),  # some were dropped for good reasons
        (page(0, 0), 0, True, None),
        (page(0, None), 0, True, None),
        (page(0, 12), 12, True, None),
        (page(5, None, odd=5), 0, True, None),
        (page(60, 50_000), 0, True, None),  # places cut their paging short
    ],
)
def test_a_page_that_promises_more_than_is_found_is_a_failure_of_the_parser(results, before, is_last, why) -> None:
    failure = parser_failure(results, before, is_last)
    assert failure is None if why is None else why in (failure or "")


@pytest.mark.parametrize(
    ("tally", "fails"),
    [
        (Tally(), False),
        (Tally(pages=1, pages_failed=1), True),
        (Tally(pages=10, pages_failed=5), False),
        (Tally(pages=10, pages_failed=6), True),
        (Tally(pages=3, items=2, items_not_understood=2), False),  # two odd items prove nothing
        (Tally(pages=3, items=10, items_not_understood=6), True),
    ],
)
def test_a_shard_fails_when_not_understanding_is_the_rule(tally: Tally, fails: bool) -> None:
    assert (tally.failure() is not None) is fails
