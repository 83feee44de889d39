"""Which of several copies of one photo is the best: the largest that is not clearly blurrier than the sharpest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CLEARLY_BLURRIER = 0.5
"""Of the sharpest copy's `blur` measure: less is a blurred or enlarged copy, whatever its size."""

CLEARLY_LARGER = 1.25
"""Times the pixels of the picture that an earlier night kept: less is not worth changing the data set for."""


@dataclass(frozen=True)
class Preferred:
    """A copy, as far as choosing is concerned: size in pixels, `blur` as `lvbag.images` measures it."""

    sha256: str
    pixels: int
    blur: float


def best(copies: Sequence[Preferred]) -> int:
    """The place of the best copy; the same whatever the order. Raises ValueError where there is none."""
    if not copies:
        raise ValueError("there is no copy to choose from")
    sharpest = max(one.blur for one in copies)
    sharp = [at for at, one in enumerate(copies) if one.blur >= CLEARLY_BLURRIER * sharpest]
    return min(sharp, key=lambda at: (-copies[at].pixels, -copies[at].blur, copies[at].sha256))


def replaces(newcomer: Preferred, present: Preferred) -> bool:
    """Whether a copy that came later is so much better that it takes the place of one that was kept before."""
    if newcomer.blur < CLEARLY_BLURRIER * present.blur:
        return False
    return present.blur < CLEARLY_BLURRIER * newcomer.blur or newcomer.pixels >= CLEARLY_LARGER * present.pixels
