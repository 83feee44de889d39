"""One training picture: cut-out objects in a scene, with the boxes of what can still be seen of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lvbag.labels.records import LabelledBox
from lvbag.learn.detector.scenes.cutouts import Cutout, Pixels
from lvbag.learn.detector.scenes.drawn import Rng, cloth, drawn_scene, lay_over, shape
from lvbag.learn.detector.scenes.photographs import photographed_scene
from lvbag.learn.detector.scenes.varying import recolour, relight, reshape
from lvbag.learn.detector.scenes.wearers import draw_wearer

ASPECTS = (1.0, 0.75, 4 / 3, 2 / 3, 1.5)
"""Width by height, as cameras and phones have them."""
COUNTS = (0, 1, 1, 1, 1, 1, 2, 2, 3)
"""Objects in a picture, each equally likely; none is a lesson too."""
MOST_CLUTTER = 4
SIZES = (0.12, 0.8)
"""Smallest and largest object, the root of its area as a share of the scene's shorter side; in between by ratio."""
OUTSIDE = 0.15
"""Of an object, at most, may lie beyond the edge of the scene, each way."""
OVERLAP = 0.15
"""Of an object's place, at most, may be taken by others."""
VISIBLE = 0.6
"""Of an object, at least, must be seen; else a person would not have drawn the box."""
SMALLEST_AREA_PX = 60
SOLID = 100
"""Opacity from which a pixel belongs to an object."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Material:
    """What is composed: objects, photographs without any (none: scenes are all drawn), and two shares.

    `photographed` of the scenes are cut from photographs; `worn` of the objects are on the back of a drawn person.
    """

    cutouts: Sequence[Cutout]
    photographs: Sequence[Pixels]
    photographed: float
    worn: float

    def scene(self, rng: Rng, height: int, width: int, photographed: bool) -> Pixels:
        """A scene without objects, (height, width, 3) in RGB."""
        if photographed and self.photographs:
            return photographed_scene(rng, self.photographs, height, width)
        return drawn_scene(rng, height, width)


def compose(rng: Rng, material: Material, longest_px: int) -> tuple[Pixels, tuple[LabelledBox, ...]]:
    """A picture (RGB) whose longer side is `longest_px`, and its boxes as shares of width and height."""
    aspect = float(rng.choice(ASPECTS))
    width, height = round(longest_px * min(1.0, aspect)), round(longest_px / max(1.0, aspect))
    photographed = bool(rng.random() < material.photographed)
    scene = np.ascontiguousarray(material.scene(rng, height, width, photographed))
    for _ in range(rng.integers(MOST_CLUTTER)):
        _add_clutter(rng, material, scene, photographed)
    taken = np.zeros((height, width), np.bool_)
    boxes = []
    for _ in range(int(rng.choice(COUNTS))):
        cutout = material.cutouts[int(rng.integers(len(material.cutouts)))]
        seen = _add_object(rng, material, scene, taken, cutout.pixels)
        if seen is not None:
            x0, y0, x1, y1 = _bounds(seen)
            taken[y0:y1, x0:x1] = True
            boxes.append(LabelledBox(label=cutout.label, x0=x0 / width, y0=y0 / height, x1=x1 / width, y1=y1 / height))
    return _as_taken(rng, scene), tuple(boxes)


def _add_clutter(rng: Rng, material: Material, scene: Pixels, photographed: bool) -> None:
    """Something cut out that is no bag, so that having been pasted does not give a bag away."""
    height, width = scene.shape[:2]
    wide, tall = int(rng.integers(16, max(17, width // 2))), int(rng.integers(16, max(17, height // 2)))
    filled = material.scene(rng, tall, wide, photographed) if rng.random() < 0.5 else cloth(rng, tall, wide)
    x, y = int(rng.integers(-wide // 2, width - wide // 2)), int(rng.integers(-tall // 2, height - tall // 2))
    lay_over(scene, np.dstack([filled, shape(rng, tall, wide)]), x, y)


def _add_object(rng: Rng, material: Material, scene: Pixels, taken: Mask, pixels: Pixels) -> Mask | None:
    """Put an object somewhere; which pixels show it, None where it did not fit (the scene is as it was then)."""
    layer = _another_look(rng, pixels, min(scene.shape[:2]))
    if layer is None:
        return None
    (tall, wide), (height, width) = layer.shape[:2], scene.shape[:2]
    x, y = _place(rng, wide, width), _place(rng, tall, height)
    there = taken[max(y, 0) : y + tall, max(x, 0) : x + wide]
    if there.size == 0 or there.mean() > OVERLAP:
        return None
    before = scene.copy()
    if rng.random() < material.worn and not taken.any():  # a person would hide what is there already
        draw_wearer(rng, scene, (x, y, wide, tall))
    opacity = lay_over(scene, layer, x, y)
    seen = None if opacity is None else opacity > SOLID
    if seen is None or seen.sum() < max(SMALLEST_AREA_PX, VISIBLE * (layer[..., 3] > SOLID).sum()):
        scene[:] = before
        return None
    if rng.random() < 0.35 and not taken.any():
        seen = _cover(rng, material, scene, seen, (x, y, wide, tall))
    return seen


def _another_look(rng: Rng, pixels: Pixels, shortest_px: int) -> Pixels | None:
    """An object as somebody else's might look, in another size and from another side."""
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if rng.random() < 0.12:
        pixels = np.rot90(pixels, int(rng.integers(1, 4)))
    low, high = (math.log(size) for size in SIZES)
    layer = reshape(rng, np.ascontiguousarray(pixels), shortest_px * math.exp(rng.uniform(low, high)))
    if layer is None:
        return None
    hue_deg = 180.0 if rng.random() < 0.6 else 16.0
    looks = recolour(rng, np.ascontiguousarray(layer[..., :3]), hue_deg, saturation=0.5, brightness=0.35)
    return np.dstack([relight(rng, looks), layer[..., 3]])


def _place(rng: Rng, length: int, frame: int) -> int:
    low = int(-OUTSIDE * length)
    return int(rng.integers(low, max(low + 1, int(frame - (1 - OUTSIDE) * length))))


def _cover(rng: Rng, material: Material, scene: Pixels, seen: Mask, box: tuple[int, int, int, int]) -> Mask:
    """Put something before a part of an object, unless too little of it would be left to see."""
    x, y, wide, tall = box
    over_wide, over_tall = int(wide * rng.uniform(0.15, 0.6)) + 4, int(tall * rng.uniform(0.15, 0.6)) + 4
    if rng.random() < 0.6:
        filled = cloth(rng, over_tall, over_wide)
    else:
        filled = material.scene(rng, over_tall, over_wide, photographed=True)
    before = scene.copy()
    corner = int(x + rng.uniform(-0.3, 0.9) * wide), int(y + rng.uniform(-0.3, 0.9) * tall)
    opacity = lay_over(scene, np.dstack([filled, shape(rng, over_tall, over_wide)]), *corner)
    if opacity is None:
        return seen
    left = seen & (opacity < 255 - SOLID)
    if left.sum() < VISIBLE * seen.sum():
        scene[:] = before
        return seen
    return left


def _bounds(seen: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _as_taken(rng: Rng, scene: Pixels) -> Pixels:
    """Blurred and noisy as a phone's picture, all of it alike, so that no edge is sharper for being cut out."""
    if rng.random() < 0.4:
        scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.3, 1.3)), np.uint8)
    grain = rng.standard_normal(scene.shape, np.float32) * rng.uniform(0, 7)
    return (scene + grain).clip(0, 255).astype(np.uint8)
