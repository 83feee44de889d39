"""A source against its trailing nights: quiet while nothing changes, loud when something breaks, silent while young."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from validate_frames import usual

from lvbag.curate.validation.drift import FLOORS, Drift, compare, mix_shift, robust_distance
from lvbag.curate.validation.statistics import MEASURES, Measure, SourceStatistics
from lvbag.settings import CurateSettings

BOUNDS = CurateSettings()
THREE = (0.5, 0.3, 0.2)


def set_aside(drift: Drift) -> bool:
    """Whether a bound is exceeded for which a source is set aside."""
    return (
        (drift.price_loss or 0) > BOUNDS.max_price_loss
        or max(drift.product_shift or 0, drift.class_shift or 0) > BOUNDS.max_mix_shift
        or (drift.same_rise or 0) > BOUNDS.max_same_rise
        or (drift.jumps or 0) > BOUNDS.max_jumps
    )


def noted(drift: Drift) -> bool:
    """Whether a bound is exceeded that is noted."""
    ratios = [ratio for ratio in (drift.listings_ratio, drift.pictures_ratio) if ratio is not None]
    return (
        (drift.price_loss or 0) > BOUNDS.note_price_loss
        or max(drift.product_shift or 0, drift.class_shift or 0) > BOUNDS.note_mix_shift
        or any(value > BOUNDS.note_drift for value in drift.measures.values())
        or any(not BOUNDS.min_volume <= ratio <= BOUNDS.max_volume for ratio in ratios)
    )


# ------------------------------------------------------------------ nothing changed


@pytest.mark.parametrize("listings", [30, 45, 120])
@pytest.mark.parametrize("products", [3, 25])
@pytest.mark.parametrize("nights", [5, 14])
def test_a_source_that_stays_as_it_is_raises_no_false_alarm(listings: int, products: int, nights: int) -> None:
    rng = np.random.default_rng(listings * products * nights)
    drifts = []
    for _ in range(150):
        mix = rng.dirichlet(np.ones(products))
        *before, tonight = [usual(rng, listings, mix) for _ in range(nights + 1)]
        drifts.append(compare(tonight, before, BOUNDS))
    assert sum(map(set_aside, drifts)) == 0
    assert sum(map(noted, drifts)) <= 1  # of 150


def test_a_source_whose_products_change_every_night_is_not_set_aside_for_it() -> None:
    rng = np.random.default_rng(7)
    for _ in range(100):
        nights = []
        for _ in range(7):
            chosen = rng.choice(200, 8, replace=False)  # those that the plan asked for
            counts = dict(Counter(f"M{number}" for number in rng.choice(chosen, 150)))
            nights.append(usual(rng, 150, products=THREE, classes=counts).model_copy(update={"products": counts}))
        drift = compare(nights[-1], nights[:-1], BOUNDS)
        assert not set_aside(drift)


@given(
    st.lists(st.integers(0, 60), min_size=3, max_size=8).filter(lambda counts: sum(counts) >= 30),
    st.integers(3, 10),
    st.integers(1, 20),
)
def test_the_same_mix_in_any_size_is_no_shift(counts: list[int], nights: int, times: int) -> None:
    mix = {f"M{number}": count for number, count in enumerate(counts) if count}
    tonight = {name: count * times for name, count in mix.items()}
    assert mix_shift(tonight, [mix] * nights) == 0.0


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=14), st.floats(-5, 5), st.floats(0, 2), st.floats(0.01, 1))
def test_a_distance_is_symmetric_bounded_by_its_floor_and_falls_with_the_error(
    usual_values: list[float], value: float, error: float, floor: float
) -> None:
    distance = robust_distance(value, error, usual_values, floor)
    mirrored = robust_distance(-value, error, [-one for one in usual_values], floor)
    assert math.isclose(distance, mirrored, rel_tol=1e-9)
    assert 0 <= distance <= 10 / floor
    assert robust_distance(value, error + 1.0, usual_values, floor) <= distance


# ------------------------------------------------------------------ something broke


def history(nights: int = 6, listings: int = 100, seed: int = 1) -> list[SourceStatistics]:
    rng = np.random.default_rng(seed)
    return [usual(rng, listings) for _ in range(nights)]


@given(st.integers(0, 2**32 - 1), st.integers(30, 400))
def test_a_tenth_of_the_volume_is_always_noted(seed: int, listings: int) -> None:
    rng = np.random.default_rng(seed)
    before = [usual(rng, listings) for _ in range(5)]
    tonight = usual(rng).model_copy(update={"listings": listings // 10, "pictures": 3 * listings // 10})
    drift = compare(tonight, before, BOUNDS)
    assert drift.listings_ratio is not None and drift.listings_ratio < BOUNDS.min_volume
    assert drift.pictures_ratio is not None and drift.pictures_ratio < BOUNDS.min_volume


@given(st.integers(0, 2**32 - 1), st.integers(30, 400), st.integers(5, 14))
def test_prices_that_are_no_longer_read_set_the_source_aside(seed: int, listings: int, nights: int) -> None:
    rng = np.random.default_rng(seed)
    before = [usual(rng, listings) for _ in range(nights)]
    lost = compare(usual(rng, listings, missing_prices=round(0.93 * listings)), before, BOUNDS).price_loss
    assert lost is not None and lost > BOUNDS.max_price_loss


@given(st.integers(0, 2**32 - 1), st.integers(60, 400))
def test_a_swapped_mix_of_products_sets_the_source_aside(seed: int, listings: int) -> None:
    rng = np.random.default_rng(seed)
    before = [usual(rng, listings, (0.6, 0.3, 0.1)) for _ in range(5)]
    swapped = {"M9": listings // 2, "M8": listings - listings // 2}
    drift = compare(usual(rng, listings, products=THREE).model_copy(update={"products": swapped}), before, BOUNDS)
    assert drift.product_shift is not None and drift.product_shift > BOUNDS.max_mix_shift
    assert drift.class_shift is not None and drift.class_shift < BOUNDS.max_mix_shift


def test_a_night_of_another_kind_of_picture_sets_the_source_aside_and_one_other_measure_does_not() -> None:
    def changed(**values: float) -> Drift:
        measures = {name: Measure(mean=values.get(name, 0.5), sd=0.01 if values else 0.2) for name in MEASURES}
        return compare(usual(measures=measures), history(), BOUNDS)

    assert changed().jumps == 0
    larger = changed(side=1.3)
    assert larger.jumps == 1 and larger.measures["side"] > BOUNDS.max_drift
    placeholder = changed(brightness=0.95, contrast=0.05, entropy=-4.0, blur=-2.0)
    assert placeholder.jumps == 4 and set_aside(placeholder)


def test_one_picture_everywhere_sets_the_source_aside() -> None:
    tonight = usual(listings=100, same_picture=90)
    drift = compare(tonight, history(), BOUNDS)
    assert drift.same_rise is not None and drift.same_rise > BOUNDS.max_same_rise


# ------------------------------------------------------------------ too little to judge by


def broken(listings: int = 100) -> SourceStatistics:
    measures = {name: Measure(mean=9.0, sd=0.1) for name in MEASURES}
    return usual(listings=listings, missing_prices=listings, same_picture=listings, measures=measures).model_copy(
        update={"products": {"X": listings}, "classes": {"X": listings}}
    )


def figures(drift: Drift) -> Sequence[float | None]:
    shares = (drift.price_loss, drift.same_rise, drift.product_shift, drift.class_shift)
    return (drift.listings_ratio, drift.pictures_ratio, drift.jumps, *shares)


def test_a_young_source_is_not_judged_until_there_are_enough_sound_nights() -> None:
    assert all(value is not None for value in figures(compare(broken(), history(5), BOUNDS)))
    assert set_aside(compare(broken(), history(5), BOUNDS))
    for before in (
        [],
        history(4),
        [*history(4), *(usual(quarantined="same_picture: 0.9") for _ in range(9))],
        [*history(4), *(SourceStatistics() for _ in range(9))],  # nights on which it gave nothing
    ):
        drift = compare(broken(), before, BOUNDS)
        assert set(figures(drift)) == {None} and not drift.measures
        assert drift.nights == min(4, len(before))


def test_few_rows_are_not_judged_tonight_and_do_not_count_as_usual() -> None:
    few_tonight = compare(broken(29), history(), BOUNDS)
    assert figures(few_tonight)[2:] == (None, None, None, None, None)
    few_before = compare(broken(), [*history(4), *history(9, listings=9)], BOUNDS)
    assert set(figures(few_before)) == {None}


def test_nights_that_were_set_aside_do_not_become_usual() -> None:
    set_aside_since = [broken().model_copy(update={"quarantined": "prices_missing: 0.9"}) for _ in range(9)]
    drift = compare(broken(), [*history(5), *set_aside_since], BOUNDS)
    assert drift.nights == 5 and set_aside(drift)


def test_a_source_that_gives_nothing_tonight_has_no_ratio() -> None:
    drift = compare(SourceStatistics(), history(), BOUNDS)
    assert set(figures(drift)) == {None} and drift.usual_listings == 100


def test_measures_by_an_older_method_are_not_compared_with() -> None:
    drift = compare(broken().model_copy(update={"method": "2"}), history(), BOUNDS)
    assert not drift.measures and drift.jumps is None and drift.price_loss is not None


def test_a_measure_that_older_nights_lack_is_left_out_and_the_others_are_judged() -> None:
    before = [
        one.model_copy(update={"measures": {name: m for name, m in one.measures.items() if name != "chroma"}})
        for one in history()
    ]
    drift = compare(usual(), before, BOUNDS)
    assert set(drift.measures) == set(FLOORS) - {"chroma"} and drift.jumps == 0
