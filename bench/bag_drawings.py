"""The bags of `bag_shots` as drawings: the demo's in other cloths, and others put together from parts by a seed."""

from __future__ import annotations

import colorsys
import random
from dataclasses import dataclass, replace

import numpy as np

from lvbag.demo.bags import draw_bag, drawn_products, piece
from lvbag.demo.shapes import (
    GOLD,
    SILVER,
    Colour,
    Drawing,
    Fill,
    Shade,
    as_points,
    chain,
    cord,
    darker,
    plate,
    ring,
    rivet,
    rounded,
    smooth,
    stitches,
    strap,
)

CANVASES = ("monogram", "damier_ebene", "damier_azur", "damier_graphite")
LEATHERS: tuple[Colour, ...] = (
    (40, 40, 44), (92, 60, 40), (178, 24, 36), (26, 62, 142), (18, 94, 68), (232, 184, 32), (222, 190, 150),
    (236, 232, 222), (206, 120, 150), (120, 120, 126), (112, 28, 48), (232, 120, 40), (150, 190, 210), (70, 76, 40),
    (28, 32, 62), (190, 160, 200),
)  # fmt: skip
METALS: tuple[Colour, ...] = (GOLD, SILVER, (52, 50, 52), (190, 120, 90))


@dataclass(frozen=True)
class Wish:
    """Which bag: the design, and which of its cloths, metals and pieces; `size` is width and height, 1 as designed."""

    seed: int
    design: int
    colour: int
    hardware: int
    piece: int
    size: tuple[float, float]


@dataclass(frozen=True)
class _MadeOf:
    texture: str
    colour: Colour
    trim: Colour
    metal: Colour


def metals(rng: random.Random) -> list[Colour]:
    """In the order in which a design takes them."""
    found = list(METALS)
    rng.shuffle(found)
    return found


def _cloth(number: int, rng: random.Random) -> tuple[str, Colour]:
    """What the body is made of: the colours of a design are all different."""
    cloths = [(name, (40, 40, 44)) for name in CANVASES]
    cloths += [(rng.choice(("epi", "leather")), colour) for colour in LEATHERS]
    rng.shuffle(cloths)
    return cloths[number]


def demo_bag(wish: Wish) -> Drawing:
    """One of the demo's drawings, its body in another cloth, its metal in another colour."""
    rng = random.Random(f"bag/{wish.seed}/demo/{wish.design}")
    wide, high = wish.size
    products = drawn_products()
    code = products[wish.design % len(products)]
    texture, colour = _cloth(wish.colour, rng)
    one = replace(piece(f"{wish.seed}/{wish.design}/{wish.piece}"), metal=metals(rng)[wish.hardware], charm="")
    drawing = draw_bag(code, one)
    base = drawing.side
    fills = []
    for fill in drawing.fills:
        points = fill.points * np.array([wide, high])
        if fill.texture in (*CANVASES, "epi"):
            factor = sum(fill.colour) / max(1, sum(_main(drawing))) if fill.texture == "epi" else 1.0
            name = texture if texture in CANVASES and factor > 0.9 else ("epi" if texture in CANVASES else texture)
            fills.append(Fill(points, darker(colour, min(1.1, factor)), name, fill.shade))
        elif fill.texture is None and _hue_apart(fill.colour, base) < 0.06:
            fills.append(Fill(points, darker(colour, sum(fill.colour) / max(1, sum(_main(drawing)))), None, fill.shade))
        else:
            fills.append(Fill(points, fill.colour, fill.texture, fill.shade))
    return Drawing(tuple(fills), drawing.body * np.array([wide, high]), drawing.depth * high, darker(colour, 0.6))


def _main(drawing: Drawing) -> Colour:
    return next((fill.colour for fill in drawing.fills if fill.texture == "epi"), drawing.side)


def _hue_apart(one: Colour, other: Colour) -> float:
    (h1, s1, _), (h2, s2, _) = (colorsys.rgb_to_hsv(*(value / 255 for value in colour)) for colour in (one, other))
    return min(abs(h1 - h2), 1 - abs(h1 - h2)) if min(s1, s2) > 0.2 else 1.0


def drawn_bag(wish: Wish) -> Drawing:
    """A bag of parts chosen by the seed; only its body grows with the size, metal and straps stay as they are."""
    rng = random.Random(f"bag/{wish.seed}/drawn/{wish.design}")
    wide, high = wish.size
    cloth_rng, metal_rng = random.Random(rng.random()), random.Random(rng.random())
    texture, colour = _cloth(wish.colour, cloth_rng)
    metal = metals(metal_rng)[wish.hardware]
    trim = darker(colour, 0.7) if rng.random() < 0.5 else rng.choice(((206, 160, 110), (74, 42, 32), (40, 40, 44)))
    w, h = wide * rng.uniform(0.7, 1.15), high * rng.uniform(0.45, 0.85)
    taper, corner = rng.uniform(0.82, 1.18), rng.uniform(0.04, 0.4)
    bulge = rng.uniform(0.0, 0.12)
    body = rounded(
        [(-w * taper, -h), (0.0, -h - bulge * h), (w * taper, -h), (w, h), (0, h + bulge * h * 0.5), (-w, h)],
        [corner, 0.6, corner, corner, 0.6, corner],
    )
    worn = random.Random(f"worn/{wish.seed}/{wish.design}/{wish.piece}")
    body = body * np.array([worn.uniform(0.985, 1.015), worn.uniform(0.985, 1.015)])
    lift = worn.uniform(0.96, 1.04)
    fills: list[Fill] = []
    made_of = _MadeOf(texture, colour, trim, metal)
    fills += _handles(rng, (w * taper, h, lift), made_of)
    fills.append(Fill(body, colour, texture, rng.choice((Shade.DOME, Shade.BARREL, Shade.DOME))))
    fills += _front(rng, (w, h, taper), made_of)
    return Drawing(
        tuple(fills), body, rng.uniform(0.15, 0.5), darker(colour if texture not in CANVASES else (70, 50, 36), 0.6)
    )


def _handles(rng: random.Random, shape: tuple[float, float, float], made_of: _MadeOf) -> list[Fill]:
    (w, h, lift), trim, metal = shape, made_of.trim, made_of.metal
    kind = rng.choice(("two", "one", "chain", "strap", "none"))
    x, top = w * rng.uniform(0.3, 0.6), -h - rng.uniform(0.4, 0.8) * lift
    path = smooth(
        [
            (-x, -h * 0.8),
            (-x * 0.96, (-h + top) / 2),
            (-x * 0.6, top),
            (x * 0.6, top),
            (x * 0.96, (-h + top) / 2),
            (x, -h * 0.8),
        ]
    )
    if kind == "none":
        return []
    if kind == "chain":
        long = smooth([(-w * 0.95, -h * 0.8), (-w * 0.6, top - 0.2), (w * 0.5, top - 0.1), (w * 0.95, -h * 0.8)])
        return chain(long, 0.085, metal)
    if kind == "strap":
        long = smooth([(-w * 0.95, -h * 0.7), (-w * 0.7, top - 0.3), (w * 0.6, top - 0.2), (w * 0.95, -h * 0.7)])
        return [
            *strap(long, 0.08, trim),
            *ring(-w * 0.93, -h * 0.7, 0.06, 0.024, metal),
            *ring(w * 0.93, -h * 0.7, 0.06, 0.024, metal),
        ]
    back = cord(path + np.array([0.05, 0.06]), 0.055, darker(trim, 0.75)) if kind == "two" else []
    return [*back, *cord(path, 0.068, trim)]


def _front(rng: random.Random, shape: tuple[float, float, float], made_of: _MadeOf) -> list[Fill]:
    w, h, taper = shape
    texture, colour, trim, metal = made_of.texture, made_of.colour, made_of.trim, made_of.metal
    fills: list[Fill] = []
    if rng.random() < 0.4:  # a flap
        deep = h * rng.uniform(-0.3, 0.4)
        flap = rounded(
            [
                (-w * taper, -h * 1.02),
                (w * taper, -h * 1.02),
                (w * 0.98, deep - 0.2),
                (0.0, deep + 0.1),
                (-w * 0.98, deep - 0.2),
            ],
            [0.05, 0.05, 0.2, 0.4, 0.2],
        )
        fills += [
            Fill(flap + np.array([0, 0.03]), darker(colour, 0.3)),
            Fill(flap, darker(colour, 0.95), texture, Shade.DOME),
        ]
        fills += plate(
            [(-0.12, deep - 0.02), (0.12, deep - 0.02), (0.12, deep + 0.16), (-0.12, deep + 0.16)], 0.04, metal
        )
    if rng.random() < 0.35:  # a pocket
        pw, ph = w * rng.uniform(0.45, 0.75), h * rng.uniform(0.3, 0.5)
        pocket = rounded([(-pw, h * 0.9 - 2 * ph), (pw, h * 0.9 - 2 * ph), (pw, h * 0.9), (-pw, h * 0.9)], 0.08)
        fills += [
            Fill(pocket + np.array([0, 0.02]), darker(colour, 0.35)),
            Fill(pocket, darker(colour, 0.92), texture, Shade.DOME),
        ]
        fills += stitches(np.concatenate([pocket, pocket[:1]]), colour)
    if rng.random() < 0.5:  # bands
        at = w * rng.uniform(0.3, 0.7)
        for side in (-1, 1):
            fills += strap(as_points([(side * at, -h * 0.95), (side * at, h * 0.97)]), rng.uniform(0.06, 0.14), trim)
            fills += rivet(side * at, -h * 0.6, 0.04, metal)
    if rng.random() < 0.4:
        fills += strap(as_points([(-w * taper * 0.98, -h * 0.9), (w * taper * 0.98, -h * 0.9)]), 0.08, trim)
    if rng.random() < 0.4:
        size = rng.uniform(0.05, 0.14)
        fills += plate([(-size, -size), (size, -size), (size, size), (-size, size)], size * 0.4, metal)
    return fills
