"""The eight symmetries of a rectangle, told in three steps, so that one table serves pixels, boxes and coefficients.

PIL turns pixels by itself; what stands beside them (the exact extent of a reduced picture, the coefficients that a hash
is read from) is turned here in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

Box = tuple[float, float, float, float]
"""Left, upper, right, lower, in pixels."""


@dataclass(frozen=True)
class Turn:
    """First rows become columns (or not), then left and right change places, then top and bottom."""

    swaps: bool = False
    mirrors: bool = False
    upends: bool = False

    def box(self, box: Box, size: tuple[int, int]) -> Box:
        """Where a part of a picture of this size (width, height) lies once the picture is turned."""
        left, upper, right, lower = box
        width, height = size
        if self.swaps:
            left, upper, right, lower = upper, left, lower, right
            width, height = height, width
        if self.mirrors:
            left, right = width - right, width - left
        if self.upends:
            upper, lower = height - lower, height - upper
        return left, upper, right, lower


UPRIGHT = Turn()

TURNS = {
    Image.Transpose.FLIP_LEFT_RIGHT: Turn(mirrors=True),
    Image.Transpose.ROTATE_90: Turn(swaps=True, upends=True),
    Image.Transpose.ROTATE_180: Turn(mirrors=True, upends=True),
    Image.Transpose.ROTATE_270: Turn(swaps=True, mirrors=True),
    Image.Transpose.FLIP_TOP_BOTTOM: Turn(upends=True),
    Image.Transpose.TRANSPOSE: Turn(swaps=True),
    Image.Transpose.TRANSVERSE: Turn(swaps=True, mirrors=True, upends=True),
}
"""What each of PIL's transpositions does (it turns to the left)."""
