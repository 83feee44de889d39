"""Is a source tonight as it usually is? Pure arithmetic on the statistics of tonight and of the trailing nights.

Every figure is None where there is too little to judge by: fewer rows tonight than `curate.min_batch_rows`, or fewer
sound trailing nights with that many rows than `curate.min_trailing_nights`. Whatever small numbers do by chance alone
is taken off before a figure is compared with its bound, so that a small night does not fail where a large one passes:

- a share (prices missing, one picture everywhere): Hoeffding's bound, sqrt(ln(1/p) / 2n)
- a mix of products: the total variation distance of two samples of one source, of sizes n and m, is at most
  1/2 sum sqrt(q(1-q) v) on average with v = 1/n + 1/m, and exceeds that by sqrt(ln(1/p) v / 2) with probability p
  (McDiarmid); what the trailing nights themselves differ from one another is custom, and taken off as well
- a mean: its standard error stands beside the spread of the trailing nights (MAD) and a floor in the denominator
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from lvbag.curate.validation.statistics import MEASURES, SourceStatistics
from lvbag.validation_settings import ValidationSettings

CHANCE = 1e-4
"""How often chance alone may exceed what is taken off for it."""

FLOORS = {
    "brightness": 0.02,
    "contrast": 0.015,
    "blur": 0.15,
    "entropy": 0.2,
    "white_share": 0.05,
    "chroma": 0.15,
    "aspect": 0.05,
    "side": 0.1,
}
"""No source is steadier from night to night than this, on the scale of `MEASURES`, however alike a few nights were."""

_MAD_TO_SD = 1.4826
"""Of a normal distribution."""


@dataclass(frozen=True)
class Drift:
    """How a source differs from its trailing nights; None: not judged.

    `listings_ratio`, `pictures_ratio`: tonight's number over the usual one. `price_loss`, `same_rise`: rise of a share
    beyond chance. `product_shift`, `class_shift`: share that changed beyond chance and custom. `measures`: distances in
    usual spreads; `jumps`: how many of them exceed `curate.max_drift`. `usual_*`: the trailing median, for people.
    """

    nights: int = 0  # sound ones that it was compared with
    usual_listings: float | None = None
    usual_pictures: float | None = None
    usual_price_loss: float | None = None
    listings_ratio: float | None = None
    pictures_ratio: float | None = None
    price_loss: float | None = None
    same_rise: float | None = None
    product_shift: float | None = None
    class_shift: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    jumps: int | None = None


def compare(tonight: SourceStatistics, trailing: Sequence[SourceStatistics], settings: ValidationSettings) -> Drift:
    """Hold a source against its own earlier nights, of which those that were set aside do not count."""
    sound = [night for night in trailing if night.quarantined is None and night.found]
    judge = _Judge(tonight, sound, settings)
    usual_listings = judge.usual(lambda night: night.listings)
    usual_pictures = judge.usual(lambda night: night.pictures)
    measures = {name: value for name in MEASURES if (value := judge.drift_of(name)) is not None}
    return Drift(
        nights=len(sound),
        usual_listings=usual_listings,
        usual_pictures=usual_pictures,
        usual_price_loss=judge.usual(lambda night: night.missing_prices / night.listings if night.listings else 0.0),
        listings_ratio=judge.ratio(tonight.listings, usual_listings),
        pictures_ratio=judge.ratio(tonight.pictures, usual_pictures),
        price_loss=judge.rise(lambda night: (night.missing_prices, night.listings)),
        same_rise=judge.rise(lambda night: (night.same_picture, night.new_pictures)),
        product_shift=judge.shift(lambda night: night.products),
        class_shift=judge.shift(lambda night: night.classes),
        measures=measures,
        jumps=sum(value > settings.max_drift for value in measures.values()) if measures else None,
    )


# ------------------------------------------------------------------ the figures


@dataclass(frozen=True)
class _Judge:
    tonight: SourceStatistics
    sound: Sequence[SourceStatistics]
    settings: ValidationSettings

    def usual(self, value: Callable[[SourceStatistics], float]) -> float | None:
        if len(self.sound) < self.settings.min_trailing_nights:
            return None
        return float(median(value(night) for night in self.sound))

    def ratio(self, count: int, usual: float | None) -> float | None:
        """Tonight's number over the usual one, where that is large enough to fall from, and anything came at all."""
        if usual is None or usual < self.settings.min_batch_rows or not self.tonight.found:
            return None
        return count / usual

    def rise(self, share: Callable[[SourceStatistics], tuple[int, int]]) -> float | None:
        part, whole = share(self.tonight)
        usual = self._with_enough_rows(lambda night: share(night)[1])
        if usual is None:
            return None
        return max(0.0, part / whole - median(share(night)[0] / share(night)[1] for night in usual) - chance_of(whole))

    def shift(self, mix: Callable[[SourceStatistics], Mapping[str, int]]) -> float | None:
        usual = self._with_enough_rows(lambda night: sum(mix(night).values()))
        return None if usual is None else mix_shift(mix(self.tonight), [mix(night) for night in usual])

    def drift_of(self, measure: str) -> float | None:
        def rows(night: SourceStatistics) -> int:
            alike = measure in night.measures and night.method == self.tonight.method
            return night.shown_listings if alike else 0

        usual = self._with_enough_rows(rows)
        if usual is None:
            return None
        here = self.tonight.measures[measure]
        error = here.sd / math.sqrt(self.tonight.shown_listings)
        return robust_distance(here.mean, error, [night.measures[measure].mean for night in usual], FLOORS[measure])

    def _with_enough_rows(self, rows: Callable[[SourceStatistics], int]) -> list[SourceStatistics] | None:
        """The trailing nights that can be compared with; None where tonight or they are too few."""
        least = self.settings.min_batch_rows
        if rows(self.tonight) < least:
            return None
        enough = [night for night in self.sound if rows(night) >= least]
        return enough if len(enough) >= self.settings.min_trailing_nights else None


def chance_of(count: int) -> float:
    """By how much a share of so many rows exceeds its source with probability `CHANCE` at most (Hoeffding)."""
    return math.sqrt(math.log(1.0 / CHANCE) / (2.0 * count))


def robust_distance(value: float, error: float, usual: Sequence[float], floor: float) -> float:
    """How many usual spreads a value lies from the median: their MAD, the value's own error and a floor together."""
    middle = median(usual)
    spread = _MAD_TO_SD * median(abs(one - middle) for one in usual)
    return abs(value - middle) / math.hypot(spread, error, floor)


def mix_shift(mix: Mapping[str, int], usual: Sequence[Mapping[str, int]]) -> float:
    """The share that stands elsewhere than usual, less what chance and custom explain; 0 where they explain it all.

    Custom is how far each trailing night was from the others, less chance: a source whose products change from night to
    night may go on doing so.
    """
    together: Counter[str] = Counter()
    for one in usual:
        together.update(one)
    custom = max(_beyond_chance(one, together - Counter(one)) for one in usual)
    return max(0.0, _beyond_chance(mix, together) - custom)


def _beyond_chance(mix: Mapping[str, int], others: Mapping[str, int]) -> float:
    """Total variation distance of two mixes, less what chance does to samples of their sizes."""
    here, there = sum(mix.values()), sum(others.values())
    distance = spread = 0.0
    for name in mix.keys() | others.keys():
        one, other = mix.get(name, 0) / here, others.get(name, 0) / there
        both = (mix.get(name, 0) + others.get(name, 0)) / (here + there)
        distance += abs(one - other) / 2.0
        spread += math.sqrt(both * (1.0 - both)) / 2.0
    by_size = math.sqrt(1.0 / here + 1.0 / there)
    return max(0.0, distance - (spread + math.sqrt(math.log(1.0 / CHANCE) / 2.0)) * by_size)
