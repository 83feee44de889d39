"""Could the challenger's lead be an accident of which listings are in the test set? A paired cluster bootstrap.

Photos of one listing show one bag in one light, so a network gets them right or wrong together, and McNemar's test,
which takes every image for a coin of its own, is too sure of itself. Here whole listings are drawn with replacement, as
many as there are, again and again (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997,
section 3.8); champion and challenger are always compared on the same images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lvbag.registry.records import Bootstrap

DRAWS = 10_000
_SEED = 20_170_807
"""Fixed, so that the same counts give the same figures."""
_AT_A_TIME = 2_000_000
"""Numbers held in memory at a time."""
Cells = tuple[tuple[int, int, int], ...]


def cells_of(listings: Iterable[tuple[int, int]]) -> Cells:
    """Listings, each as (test images, images that the challenger alone gets right less those of the champion alone)."""
    counts = Counter(listings)
    return tuple((images, gain, counts[images, gain]) for images, gain in sorted(counts))


def cluster_bootstrap(cells: Cells, draws: int = DRAWS) -> Bootstrap:
    """Draw the listings anew `draws` times; raises `ValueError` where there is none."""
    import numpy as np

    if not cells:
        raise ValueError("there is no listing to draw from")
    images, gains, counts = (np.array(column, np.float64) for column in zip(*cells, strict=True))
    listings = int(counts.sum())
    random = np.random.default_rng(_SEED)
    parts = []
    step = max(1, _AT_A_TIME // len(cells))
    for start in range(0, draws, step):
        # drawing listings one by one is drawing how often each kind of listing comes
        drawn = random.multinomial(listings, counts / listings, size=min(step, draws - start))
        parts.append((drawn @ gains) / (drawn @ images))
    gained = np.concatenate(parts)
    low, high = np.quantile(gained, (0.025, 0.975))
    # the test set itself is one draw more: without it p could be 0
    p = (1 + int((gained <= 0).sum())) / (draws + 1)
    return Bootstrap(listings=listings, draws=draws, low=float(low), high=float(high), p=p, cells=cells)
