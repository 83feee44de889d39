"""Where a thing stands in a photo: turned in space, seen through a lens, framed. Pure geometry."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvbag.demo.shapes import Drawing, Points

FOCAL_UNITS = 5.0
_Matrix = npt.NDArray[np.float64]

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels


@dataclass(frozen=True)
class Pose:
    """How a thing is turned (radians), how much of the frame it takes (share of the tighter side) and where it is."""

    yaw: float
    pitch: float
    roll: float
    mirrored: bool
    reach: float
    place: tuple[float, float]  # 0 to 1 of the free space, from the left and from the top


def turned(rng: random.Random, upright: bool) -> Pose:
    """A pose as in a shop's photo: `upright` stands, otherwise it may lie at any small angle."""
    roll = rng.gauss(0.0, 0.05) if upright else rng.uniform(-0.42, 0.42)
    return Pose(
        yaw=rng.uniform(-0.62, 0.62),
        pitch=rng.uniform(-0.05, 0.34),
        roll=roll,
        mirrored=rng.random() < 0.35,
        reach=rng.uniform(0.64, 0.95),
        place=(rng.uniform(0.1, 0.9), rng.uniform(0.25, 0.9)),
    )


@dataclass(frozen=True)
class View:
    """A pose fitted into a frame. `project` takes units (with depth behind the front) to pixels."""

    rotation: _Matrix  # (3, 3)
    scale: float  # pixels per unit at the front
    offset: tuple[float, float]  # pixels

    def project(self, points: Points, depth: float = 0.0) -> Points:
        """Pixels, (n, 2), of points that lie `depth` units behind the front."""
        space = np.concatenate([points, np.full((len(points), 1), depth)], axis=1) @ self.rotation.T
        lens = FOCAL_UNITS / (FOCAL_UNITS + space[:, 2:3])
        pixels: Points = space[:, :2] * lens * self.scale + np.array(self.offset)
        return pixels

    def homography(self) -> _Matrix:
        """(3, 3): front units (x, y, 1) to pixels."""
        r = self.rotation
        third = np.array([r[2, 0] / FOCAL_UNITS, r[2, 1] / FOCAL_UNITS, 1.0])
        rows = [r[axis, 0:2] * self.scale for axis in (0, 1)]
        return np.stack(
            [np.append(row, 0.0) + offset * third for row, offset in zip(rows, self.offset, strict=True)] + [third]
        )


def frame(drawing: Drawing, pose: Pose, size: tuple[int, int]) -> View:
    """The view in which the whole thing lies inside a picture of a size (pixels)."""
    loose = View(_rotation(pose), 1.0, (0.0, 0.0))
    low, high = _bounds(drawing, loose)
    span = high - low
    scale = pose.reach * min(size[0] / span[0], size[1] / span[1])
    free = np.array(size) - span * scale
    corner = free * np.array(pose.place)
    return View(loose.rotation, float(scale), (float(corner[0] - low[0] * scale), float(corner[1] - low[1] * scale)))


def box_of(drawing: Drawing, view: View) -> Box:
    """The tight box around the thing, in pixels."""
    low, high = _bounds(drawing, view)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _bounds(drawing: Drawing, view: View) -> tuple[Points, Points]:
    points = [view.project(drawing.extent())]
    if drawing.depth > 0:
        points.append(view.project(drawing.body, drawing.depth))
    every = np.concatenate(points)
    return every.min(axis=0), every.max(axis=0)


def _rotation(pose: Pose) -> _Matrix:
    cy, sy = math.cos(pose.yaw), math.sin(pose.yaw)
    cp, sp = math.cos(pose.pitch), math.sin(pose.pitch)
    cr, sr = math.cos(pose.roll), math.sin(pose.roll)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    mirror = np.diag([-1.0 if pose.mirrored else 1.0, 1.0, 1.0])
    result: _Matrix = roll @ pitch @ yaw @ mirror
    return result
