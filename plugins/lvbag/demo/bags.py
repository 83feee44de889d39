"""The bags of the demo catalog: a drawing per product, with what differs from one physical bag to the next."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lvbag.demo.shapes import (
    GOLD,
    SILVER,
    Colour,
    Drawing,
    Fill,
    Points,
    Shade,
    arc,
    as_points,
    chain,
    cord,
    darker,
    ellipse,
    plate,
    ribbon,
    ring,
    rivet,
    rounded,
    smooth,
    stitches,
    strap,
)

EBENE_TRIM: Colour = (74, 42, 32)
BLACK: Colour = (40, 40, 44)
RED: Colour = (178, 24, 36)
BLUE: Colour = (26, 62, 142)
GREEN: Colour = (18, 94, 68)
YELLOW: Colour = (232, 184, 32)


@dataclass(frozen=True)
class Piece:
    """One physical bag: all its photos show the same wear, colours and hardware."""

    stretch: float  # width over height, 1 is as drawn
    sag: float  # 0 new and stiff to 1 slouching
    patina: Colour  # of natural cowhide trim, honey to brown
    metal: Colour
    fade: float  # of dyed leather, 1 is as drawn
    handles: float  # how high they stand, 1 is upright
    cut: tuple[int, int]  # where its canvas was cut from, pixels
    charm: str  # "", "tag", "scarf" or "pompon"


def piece(seed: str) -> Piece:
    """The physical bag of a seed."""
    rng = random.Random(seed)
    age = rng.random()
    patina = (round(222 - 60 * age), round(180 - 72 * age), round(130 - 66 * age))
    return Piece(
        stretch=rng.uniform(0.95, 1.06),
        sag=rng.random(),
        patina=patina,
        metal=darker(GOLD, rng.uniform(0.86, 1.1)),
        fade=rng.uniform(0.88, 1.12),
        handles=rng.uniform(0.86, 1.08),
        cut=(rng.randrange(2000), rng.randrange(2000)),
        charm=rng.choice(["", "", "", "", "tag", "scarf", "pompon"]),
    )


def draw_bag(style_code: str, bag: Piece) -> Drawing:
    """The drawing of a product of the demo catalog, as this piece; `KeyError` for a product that is not in it."""
    drawing = _DRAWERS[style_code](bag)
    scale = np.array([bag.stretch, 1.0])
    fills = [*drawing.fills, *_charm(bag, drawing.body)]
    return Drawing(
        tuple(Fill(fill.points * scale, fill.colour, fill.texture, fill.shade) for fill in fills),
        drawing.body * scale,
        drawing.depth,
        drawing.side,
    )


def drawn_products() -> tuple[str, ...]:
    """The style codes that can be drawn."""
    return tuple(_DRAWERS)


def _charm(bag: Piece, body: Points) -> list[Fill]:
    """What hangs from the left handle of some bags."""
    x, y = -0.34, float(body[:, 1].min()) + 0.12
    if bag.charm == "tag":
        return [
            *cord(as_points([(x, y - 0.14), (x - 0.04, y + 0.12)]), 0.025, bag.patina),
            *plate(
                [(x - 0.12, y + 0.1), (x + 0.04, y + 0.1), (x + 0.04, y + 0.36), (x - 0.12, y + 0.36)], 0.05, bag.patina
            ),
        ]
    if bag.charm == "scarf":
        pink = (214, 92, 120)
        return [
            Fill(rounded([(x - 0.05, y - 0.1), (x - 0.22, y + 0.34), (x - 0.05, y + 0.3)], 0.03), darker(pink, 0.8)),
            Fill(rounded([(x, y - 0.1), (x + 0.16, y + 0.4), (x - 0.02, y + 0.34)], 0.03), pink),
            Fill(ellipse(x - 0.01, y - 0.1, 0.07, 0.06), darker(pink, 1.15)),
        ]
    if bag.charm == "pompon":
        grey = (206, 200, 196)
        return [
            *chain(as_points([(x, y - 0.12), (x, y + 0.1)]), 0.03, bag.metal),
            Fill(ellipse(x, y + 0.22, 0.14, 0.14), grey, "carpet", Shade.DOME),
        ]
    return []


def _handle(x: float, base: float, top: float, lean: float = 0.0) -> Points:
    """A handle that stands on two feet at -x and x, as a path."""
    return smooth(
        [
            (-x, base),
            (-x * 0.98 + lean * 0.5, (base + top) / 2),
            (-x * 0.66 + lean, top + 0.05),
            (lean, top),
            (x * 0.66 + lean, top + 0.05),
            (x * 0.98 + lean * 0.5, (base + top) / 2),
            (x, base),
        ]
    )


def _tab(x: float, y: float, size: tuple[float, float], colour: Colour, metal: Colour) -> list[Fill]:
    """A leather tab in which a handle ends, with two rivets."""
    width, height = size
    outline = rounded(
        [
            (x - width * 0.4, y),
            (x + width * 0.4, y),
            (x + width / 2, y + height * 0.8),
            (x, y + height),
            (x - width / 2, y + height * 0.8),
        ],
        0.04,
    )
    return [
        Fill(outline * 1.0 + np.array([0.012, 0.014]), darker(colour, 0.4)),
        Fill(outline, colour, "leather"),
        *stitches(np.concatenate([outline, outline[:1]]), colour, 0.022),
        *rivet(x - width * 0.2, y + height * 0.62, 0.022, metal),
        *rivet(x + width * 0.2, y + height * 0.62, 0.022, metal),
    ]


def _mirrored(part: Callable[[float], list[Fill]]) -> list[Fill]:
    return [*part(-1.0), *part(1.0)]


def _zip(path: Points, colour: Colour, metal: Colour) -> list[Fill]:
    return [
        Fill(ribbon(path, 0.10), darker(colour, 0.8)),
        Fill(ribbon(path, 0.035), darker(metal, 0.62)),
        Fill(ribbon(path, 0.014), darker(metal, 1.1)),
    ]


def _speedy(bag: Piece) -> Drawing:
    sag = 0.05 * bag.sag
    body = rounded(
        [
            (-0.90, -0.44),
            (-0.3, -0.46 + sag),
            (0.3, -0.46 + sag),
            (0.90, -0.44),
            (1.02, 0.1),
            (1.0, 0.62),
            (-1.0, 0.62),
            (-1.02, 0.1),
        ],
        [0.22, 0.2, 0.2, 0.22, 0.3, 0.24, 0.24, 0.3],
    )
    top = -0.98 * bag.handles
    fills = [
        *cord(_handle(0.36, -0.4, top + 0.08, -0.08), 0.062, darker(bag.patina, 0.72)),
        Fill(body, BLACK, "monogram", Shade.BARREL),
        *_zip(smooth([(-0.86, -0.37), (0.0, -0.41 + sag), (0.86, -0.37)]), bag.patina, bag.metal),
        *_mirrored(
            lambda s: [
                Fill(
                    rounded([(s * 1.02, -0.1), (s * 0.84, -0.02), (s * 0.84, 0.2), (s * 1.02, 0.26)], 0.07),
                    bag.patina,
                    "leather",
                )
            ]
        ),
        *cord(
            smooth([(-0.985, 0.46), (-0.93, 0.57), (-0.8, 0.6), (0.0, 0.605), (0.8, 0.6), (0.93, 0.57), (0.985, 0.46)]),
            0.035,
            bag.patina,
        ),
        *_mirrored(lambda s: _tab(s * 0.42, -0.24, (0.22, 0.3), bag.patina, bag.metal)),
        *cord(_handle(0.42, -0.18, top), 0.07, bag.patina),
        *_padlock(0.80, -0.34, bag.metal),
    ]
    return Drawing(tuple(fills), body, 0.42, (58, 40, 28))


def _padlock(x: float, y: float, metal: Colour) -> list[Fill]:
    return [
        *cord(arc((x, y + 0.06), (0.04, 0.055), 180, 360), 0.02, metal),
        *plate([(x - 0.06, y + 0.06), (x + 0.06, y + 0.06), (x + 0.06, y + 0.19), (x - 0.06, y + 0.19)], 0.02, metal),
    ]


def _neverfull(bag: Piece) -> Drawing:
    dip = 0.06 + 0.1 * bag.sag
    body = rounded(
        [(-1.1, -0.5), (-0.5, -0.5 + dip * 0.8), (0.5, -0.5 + dip * 0.8), (1.1, -0.5), (0.84, 0.66), (-0.84, 0.66)],
        [0.04, 0.4, 0.4, 0.04, 0.14, 0.14],
    )
    inside = rounded([(-1.08, -0.5), (-0.4, -0.62), (0.4, -0.62), (1.08, -0.5), (0.5, -0.36), (-0.5, -0.36)], 0.1)
    rim = smooth([(-1.08, -0.47), (-0.5, -0.44 + dip * 0.7), (0.5, -0.44 + dip * 0.7), (1.08, -0.47)])
    top = -1.34 * bag.handles
    fills = [
        *strap(_handle(0.42, -0.45, top + 0.1, 0.09), 0.05, darker(bag.patina, 0.78)),
        Fill(inside, (120, 52, 56), "epi"),
        Fill(body, BLACK, "damier_azur", Shade.DOME),
        *strap(rim, 0.085, bag.patina),
        *_mirrored(lambda s: strap(as_points([(s * 1.03, -0.36), (s * 0.82, 0.56)]), 0.05, bag.patina)),
        *_mirrored(lambda s: cord(smooth([(s * 1.0, -0.3), (s * 0.9, -0.16), (s * 0.98, 0.08)]), 0.022, bag.patina)),
        *_mirrored(lambda s: rivet(s * 1.0, -0.3, 0.03, bag.metal)),
        *_mirrored(lambda s: _tab(s * 0.48, -0.38 + dip * 0.5, (0.13, 0.2), bag.patina, bag.metal)),
        *strap(_handle(0.48, -0.28, top), 0.055, bag.patina),
    ]
    return Drawing(tuple(fills), body, 0.34, (186, 178, 164))


def _alma(bag: Piece) -> Drawing:
    red = darker(RED, bag.fade)
    body = np.concatenate(
        [
            arc((0.0, 0.12), (0.98, 0.86), 180, 360, 36),
            rounded([(0.98, 0.12), (1.04, 0.66), (-1.04, 0.66), (-0.98, 0.12)], [0.01, 0.12, 0.12, 0.01]),
        ]
    )
    base = rounded([(-1.04, 0.36), (0.0, 0.46), (1.04, 0.36), (1.05, 0.67), (-1.05, 0.67)], [0.02, 0.7, 0.02, 0.1, 0.1])
    top = -1.18 * bag.handles
    fills = [
        *cord(_handle(0.3, -0.62, top + 0.06, -0.06), 0.06, darker(red, 0.66)),
        Fill(body, red, "epi", Shade.DOME),
        *_zip(arc((0.0, 0.12), (0.93, 0.81), 190, 350, 30), darker(red, 0.8), bag.metal),
        Fill(base, darker(red, 0.82), "epi"),
        *stitches(smooth([(-1.0, 0.40), (0.0, 0.48), (1.0, 0.40)]), darker(red, 0.8)),
        *_mirrored(lambda s: _tab(s * 0.34, -0.58, (0.15, 0.28), darker(red, 0.95), bag.metal)),
        *cord(_handle(0.34, -0.54, top), 0.068, red),
        *_padlock(0.86, -0.06, bag.metal),
        *_mirrored(lambda s: rivet(s * 0.9, 0.66, 0.035, bag.metal)),
    ]
    return Drawing(tuple(fills), body, 0.4, darker(red, 0.62))


def _keepall(bag: Piece) -> Drawing:
    sag = 0.09 * bag.sag
    body = rounded(
        [
            (-1.28, -0.26),
            (-0.6, -0.5 + sag),
            (0.6, -0.5 + sag),
            (1.28, -0.26),
            (1.34, 0.2),
            (1.26, 0.62),
            (-1.26, 0.62),
            (-1.34, 0.2),
        ],
        [0.26, 0.5, 0.5, 0.26, 0.3, 0.2, 0.2, 0.3],
    )
    long_strap = smooth([(-1.2, -0.1), (-0.9, 0.34), (-0.2, 0.84 + sag), (0.6, 0.74), (1.2, -0.1)])
    top = -0.86 * bag.handles
    fills = [
        *cord(_handle(0.42, -0.4, top + 0.06, 0.08), 0.06, darker(bag.patina, 0.72)),
        Fill(body, BLACK, "monogram", Shade.BARREL),
        *_zip(smooth([(-1.16, -0.28), (-0.6, -0.42 + sag), (0.6, -0.42 + sag), (1.16, -0.28)]), bag.patina, bag.metal),
        *_mirrored(
            lambda s: [
                Fill(
                    rounded([(s * 1.34, 0.02), (s * 1.12, 0.28), (s * 1.0, 0.62), (s * 1.28, 0.63)], 0.1),
                    bag.patina,
                    "leather",
                )
            ]
        ),
        *_mirrored(lambda s: strap(as_points([(s * 0.5, -0.38), (s * 0.5, 0.60)]), 0.15, bag.patina)),
        *cord(_handle(0.5, -0.2, top), 0.075, bag.patina),
        *_mirrored(lambda s: ring(s * 0.5, -0.2, 0.06, 0.022, bag.metal)),
        *_mirrored(lambda s: ring(s * 1.2, -0.12, 0.06, 0.022, bag.metal)),
        *strap(long_strap, 0.085, bag.patina),
        Fill(
            rounded([(-0.2, 0.74 + sag), (0.3, 0.78 + sag), (0.3, 0.92 + sag), (-0.2, 0.9 + sag)], 0.05),
            bag.patina,
            "leather",
        ),
    ]
    return Drawing(tuple(fills), body, 0.55, (58, 40, 28))


def _noe(bag: Piece) -> Drawing:
    blue = darker(BLUE, bag.fade)
    slouch = 0.06 * bag.sag
    body = rounded(
        [(-0.6, -0.34), (0.6, -0.34), (0.78, 0.3), (0.8, 0.86), (-0.8, 0.86), (-0.78, 0.3)],
        [0.1, 0.1, 0.4, 0.12, 0.12, 0.4],
    )
    frill = smooth(
        [
            (-0.6, -0.32),
            (-0.78 - slouch, -0.58),
            (-0.5, -0.66),
            (-0.3, -0.58),
            (-0.08, -0.7),
            (0.14, -0.6),
            (0.36, -0.7),
            (0.56, -0.6),
            (0.78 + slouch, -0.6),
            (0.6, -0.32),
            (0.0, -0.26),
        ],
        closed=True,
    )
    base = rounded([(-0.79, 0.52), (0.79, 0.52), (0.81, 0.87), (-0.81, 0.87)], [0.03, 0.03, 0.12, 0.12])
    shoulder = smooth(
        [(-0.6, 0.2), (-0.6, -0.6), (-0.36, -1.3 * bag.handles), (0.26, -1.4 * bag.handles), (0.58, -0.7), (0.6, 0.2)]
    )
    fills = [
        *strap(shoulder, 0.1, darker(blue, 0.8)),
        Fill(frill, darker(blue, 0.75), "epi", Shade.DOME),
        Fill(body, blue, "epi", Shade.DOME),
        *[
            Fill(ribbon(smooth([(x, -0.32), (x * 1.08, -0.05), (x * 1.3, 0.22)]), 0.026), darker(blue, 0.55))
            for x in (-0.45, -0.22, 0.03, 0.25, 0.46)
        ],
        Fill(base, darker(blue, 0.78), "epi"),
        *stitches(as_points([(-0.77, 0.55), (0.77, 0.55)]), blue),
        *_mirrored(lambda s: strap(as_points([(s * 0.63, 0.0), (s * 0.7, 0.48)]), 0.09, darker(blue, 0.9))),
        *cord(
            smooth([(-0.62, -0.3), (-0.3, -0.26), (0.0, -0.25), (0.3, -0.26), (0.62, -0.3)]), 0.045, darker(blue, 0.62)
        ),
        *cord(smooth([(-0.03, -0.25), (-0.16, 0.0), (-0.1, 0.3)]), 0.04, darker(blue, 0.62)),
        *cord(smooth([(0.03, -0.25), (0.14, 0.02), (0.2, 0.34)]), 0.04, darker(blue, 0.62)),
        *rivet(0.0, -0.25, 0.065, darker(blue, 0.9)),
        *[part for x in (-0.5, -0.27, 0.27, 0.5) for part in rivet(x, -0.28, 0.032, bag.metal)],
    ]
    return Drawing(tuple(fills), body, 0.5, darker(blue, 0.6))


def _papillon(bag: Piece) -> Drawing:
    trim = darker(EBENE_TRIM, bag.fade * 1.15)
    body = np.concatenate([arc((0.92, 0.1), (0.16, 0.5), -90, 90), arc((-0.92, 0.1), (0.16, 0.5), 90, 270)])
    top = -1.2 * bag.handles
    fills = [
        *cord(_handle(0.5, -0.34, top + 0.1, 0.1), 0.05, darker(trim, 0.8)),
        Fill(body, BLACK, "damier_ebene", Shade.BARREL),
        *_zip(as_points([(-0.88, -0.33), (0.88, -0.33)]), trim, bag.metal),
        Fill(ellipse(0.92, 0.1, 0.17, 0.5), trim, "leather", Shade.DOME),
        Fill(ellipse(0.92, 0.1, 0.12, 0.42), darker(trim, 1.1), "damier_ebene", Shade.DOME),
        *_mirrored(lambda s: strap(smooth([(s * 0.52, -0.38), (s * 0.54, 0.1), (s * 0.52, 0.58)]), 0.085, trim)),
        *_mirrored(lambda s: ring(s * 0.52, -0.3, 0.055, 0.022, bag.metal)),
        *cord(_handle(0.52, -0.32, top), 0.055, trim),
    ]
    return Drawing(tuple(fills), body, 0.18, darker(trim, 0.7))


def _michael(bag: Piece) -> Drawing:
    body = rounded(
        [(-0.62, -0.98), (0.62, -0.98), (0.78, -0.3), (0.78, 0.92), (-0.78, 0.92), (-0.78, -0.3)],
        [0.36, 0.36, 0.3, 0.2, 0.2, 0.3],
    )
    pocket = rounded([(-0.62, 0.06), (0.62, 0.06), (0.64, 0.82), (-0.64, 0.82)], [0.1, 0.1, 0.16, 0.16])
    silver = darker(SILVER, bag.fade)
    fills = [
        *_mirrored(
            lambda s: strap(
                smooth([(s * 0.4, -0.94), (s * (0.98 + 0.1 * bag.sag), -0.4), (s * 1.0, 0.4), (s * 0.7, 0.82)]),
                0.13,
                BLACK,
            )
        ),
        *cord(_handle(0.18, -0.92, -1.22 * bag.handles), 0.065, BLACK),
        Fill(body, BLACK, "damier_graphite", Shade.DOME),
        *_zip(
            smooth([(-0.7, 0.0), (-0.68, -0.5), (-0.5, -0.84), (0.0, -0.88), (0.5, -0.84), (0.68, -0.5), (0.7, 0.0)]),
            BLACK,
            silver,
        ),
        Fill(pocket + np.array([0.0, 0.02]), (18, 18, 20)),
        Fill(pocket, BLACK, "damier_graphite", Shade.DOME),
        *_zip(as_points([(-0.56, 0.14), (0.56, 0.14)]), BLACK, silver),
        *plate([(0.44, 0.12), (0.5, 0.12), (0.5, 0.3), (0.44, 0.3)], 0.02, silver),
        *plate([(-0.16, -0.5), (0.16, -0.5), (0.16, -0.36), (-0.16, -0.36)], 0.03, BLACK),
        Fill(
            rounded([(-0.79, 0.74), (0.79, 0.74), (0.78, 0.93), (-0.78, 0.93)], [0.02, 0.02, 0.18, 0.18]),
            BLACK,
            "leather",
        ),
    ]
    return Drawing(tuple(fills), body, 0.4, (28, 28, 31))


def _favorite(bag: Piece) -> Drawing:
    body = rounded([(-0.98, -0.36), (0.98, -0.36), (1.0, 0.46), (-1.0, 0.46)], [0.06, 0.06, 0.12, 0.12])
    flap = rounded(
        [(-1.0, -0.38), (1.0, -0.38), (0.99, 0.02), (0.4, 0.16), (-0.4, 0.16), (-0.99, 0.02)],
        [0.06, 0.06, 0.1, 0.4, 0.4, 0.1],
    )
    high = -1.22 * bag.handles
    links = smooth(
        [(-0.94, -0.3), (-0.8, -0.8), (-0.3 - 0.3 * bag.sag, high), (0.4, high + 0.06), (0.84, -0.76), (0.94, -0.3)]
    )
    fills = [
        *chain(links, 0.085, bag.metal),
        Fill(body, BLACK, "monogram", Shade.DOME),
        Fill(flap + np.array([0.0, 0.03]), (34, 24, 16)),
        Fill(flap, BLACK, "monogram", Shade.DOME),
        *strap(smooth([(-0.97, 0.02), (-0.4, 0.14), (0.4, 0.14), (0.97, 0.02)]), 0.04, bag.patina),
        *plate([(-0.13, 0.04), (0.13, 0.04), (0.13, 0.2), (-0.13, 0.2)], 0.05, bag.metal),
        *_mirrored(lambda s: ring(s * 0.95, -0.3, 0.055, 0.022, bag.metal)),
    ]
    return Drawing(tuple(fills), body, 0.14, (58, 40, 28))


def _sac_plat(bag: Piece) -> Drawing:
    body = rounded([(-0.82, -0.72), (0.82, -0.72), (0.80, 0.92), (-0.80, 0.92)], 0.035)
    top = -1.08 * bag.handles
    fills = [
        *strap(_handle(0.3, -0.66, top + 0.05, 0.05), 0.08, darker(bag.patina, 0.74)),
        Fill(body, BLACK, "monogram", Shade.DOME),
        *strap(as_points([(-0.82, -0.68), (0.82, -0.68)]), 0.07, bag.patina),
        *_mirrored(lambda s: strap(as_points([(s * 0.8, -0.64), (s * 0.79, 0.9)]), 0.032, bag.patina)),
        *strap(as_points([(-0.8, 0.9), (0.8, 0.9)]), 0.035, bag.patina),
        *_mirrored(lambda s: strap(as_points([(s * 0.34, -0.66), (s * 0.34, -0.34)]), 0.1, bag.patina)),
        *_mirrored(lambda s: rivet(s * 0.34, -0.4, 0.03, bag.metal)),
        *strap(_handle(0.34, -0.62, top), 0.085, bag.patina),
    ]
    return Drawing(tuple(fills), body, 0.10, (70, 48, 32))


def _saint_cloud(bag: Piece) -> Drawing:
    green = darker(GREEN, bag.fade)
    body = rounded(
        [(-0.72, -0.52), (0.72, -0.52), (0.84, 0.3), (0.56, 0.78), (-0.56, 0.78), (-0.84, 0.3)],
        [0.1, 0.1, 0.3, 0.3, 0.3, 0.3],
    )
    flap = rounded(
        [(-0.77, -0.56), (0.77, -0.56), (0.82, 0.1), (0.42, 0.46), (-0.42, 0.46), (-0.82, 0.1)],
        [0.14, 0.14, 0.3, 0.34, 0.34, 0.3],
    )
    seam = smooth([(-0.72, -0.5), (-0.75, 0.06), (-0.38, 0.39), (0.0, 0.41), (0.38, 0.39), (0.75, 0.06), (0.72, -0.5)])
    high = -1.5 * bag.handles
    shoulder = smooth([(-0.7, -0.36), (-0.62, -0.9), (-0.2 + 0.2 * bag.sag, high), (0.5, high + 0.3), (0.7, -0.36)])
    fills = [
        *strap(shoulder, 0.075, darker(green, 0.9)),
        Fill(body, darker(green, 0.8), "epi", Shade.DOME),
        Fill(flap + np.array([0.0, 0.035]), darker(green, 0.3)),
        Fill(flap, green, "epi", Shade.DOME),
        *stitches(seam, green),
        *plate([(-0.1, 0.28), (0.1, 0.28), (0.1, 0.5), (-0.1, 0.5)], 0.05, bag.metal),
        *rivet(0.0, 0.4, 0.035, darker(bag.metal, 0.8)),
        *_mirrored(lambda s: ring(s * 0.7, -0.42, 0.06, 0.025, bag.metal)),
    ]
    return Drawing(tuple(fills), body, 0.3, darker(green, 0.55))


def _artsy(bag: Piece) -> Drawing:
    dip = 0.1 + 0.12 * bag.sag
    body = smooth(
        [
            (-0.94, -0.42),
            (-0.5, -0.34 + dip * 0.5),
            (0.0, -0.3 + dip),
            (0.5, -0.34 + dip * 0.5),
            (0.94, -0.42),
            (1.14, 0.1),
            (0.98, 0.62),
            (0.4, 0.84),
            (-0.4, 0.84),
            (-0.98, 0.62),
            (-1.14, 0.1),
        ],
        closed=True,
    )
    rim = smooth([(-0.92, -0.4), (-0.5, -0.3 + dip * 0.5), (0.0, -0.26 + dip), (0.5, -0.3 + dip * 0.5), (0.92, -0.4)])
    high = -1.06 * bag.handles
    braid = smooth([(-0.52, -0.34), (-0.5, -0.8), (-0.2, high), (0.2, high), (0.5, -0.8), (0.52, -0.34)])
    knots = [
        Fill(ellipse(x, y, 0.055, 0.055, 10), darker(bag.patina, 0.7 + 0.5 * (i % 2)))
        for i, (x, y) in enumerate(braid[::2])
    ]
    fills = [
        Fill(body, BLACK, "monogram", Shade.DOME),
        *[
            Fill(ribbon(smooth([(x, -0.2 + dip * 0.4), (x * 1.15, 0.1), (x * 1.3, 0.42)]), 0.024), (48, 32, 20))
            for x in (-0.66, -0.56, -0.44, 0.44, 0.56, 0.66)
        ],
        *strap(rim, 0.08, bag.patina),
        *cord(braid, 0.12, bag.patina),
        *knots,
        *_mirrored(lambda s: ring(s * 0.52, -0.3, 0.1, 0.04, bag.metal)),
        *_mirrored(lambda s: _tab(s * 0.52, -0.24, (0.17, 0.24), bag.patina, bag.metal)),
        *cord(smooth([(0.0, -0.2 + dip), (0.04, 0.05), (0.0, 0.2)]), 0.03, bag.patina),
    ]
    return Drawing(tuple(fills), body, 0.24, (58, 40, 28))


def _lussac(bag: Piece) -> Drawing:
    yellow = darker(YELLOW, bag.fade)
    body = rounded([(-0.78, -0.5), (0.78, -0.5), (0.98, 0.72), (-0.98, 0.72)], [0.05, 0.05, 0.2, 0.2])
    top = -1.5 * bag.handles
    fills = [
        *strap(_handle(0.34, -0.42, top + 0.08, -0.1), 0.075, darker(yellow, 0.74)),
        Fill(body, yellow, "epi", Shade.DOME),
        *_zip(as_points([(-0.74, -0.45), (0.74, -0.45)]), darker(yellow, 0.8), bag.metal),
        *_mirrored(lambda s: strap(as_points([(s * 0.38, -0.4), (s * 0.44, 0.7)]), 0.09, darker(yellow, 0.86))),
        *strap(_handle(0.38, -0.36, top), 0.08, darker(yellow, 0.94)),
        *_mirrored(lambda s: rivet(s * 0.385, -0.28, 0.03, bag.metal)),
        *stitches(as_points([(-0.9, 0.6), (0.9, 0.6)]), yellow),
        *_mirrored(
            lambda s: [
                Fill(rounded([(s * 0.92, 0.4), (s * 0.99, 0.72), (s * 0.7, 0.73)], 0.08), darker(yellow, 0.8), "epi")
            ]
        ),
    ]
    return Drawing(tuple(fills), body, 0.36, darker(yellow, 0.66))


_DRAWERS: dict[str, Callable[[Piece], Drawing]] = {
    "M41108": _speedy,
    "N41361": _neverfull,
    "M52147": _alma,
    "M41418": _keepall,
    "M44005": _noe,
    "N51303": _papillon,
    "N58024": _michael,
    "M40718": _favorite,
    "M51140": _sac_plat,
    "M52194": _saint_cloud,
    "M40249": _artsy,
    "M52289": _lussac,
}
