"""McNemar's exact test, one-sided: could the challenger's lead over the champion be chance?

Only the test images on which the two disagree count. Were both equally good, each of these would be a coin toss, so the
p-value is the probability that the challenger wins at least as many of them as it did
(Q. McNemar, Psychometrika 12, 1947; the exact form is the binomial test).
"""

from __future__ import annotations

from lvbag.registry.records import Pairs


def one_sided_p(pairs: Pairs) -> float:
    """P(X >= only_challenger) for X ~ Binomial(only_champion + only_challenger, 1/2); 1.0 when they never disagree."""
    tosses = pairs.only_champion + pairs.only_challenger
    # Whole numbers, so that the figure is the same on every machine: the number of outcomes with at most
    # `only_champion` heads equals that with at least `only_challenger` tails.
    outcomes, ways = 0, 1
    for heads in range(pairs.only_champion + 1):
        outcomes += ways
        ways = ways * (tosses - heads) // (heads + 1)
    return outcomes / (1 << tosses)
