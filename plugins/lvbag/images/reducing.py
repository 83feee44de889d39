"""Pictures made small before anything is measured: hashes and measures see no more than this, whatever the format.

A JPEG is decoded at an eighth, a quarter or half of its size, which its blocks of 8 x 8 coefficients give away for
little; the pixels of other formats are averaged by the same whole factor, which comes to the same picture. The factor
rarely divides a side: `box` says how far the picture reaches into its last row and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from lvbag.images.symmetries import TURNS, Box

SHORTEST_PX = 90
"""No side gets shorter than this by reducing. Between 128 and 90 no more bits of a hash move, below 80 they begin to;
a photo of 1000 x 750 px, as shops have them, can be decoded at an eighth."""

_UNTOUCHED_PX = 256
"""A picture with a shorter side below this is looked at as it is: there is little to gain."""

_DECODER_SCALE = 8
"""Most that a JPEG decoder makes a picture smaller."""


@dataclass(frozen=True)
class Reduced:
    """An RGB picture with a shorter side of 90 to 255 px, less where it was smaller from the start.

    `box` is the part of it that the whole picture fills, to fractions of a pixel; it is `factor` times smaller.
    """

    image: Image.Image
    box: Box
    factor: int

    @cached_property
    def grey(self) -> Image.Image:
        """The picture in 256 shades of grey."""
        return self.image.convert("L")

    def turned(self, turn: Image.Transpose | None) -> Reduced:
        """The same, transposed."""
        if turn is None:
            return self
        return Reduced(self.image.transpose(turn), TURNS[turn].box(self.box, self.image.size), self.factor)


def reduced(image: Image.Image, size: tuple[int, int] | None = None, scale: int = 1) -> Reduced:
    """An RGB picture made small; `size` was the picture's before a decoder made it `scale` times smaller."""
    width, height = size or image.size
    rest = max(1, _factor((width, height)) // scale)
    small = image.reduce(rest) if rest > 1 else image
    factor = scale * rest
    return Reduced(small, (0.0, 0.0, width / factor, height / factor), factor)


def decoder_scale(size: tuple[int, int]) -> int:
    """How many times smaller a JPEG of this size is best decoded."""
    return min(_factor(size), _DECODER_SCALE)


def _factor(size: tuple[int, int]) -> int:
    """By how much a picture of this size is reduced: a power of two."""
    return 1 if min(size) < _UNTOUCHED_PX else 1 << ((min(size) // SHORTEST_PX).bit_length() - 1)
