"""An object cut out of its picture along its outline, where that can be told from the box that a person drew.

GrabCut (Rother et al. 2004, https://doi.org/10.1145/1015706.1015720) separates what the box holds from what surrounds
it. A person's box is the judge: an outline whose own bounding box is another one is no outline of this object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(height, width, 3) in RGB, or (height, width, 4) with opacity."""

LONGEST_PX = 224
MARGIN = 0.08
"""Of the box, kept around it: that is what the background looks like."""
ROUNDS = 3
CORE = (0.3, 0.3, 0.7, 0.8)
"""Left, top, right and bottom of what is certainly the object, as shares of its box."""
LEAST_AROUND = 0.03
"""Share of the cut that lies outside of the box; of less the background cannot be learnt."""
LEAST_AGREEMENT = 0.85
"""Overlap (intersection over union) of the outline's bounding box with the person's."""
SHARES = (0.4, 0.97)
"""How much of its box an object fills; a full box has no outline."""
LARGEST_HOLE = 0.02
"""Of the object's area; larger holes are seen through, as below a handle."""


@dataclass(frozen=True)
class Cutout:
    """An object with its class: (height, width, 4) uint8, RGB and opacity, as large as its bounding box."""

    pixels: Pixels
    label: int


def cut_out(picture: Pixels, box: tuple[float, float, float, float], label: int) -> Cutout | None:
    """The object in a box (x0, y0, x1, y1 as shares) of an RGB picture; None where no outline agrees with the box."""
    crop, inner = _around(picture, box)
    x0, y0, x1, y1 = inner
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    mask = np.full(crop.shape[:2], cv2.GC_BGD, np.uint8)
    mask[y0:y1, x0:x1] = cv2.GC_PR_FGD
    if float((mask == cv2.GC_BGD).mean()) < LEAST_AROUND:
        return None
    core = [round(start + share * (end - start)) for start, end, share in _core(inner)]
    mask[core[1] : core[3], core[0] : core[2]] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # it begins with k-means
    try:
        cv2.grabCut(crop, mask, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # one colour all over
        return None
    solid = _largest_part(((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8))
    if solid is None:
        return None
    bounds = _bounds(solid)
    share = float(solid.sum()) / ((x1 - x0) * (y1 - y0))
    if _agreement(bounds, inner) < LEAST_AGREEMENT or not SHARES[0] < share < SHARES[1]:
        return None
    pixels = np.dstack([crop, _soft(solid)])
    return Cutout(np.ascontiguousarray(pixels[bounds[1] : bounds[3], bounds[0] : bounds[2]]), label)


def _around(picture: Pixels, box: tuple[float, float, float, float]) -> tuple[Pixels, tuple[int, int, int, int]]:
    """The box with its margin, made small, and where the box lies in it (never at its very edge)."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    grow_x, grow_y = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
    left, top = max(0, int(x0 - grow_x)), max(0, int(y0 - grow_y))
    right, bottom = min(width, int(x1 + grow_x) + 1), min(height, int(y1 + grow_y) + 1)
    crop = picture[top:bottom, left:right]
    scale = min(1.0, LONGEST_PX / max(1, *crop.shape[:2]))
    if scale < 1.0:
        size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    tall, wide = crop.shape[:2]
    inner = (
        max(1, round((x0 - left) * scale)),
        max(1, round((y0 - top) * scale)),
        min(wide - 1, round((x1 - left) * scale)),
        min(tall - 1, round((y1 - top) * scale)),
    )
    return np.ascontiguousarray(crop), inner


def _core(inner: tuple[int, int, int, int]) -> list[tuple[int, int, float]]:
    x0, y0, x1, y1 = inner
    return [(x0, x1, CORE[0]), (y0, y1, CORE[1]), (x0, x1, CORE[2]), (y0, y1, CORE[3])]


def _largest_part(solid: Pixels) -> Pixels | None:
    """The largest connected part without specks, small holes filled."""
    solid = np.asarray(cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    largest: Pixels = (parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(np.asarray(1 - largest, np.uint8))
    height, width = largest.shape
    for part in range(1, count):
        x, y, w, h, pixels = (int(value) for value in stats[part])
        inside = x > 0 and y > 0 and x + w < width and y + h < height
        if inside and pixels < LARGEST_HOLE * largest.sum():
            largest[parts == part] = 1
    return largest


def _bounds(solid: Pixels) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _agreement(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    wide = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    tall = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    shared = wide * tall
    areas: Any = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one, other))
    return float(shared / (areas - shared))


def _soft(solid: Pixels) -> Pixels:
    """Opacity 0 to 255 with an edge of about a pixel, drawn inwards: outside of it is the old background."""
    blurred = cv2.GaussianBlur(solid.astype(np.float32), (3, 3), 0)
    core = cv2.erode(solid, np.ones((3, 3), np.uint8)).astype(np.float32)
    return np.asarray(127.5 * (blurred + core).clip(0.0, 2.0) * (solid > 0), np.uint8)
