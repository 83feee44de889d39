"""Pictures made small before anything is measured: hashes and measures see no more than this, whatever the format.

A JPEG is decoded at an eighth, a quarter or half of its size, which its blocks of 8 x 8 coefficients give away nearly
for nothing; the pixels of other formats are averaged by the same whole factor, which comes to the same picture. The
factor rarely divides a side: `box` says how far the picture reaches into its last row and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from lvbag.images.symmetries import TURNS, Box

SHORTEST_PX = 128
"""No side gets shorter than this by reducing: twice what a hash of 256 bits looks at."""


@dataclass(frozen=True)
class Reduced:
    """An RGB picture, with the shorter side from 128 to 255 px unless it was smaller from the start.

    `box` is the part of it that the whole picture fills, to fractions of a pixel; `factor` is by how much it is smaller.
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


def _factor(size: tuple[int, int]) -> int:
    """By how much a picture of this size is reduced: a power of two."""
    return 1 << (max(1, min(size) // SHORTEST_PX).bit_length() - 1)
