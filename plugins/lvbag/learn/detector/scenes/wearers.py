"""A drawn person, seen from behind, for a bag to be carried by.

Bags in a shop stand alone; in the street a head is above, arms are beside, legs are below, cloth all around, and none
of it belongs to the bag. The drawing is as crude as it may be: where things are is what it teaches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lvbag.learn.detector.scenes.cutouts import Pixels
from lvbag.learn.detector.scenes.drawn import Rng, cloth

Point = tuple[float, float]


class _Canvas:
    """The part of a scene that a person takes up; points are in pixels of the scene."""

    def __init__(self, scene: Pixels, x: float, y: float, size: tuple[float, float]) -> None:
        height, width = scene.shape[:2]
        self.left, self.top = int(np.clip(x, 0, width)), int(np.clip(y, 0, height))
        right, bottom = int(np.clip(x + size[0], 0, width)), int(np.clip(y + size[1], 0, height))
        self.pixels = scene[self.top : bottom, self.left : right]

    def at(self, point: Point) -> tuple[int, int]:
        return round(point[0]) - self.left, round(point[1]) - self.top

    def fill(self, texture: Pixels, draw: Callable[[Pixels], object]) -> None:
        """Show the texture where `draw` draws."""
        mask = np.zeros(self.pixels.shape[:2], np.uint8)
        draw(mask)
        share = np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.float32)[..., None] / 255.0
        self.pixels[:] = (texture * share + self.pixels * (1.0 - share)).astype(np.uint8)

    def limb(self, texture: Pixels, start: Point, end: Point, width: float) -> None:
        self.fill(texture, lambda mask: cv2.line(mask, self.at(start), self.at(end), (255,), max(1, round(width))))

    def oval(self, texture: Pixels, centre: Point, reach: Point) -> None:
        axes = (max(1, round(reach[0])), max(1, round(reach[1])))
        self.fill(texture, lambda mask: cv2.ellipse(mask, self.at(centre), axes, 0, 0, 360, (255,), -1, cv2.LINE_AA))


@dataclass(frozen=True)
class _Build:
    """A person in pixels: the middle of the neck, the width of the shoulders, the length of the trunk."""

    neck: Point
    shoulders: float
    trunk: float

    def at(self, across: float, down: float) -> Point:
        """A point so many widths of shoulders beside the neck and so many lengths of trunk below it."""
        return self.neck[0] + across * self.shoulders, self.neck[1] + down * self.trunk


def draw_wearer(rng: Rng, scene: Pixels, box: tuple[int, int, int, int]) -> None:
    """Draw a person into an RGB scene whose back is about where `box` (x, y, width, height in pixels) is."""
    x, y, wide, tall = box
    shoulders = wide * rng.uniform(1.0, 1.75)
    build = _Build(
        neck=(x + wide / 2 + rng.normal(0, 0.06) * wide, y - tall * rng.uniform(0.0, 0.22)),
        shoulders=shoulders,
        trunk=max(tall * rng.uniform(1.0, 1.5), shoulders * 1.05),
    )
    size = (2.4 * shoulders, shoulders + 3 * build.trunk)
    canvas = _Canvas(scene, build.neck[0] - 1.2 * shoulders, build.neck[1] - shoulders, size)
    height, width = canvas.pixels.shape[:2]
    if height < 2 or width < 2:
        return
    top, skin = cloth(rng, height, width), _skin(rng, height, width)
    _legs(rng, canvas, cloth(rng, height, width), build)
    _arms(rng, canvas, top, skin, build)
    _back(canvas, top, build)
    _head(rng, canvas, skin, build)


def _legs(rng: Rng, canvas: _Canvas, trousers: Pixels, build: _Build) -> None:
    thick, reach = build.shoulders * rng.uniform(0.3, 0.42), 1 + rng.uniform(0.9, 1.5)
    for side in (-0.2, 0.2):
        canvas.limb(trousers, build.at(side, 0.95), build.at(side + rng.normal(0, 0.12), reach), thick)


def _arms(rng: Rng, canvas: _Canvas, top: Pixels, skin: Pixels, build: _Build) -> None:
    thick = build.shoulders * rng.uniform(0.16, 0.26)
    for side in (-1, 1):
        elbow = build.at(side * rng.uniform(0.5, 0.8), rng.uniform(0.4, 0.6))
        hand = build.at(side * rng.uniform(0.3, 0.75), rng.uniform(0.6, 1.05))
        canvas.limb(top, build.at(side * 0.47, 0.12), elbow, thick)
        canvas.limb(skin if rng.random() < 0.5 else top, elbow, hand, 0.8 * thick)


def _back(canvas: _Canvas, top: Pixels, build: _Build) -> None:
    (x, y), shoulders = build.neck, build.shoulders

    def draw(mask: Pixels) -> None:
        low, high = canvas.at((x - shoulders / 2, y + 0.12 * shoulders)), canvas.at(build.at(0.5, 1.0))
        cv2.rectangle(mask, low, high, (255,), -1)
        reach = (max(1, round(0.5 * shoulders)), max(1, round(0.2 * shoulders)))
        cv2.ellipse(mask, canvas.at((x, y + 0.16 * shoulders)), reach, 0, 0, 360, (255,), -1)

    canvas.fill(top, draw)


def _head(rng: Rng, canvas: _Canvas, skin: Pixels, build: _Build) -> None:
    height, width = canvas.pixels.shape[:2]
    strands = rng.uniform(5, 110) * np.array([1.0, 0.8, 0.6]) + rng.normal(0, 9, (height, width, 1))
    hair = strands.clip(0, 255).astype(np.uint8)
    radius = build.shoulders * rng.uniform(0.2, 0.28)
    (x, y), turned = build.neck, rng.normal(0, 0.05) * build.shoulders
    centre = (x + turned, y - radius * rng.uniform(0.6, 1.0))
    canvas.limb(skin, (x, y + 0.3 * radius), centre, radius)
    canvas.oval(hair if rng.random() < 0.75 else skin, centre, (radius, 1.25 * radius))
    if rng.random() < 0.3:
        canvas.oval(hair, (centre[0], centre[1] + 1.2 * radius), (1.05 * radius, radius * rng.uniform(1.0, 2.0)))


def _skin(rng: Rng, height: int, width: int) -> Pixels:
    colour = np.array([rng.uniform(110, 235), rng.uniform(70, 200), rng.uniform(40, 190)])
    return np.broadcast_to(colour.astype(np.uint8), (height, width, 3))
