"""How a bag is cut out of a picture: the same pixels for a stored crop and for a photo in use.

The classifier learns from the crops that cleaning stored; a photo cut otherwise would show it another scale.
"""

from __future__ import annotations

import math

from PIL import Image

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 as shares of the picture's width and height."""

_REDUCING_GAP = 1.25
"""See PIL's `resize`: a picture more than two and a half times too large is averaged by a whole factor first."""


def crop_box(image: Image.Image, box: Box, margin: float, longest_px: int) -> Image.Image:
    """The box grown by `margin` of its own size on each side, within the picture, shrunk as `shrink` does."""
    return shrink(image.crop(_edges(box, margin, image.width, image.height)), longest_px)


def shrink(image: Image.Image, longest_px: int) -> Image.Image:
    """The picture with its longest side at most `longest_px`, same shape; a smaller one stays as it is."""
    scale = longest_px / max(image.size)
    if scale >= 1.0:
        return image
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)


def _edges(box: Box, margin: float, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels, rounded outwards; at least one pixel wide and high."""
    x0, y0, x1, y1 = box
    grow_x, grow_y = margin * (x1 - x0), margin * (y1 - y0)
    left = min(width - 1, max(0, math.floor((x0 - grow_x) * width)))
    top = min(height - 1, max(0, math.floor((y0 - grow_y) * height)))
    right = min(width, max(left + 1, math.ceil((x1 + grow_x) * width)))
    bottom = min(height, max(top + 1, math.ceil((y1 + grow_y) * height)))
    return left, top, right, bottom
