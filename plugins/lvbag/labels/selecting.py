"""Which pictures are worth labelling: what the detector is unsure of, unlike what was labelled, every product alike.

Pure: numbers in, places out. A picture's worth is half doubt, half novelty (the distance to the nearest labelled or
chosen picture, as core-set selection has it: Sener & Savarese, ICLR 2018); products take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FAR_BITS = 128
"""Of 256: strangers differ by so many, more says nothing."""


@dataclass(frozen=True)
class Chosen:
    """A place among the candidates, and the numbers it was chosen for: doubt and novelty, 0 to 1."""

    place: int
    doubt: float
    novelty: float


def doubts(confidences: Sequence[float | None], working_point: float) -> NDArray[np.float64]:
    """(n,) in 0 to 1: 1 at the working point, 0 at certainty; a picture in which nothing was detected has 0.5.

    What was not looked at by a detector is in doubt as well: nothing is known about it.
    """
    found = np.array([np.nan if value is None else value for value in confidences], dtype=np.float64)
    above = (1 - found) / max(1e-9, 1 - working_point)
    below = found / max(1e-9, working_point)
    doubt: NDArray[np.float64] = np.nan_to_num(np.clip(np.where(found >= working_point, above, below), 0, 1), nan=0.5)
    return doubt


def select(
    prints: NDArray[np.uint8], products: Sequence[str | None], doubt: NDArray[np.float64],
    labelled: NDArray[np.uint8], count: int,
) -> list[Chosen]:  # fmt: skip
    """Choose at most `count` of n candidates, the most worthwhile first; the same input gives the same answer.

    `prints` (n, 32) and `labelled` (m, 32) are 256-bit perceptual hashes; `products` may be None (no title matched).
    A near-duplicate of what is labelled or chosen is chosen last.
    """
    nearest = np.full(len(prints), _FAR_BITS, dtype=np.int64)
    for known in labelled:
        nearest = np.minimum(nearest, _distances(prints, known))
    free = np.ones(len(prints), dtype=bool)
    places = {name: np.flatnonzero([product == name for product in products]) for name in _in_turn(products)}
    chosen: list[Chosen] = []
    while len(chosen) < count and free.any():
        for mine in places.values():
            waiting = mine[free[mine]]
            if not len(waiting) or len(chosen) == count:
                continue
            worth = doubt[waiting] + nearest[waiting] / _FAR_BITS
            place = int(waiting[int(worth.argmax())])
            chosen.append(Chosen(place, round(float(doubt[place]), 4), round(float(nearest[place] / _FAR_BITS), 4)))
            free[place] = False
            nearest = np.minimum(nearest, _distances(prints, prints[place]))
    return chosen


def shares(count: int, people: int, overlap: float) -> list[list[int]]:
    """Which of `count` pictures each person gets: dealt in turns, and a share of each goes to the next person as well.

    What two people label shows whether they agree. One person has nobody to agree with.
    """
    dealt: list[list[int]] = [list(range(person, count, people)) for person in range(people)]
    if people == 1:
        return dealt
    twice = [pictures[: round(overlap * len(pictures))] for pictures in dealt]
    return [sorted({*dealt[person], *twice[person - 1]}) for person in range(people)]


def _in_turn(products: Sequence[str | None]) -> list[str | None]:
    names: set[str | None] = set(products)
    return sorted(names, key=lambda name: (name is None, name or ""))


def _distances(prints: NDArray[np.uint8], one: NDArray[np.uint8]) -> NDArray[np.int64]:
    bits: NDArray[np.int64] = np.bitwise_count(prints ^ one).sum(axis=1, dtype=np.int64)
    return np.minimum(bits, np.int64(_FAR_BITS))
