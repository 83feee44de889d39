"""Which of several copies of one photo is the best: the largest that is not clearly blurrier than they usually are.

Of equally large ones the one that is near to most of the others and as sharp as they usually are: edits lie around the
photo that they were made from.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CLEARLY_BLURRIER = 0.5
"""Of the copies' usual `blur` measure (the higher median): less is a blurred or enlarged copy, whatever its size.

Not of the sharpest one's: a copy that somebody sharpened does not make blurred ones of all the others."""

CLEARLY_LARGER = 1.25
"""Times the pixels of the picture that an earlier night kept: less is not worth changing the data set for."""


@dataclass(frozen=True)
class Preferred:
    """A copy, as far as choosing is concerned: size in pixels, `blur` as `lvbag.images` measures it.

    `near`: to how many of the other copies it is directly near, where that is known.
    """

    sha256: str
    pixels: int
    blur: float
    near: int = 0


def best(copies: Sequence[Preferred]) -> int:
    """The place of the best copy; the same whatever the order. Raises ValueError where there is none."""
    if not copies:
        raise ValueError("there is no copy to choose from")
    usual = statistics.median_high(one.blur for one in copies)
    sharp = [at for at, one in enumerate(copies) if one.blur >= CLEARLY_BLURRIER * usual]
    return min(
        sharp,
        key=lambda at: (-copies[at].pixels, -copies[at].near, abs(copies[at].blur - usual), copies[at].sha256),
    )


def replaces(newcomer: Preferred, present: Preferred) -> bool:
    """Whether a copy that came later is so much better that it takes the place of one that was kept before."""
    if newcomer.blur < CLEARLY_BLURRIER * present.blur:
        return False
    return present.blur < CLEARLY_BLURRIER * newcomer.blur or newcomer.pixels >= CLEARLY_LARGER * present.pixels
