"""The bootstrap of listings, against the same thing drawn listing by listing and against what it must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from lvbag.registry.bootstrap import cells_of, cluster_bootstrap

quick = run_settings(deadline=None, max_examples=40)
listings = st.lists(
    st.integers(1, 6).flatmap(lambda images: st.tuples(st.just(images), st.integers(-images, images))),
    min_size=1,
    max_size=40,
)


def test_it_is_what_drawing_listing_by_listing_gives() -> None:
    random = np.random.default_rng(3)
    images = random.integers(1, 7, 120)
    gains = np.array([random.integers(-1, 2 if n < 4 else 3) for n in images])
    drawn = cluster_bootstrap(cells_of(zip(images.tolist(), gains.tolist(), strict=True)))
    chosen = random.integers(0, 120, (10_000, 120))
    by_hand = gains[chosen].sum(axis=1) / images[chosen].sum(axis=1)
    assert drawn.listings == 120
    assert drawn.low == pytest.approx(np.quantile(by_hand, 0.025), abs=0.005)
    assert drawn.high == pytest.approx(np.quantile(by_hand, 0.975), abs=0.005)
    assert drawn.p == pytest.approx((by_hand <= 0).mean(), abs=0.01)


def test_photos_that_go_together_say_less_than_as_many_alone() -> None:
    alone = cluster_bootstrap(cells_of([(1, 1)] * 30 + [(1, -1)] * 18 + [(1, 0)] * 152))
    together = cluster_bootstrap(cells_of([(6, 6)] * 5 + [(6, -6)] * 3 + [(6, 0)] * 25 + [(2, 0)]))
    assert alone.p < 0.06
    assert together.p > 0.2
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_between_equal_models_it_errs_as_often_as_it_says() -> None:
    random = np.random.default_rng(8)
    tripped = 0
    for _ in range(400):
        images = random.integers(1, 9, 60)
        # the photos of a listing go together: all of them are won, lost or neither
        gains = images * random.choice([-1, 0, 1], 60, p=[0.1, 0.8, 0.1])
        tripped += cluster_bootstrap(cells_of(zip(images.tolist(), gains.tolist(), strict=True)), 400).p <= 0.05
    assert 0.02 < tripped / 400 < 0.08


def test_there_must_be_something_to_draw_from() -> None:
    with pytest.raises(ValueError, match="no listing"):
        cluster_bootstrap(())


@quick
@given(listings, st.randoms())
def test_order_does_not_matter_and_the_other_way_round_mirrors_the_interval(
    given_listings: list[tuple[int, int]], random: object
) -> None:
    shuffled = sorted(given_listings, key=lambda _: random.random())  # type: ignore[attr-defined]
    drawn = cluster_bootstrap(cells_of(given_listings), 2000)
    assert drawn == cluster_bootstrap(cells_of(shuffled), 2000)
    turned = cluster_bootstrap(cells_of((images, -gain) for images, gain in given_listings), 2000)
    assert drawn.p + turned.p >= 1.0 - 0.07, "ties count against both; the two are drawn apart"
    assert drawn.low <= drawn.high
    assert -1.0 <= drawn.low <= drawn.high <= 1.0


@quick
@given(listings)
def test_a_gain_in_every_listing_moves_every_figure_the_right_way(given_listings: list[tuple[int, int]]) -> None:
    better = [(images, gain + 1) for images, gain in given_listings]  # the same draws: as many cells, as frequent
    before, after = (cluster_bootstrap(cells_of(some), 2000) for some in (given_listings, better))
    assert after.p <= before.p
    assert after.low > before.low
    assert after.high > before.high
