"""What a thing looks like, as a display list: filled outlines in units, painted later by `painter`.

Coordinates are units with x to the right and y down; a bag's body is about two units wide around (0, 0). Because a
drawing is data, the box around a bag is known without painting it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]  # (n, 2)
Colour = tuple[int, int, int]  # RGB, 0 to 255
Pairs = Sequence[tuple[float, float]]

GOLD: Colour = (206, 164, 74)
SILVER: Colour = (186, 190, 196)


class Shade(StrEnum):
    """How light falls over a filled outline."""

    FLAT = "flat"
    BARREL = "barrel"  # a lying cylinder: light above the middle, dark at the bottom
    DOME = "dome"  # bulging: dark towards every edge


@dataclass(frozen=True)
class Fill:
    """One filled outline: a texture of `textures` where `texture` names one, else the plain colour.

    `colour` tints textures that have no colour of their own (epi, leather).
    """

    points: Points
    colour: Colour
    texture: str | None = None
    shade: Shade = Shade.FLAT


@dataclass(frozen=True)
class Drawing:
    """A thing to paint: fills from back to front, its solid body's outline and depth (units), for the third dimension.

    `side` is the colour of what is seen of the depth.
    """

    fills: tuple[Fill, ...]
    body: Points
    depth: float
    side: Colour

    def extent(self) -> Points:
        """All outline points, (n, 2): what a box around the thing must hold."""
        return np.concatenate([fill.points for fill in self.fills])


def darker(colour: Colour, factor: float) -> Colour:
    """The colour times a factor, clipped: below 1 darker, above 1 lighter."""
    red, green, blue = (max(0, min(255, round(value * factor))) for value in colour)
    return red, green, blue


def as_points(pairs: Pairs | Points) -> Points:
    """An (n, 2) array of the pairs."""
    return np.asarray(pairs, dtype=np.float64)


def rounded(corners: Pairs, radius: float | Sequence[float], steps: int = 7) -> Points:
    """A polygon with its corners rounded by quadratic curves; `radius` in units, one or one a corner."""
    points = as_points(corners)
    count = len(points)
    radii = [radius] * count if isinstance(radius, int | float) else list(radius)
    parameter = np.linspace(0.0, 1.0, steps)[:, None]
    out = []
    for index, corner in enumerate(points):
        before = points[index - 1] - corner
        after = points[(index + 1) % count] - corner
        length_before, length_after = float(np.hypot(*before)), float(np.hypot(*after))
        reach = min(radii[index], length_before / 2, length_after / 2)
        start = corner + before / max(length_before, 1e-9) * reach
        end = corner + after / max(length_after, 1e-9) * reach
        out.append((1 - parameter) ** 2 * start + 2 * parameter * (1 - parameter) * corner + parameter**2 * end)
    return np.concatenate(out)


def smooth(control: Pairs | Points, closed: bool = False, steps: int = 8) -> Points:
    """A Catmull-Rom curve through the control points."""
    points = as_points(control)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    parameter = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    out = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        out.append(
            0.5
            * (
                2 * p1
                + (p2 - p0) * parameter
                + (2 * p0 - 5 * p1 + 4 * p2 - p3) * parameter**2
                + (3 * p1 - p0 - 3 * p2 + p3) * parameter**3
            )
        )
    if not closed:
        out.append(points[-1:])
    return np.concatenate(out)


def ellipse(cx: float, cy: float, rx: float, ry: float, steps: int = 28) -> Points:
    """An ellipse's outline."""
    return arc((cx, cy), (rx, ry), 0.0, 360.0, steps)


def arc(centre: tuple[float, float], radii: tuple[float, float], start: float, end: float, steps: int = 24) -> Points:
    """A part of an ellipse; angles in degrees, 0 to the right, 90 down."""
    angle = np.radians(np.linspace(start, end, steps))
    return np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], axis=1)


def ribbon(path: Points, width: float, shift: float = 0.0) -> Points:
    """The outline of a band of a width along a path, moved sideways by `shift`."""
    direction = np.gradient(path, axis=0)
    length = np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-9)[:, None]
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1) / length
    middle = path + normal * shift
    return np.concatenate([middle + normal * width / 2, (middle - normal * width / 2)[::-1]])


def cord(path: Points, width: float, colour: Colour) -> list[Fill]:
    """A rolled handle or strap: a dark edge, the colour, a line of light."""
    return [
        Fill(ribbon(path, width * 1.18), darker(colour, 0.45)),
        Fill(ribbon(path, width), darker(colour, 0.86)),
        Fill(ribbon(path, width * 0.6, -width * 0.06), colour),
        Fill(ribbon(path, width * 0.2, -width * 0.18), darker(colour, 1.22)),
    ]


def strap(path: Points, width: float, colour: Colour) -> list[Fill]:
    """A flat strap with a seam along its edges."""
    return [
        Fill(ribbon(path, width * 1.12), darker(colour, 0.5)),
        Fill(ribbon(path, width), colour),
        *stitches(path, colour, width * 0.32),
        *stitches(path, colour, -width * 0.32),
    ]


def stitches(path: Points, colour: Colour, shift: float = 0.0) -> list[Fill]:
    """A dashed seam along a path."""
    thread = darker(colour, 1.35) if sum(colour) < 330 else darker(colour, 0.7)
    spaced = along(path, 0.055)
    return [Fill(ribbon(spaced[index : index + 2], 0.013, shift), thread) for index in range(0, len(spaced) - 1, 2)]


def chain(path: Points, size: float, colour: Colour) -> list[Fill]:
    """A chain of links of a size along a path."""
    fills = []
    for index, (x, y) in enumerate(along(path, size * 0.8)):
        narrow = index % 2 == 1
        fills.append(Fill(ellipse(x, y, size * 0.56, size * (0.3 if narrow else 0.56), 10), darker(colour, 0.5)))
        fills.append(Fill(ellipse(x, y, size * 0.42, size * (0.18 if narrow else 0.42), 10), darker(colour, 1.1)))
        if not narrow:
            fills.append(Fill(ellipse(x, y, size * 0.18, size * 0.18, 8), darker(colour, 0.35)))
    return fills


def rivet(x: float, y: float, radius: float, colour: Colour) -> list[Fill]:
    """A round piece of metal with a spot of light."""
    return [
        Fill(ellipse(x, y, radius * 1.15, radius * 1.15, 14), darker(colour, 0.45)),
        Fill(ellipse(x, y, radius, radius, 14), colour),
        Fill(ellipse(x - radius * 0.3, y - radius * 0.3, radius * 0.4, radius * 0.4, 10), darker(colour, 1.35)),
    ]


def ring(x: float, y: float, radius: float, width: float, colour: Colour) -> list[Fill]:
    """A metal ring."""
    return cord(ellipse(x, y, radius, radius, 24), width, colour)


def plate(corners: Pairs, radius: float, colour: Colour) -> list[Fill]:
    """A piece of metal of any shape, lit from above."""
    outline = rounded(corners, radius)
    centre = outline.mean(axis=0)
    lit = (outline - centre) * 0.72 + centre - np.array([0.0, 0.006])
    return [
        Fill((outline - centre) * 1.1 + centre, darker(colour, 0.42)),
        Fill(outline, colour),
        Fill(lit, darker(colour, 1.22)),
    ]


def along(path: Points, step: float) -> Points:
    """Points on a path, a step apart."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = max(2, math.floor(float(lengths[-1]) / step) + 1)
    wanted = np.linspace(0.0, lengths[-1], count)
    return np.stack([np.interp(wanted, lengths, path[:, 0]), np.interp(wanted, lengths, path[:, 1])], axis=1)
