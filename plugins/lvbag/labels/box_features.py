"""What a box on a picture looks like, in numbers: inside against around, and whether edges lie along its sides.

Used only to tell boxes that were drawn on their pictures from boxes that were not (`belief`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE_PX = 64
"""Pictures are looked at as squares of this side, so that boxes in shares of width and height lie alike on all."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 as shares of the picture's width and height."""

_LEAST_PX = 2
_AROUND = 4
"""The ground around a box reaches a quarter of its side outwards, its core begins a quarter inwards."""


def small_picture(image: Image.Image) -> NDArray[np.uint8]:
    """(SIDE_PX, SIDE_PX, 3): the RGB picture averaged down, its shape not kept."""
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX), dtype=np.uint8)


class SmallPicture:
    """A small picture as planes of lightness, two opponent colours and steepness, ready to be asked for boxes."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """`pixels` are those of `small_picture`."""
        red, green, blue = (pixels[..., channel].astype(np.float32) / 255 for channel in range(3))
        light = (red + green + blue) / 3
        down, across = np.gradient(light)
        self._across, self._down = np.abs(across), np.abs(down)
        self._planes = np.stack([light, red - green, (red + green) / 2 - blue, np.hypot(across, down)], axis=2)

    def features(self, box: Box) -> NDArray[np.float32]:
        """(46,): means inside, around, elsewhere and in the core, their differences, spread, and edges along the sides.

        The box's own place and size are not among them: they say nothing about the picture.
        """
        left, top, right, bottom = _pixels(box)
        inside = self._mean(left, top, right, bottom)
        wide, high = (right - left) // _AROUND, (bottom - top) // _AROUND
        outer = (left - max(2, wide), top - max(2, high), right + max(2, wide), bottom + max(2, high))
        ring = self._without(_within(outer), (left, top, right, bottom), inside)
        rest = self._without((0, 0, SIDE_PX, SIDE_PX), (left, top, right, bottom), inside)
        core = self._mean(
            left + wide, top + high, max(left + wide + 1, right - wide), max(top + high + 1, bottom - high)
        )
        apart = [np.abs(one[:3] - other[:3]) for one, other in ((inside, ring), (inside, rest), (core, ring))]
        spread = self._planes[top:bottom, left:right].reshape(-1, 4).std(axis=0)
        edges = self._edges(left, top, right, bottom)
        distances = np.array([math.sqrt(float((one**2).sum())) for one in apart])
        steeper = np.array([edges.mean() - self._planes[..., 3].mean()])
        parts = (inside, ring, rest, core, *apart, distances, spread, inside - ring, core - ring, edges, steeper)
        return np.concatenate(parts).astype(np.float32)

    def _mean(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = self._planes[top:bottom, left:right].reshape(-1, 4).mean(axis=0)
        return mean

    def _without(
        self, outer: tuple[int, int, int, int], box: tuple[int, int, int, int], inside: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The mean of what lies in `outer` and not in the box; the box's own where nothing else does."""
        area, all_of_it = _area(box), _area(outer)
        if all_of_it <= area:
            return inside
        mean = (self._mean(*outer) * all_of_it - inside * area) / (all_of_it - area)
        return mean.astype(np.float32)

    def _edges(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.float32]:
        """How steep it is along the left, right, top and bottom side, within a pixel; 0 at the picture's own edge."""
        across, down = self._across[top:bottom], self._down[:, left:right]
        return np.array(
            [
                across[:, left - 1 : left + 2].max(axis=1).mean() if left > 0 else 0.0,
                across[:, right - 2 : right + 1].max(axis=1).mean() if right < SIDE_PX else 0.0,
                down[top - 1 : top + 2].max(axis=0).mean() if top > 0 else 0.0,
                down[bottom - 2 : bottom + 1].max(axis=0).mean() if bottom < SIDE_PX else 0.0,
            ],
            dtype=np.float32,
        )


def _pixels(box: Box) -> tuple[int, int, int, int]:
    left, top = (min(SIDE_PX - _LEAST_PX, math.floor(value * SIDE_PX)) for value in box[:2])
    right, bottom = (
        min(SIDE_PX, max(start + _LEAST_PX, math.ceil(value * SIDE_PX)))
        for start, value in zip((left, top), box[2:], strict=True)
    )
    return left, top, right, bottom


def _within(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return max(0, left), max(0, top), min(SIDE_PX, right), min(SIDE_PX, bottom)


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
