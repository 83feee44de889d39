"""Drawings of what is no bag but stands in the same shops: shoes, wallets, boxes, people."""

from __future__ import annotations

import random

import numpy as np

from lvbag.demo.shapes import (
    GOLD,
    Colour,
    Drawing,
    Fill,
    Shade,
    as_points,
    cord,
    darker,
    ellipse,
    plate,
    ribbon,
    rounded,
    smooth,
    stitches,
    strap,
)

COLOURS: tuple[Colour, ...] = (
    (196, 44, 52), (36, 70, 140), (230, 226, 218), (42, 42, 46), (214, 168, 120), (88, 128, 84), (226, 150, 170),
)  # fmt: skip
HAND = (0.66, 0.24)
"""Where the right hand of a drawn person is, in units."""
SKINS: tuple[Colour, ...] = ((236, 200, 172), (206, 160, 122), (140, 96, 68), (92, 62, 46))
HAIRS: tuple[Colour, ...] = ((44, 30, 24), (110, 72, 40), (206, 170, 104), (20, 18, 20))


def draw_shoe(rng: random.Random) -> Drawing:
    """A sneaker or a heel, from the side."""
    colour = rng.choice(COLOURS)
    return _heel(colour) if rng.random() < 0.5 else _sneaker(colour, rng.choice(COLOURS))


def _sneaker(colour: Colour, accent: Colour) -> Drawing:
    upper = smooth(
        [
            (-0.95, -0.1),
            (-0.8, -0.42),
            (-0.35, -0.46),
            (-0.1, -0.2),
            (0.4, 0.02),
            (0.92, 0.14),
            (1.02, 0.36),
            (-0.98, 0.36),
        ],
        closed=True,
    )
    sole = rounded([(-1.04, 0.3), (1.06, 0.3), (1.04, 0.5), (-1.0, 0.52)], 0.09)
    laces = [
        part
        for x, y in ((-0.16, -0.2), (0.0, -0.1), (0.16, -0.03))
        for part in cord(as_points([(x - 0.12, y + 0.1), (x + 0.1, y - 0.04)]), 0.04, (240, 240, 240))
    ]
    stripe = smooth([(-0.7, 0.1), (-0.3, 0.02), (0.1, 0.24), (0.0, 0.3), (-0.34, 0.14), (-0.7, 0.22)], closed=True)
    fills = [
        Fill(upper, colour, "leather", Shade.DOME),
        Fill(ellipse(-0.58, -0.4, 0.24, 0.07), darker(colour, 0.4)),
        Fill(stripe, accent),
        *laces,
        Fill(sole, (236, 234, 228)),
        Fill(ribbon(as_points([(-1.0, 0.44), (1.02, 0.42)]), 0.03), (180, 176, 170)),
    ]
    return Drawing(tuple(fills), sole, 0.35, (190, 186, 180))


def _heel(colour: Colour) -> Drawing:
    upper = smooth(
        [
            (-0.92, -0.5),
            (-0.7, -0.36),
            (-0.4, -0.06),
            (0.1, 0.2),
            (0.44, 0.14),
            (0.98, 0.42),
            (0.9, 0.5),
            (0.3, 0.5),
            (-0.3, 0.26),
            (-0.9, -0.1),
        ],
        closed=True,
    )
    fills = [
        Fill(rounded([(-0.94, -0.2), (-0.74, -0.12), (-0.82, 0.52), (-0.9, 0.52)], 0.02), darker(colour, 0.7)),
        Fill(upper, colour, "leather", Shade.DOME),
        Fill(
            smooth([(-0.84, -0.42), (-0.4, -0.04), (0.1, 0.22), (0.4, 0.18), (0.0, 0.28), (-0.5, 0.06)], closed=True),
            (60, 40, 36),
        ),
        Fill(ribbon(smooth([(-0.92, -0.08), (-0.3, 0.28), (0.3, 0.52), (0.92, 0.52)]), 0.035), (178, 36, 40)),
    ]
    return Drawing(tuple(fills), upper, 0.2, darker(colour, 0.5))


def draw_wallet(rng: random.Random) -> Drawing:
    """A purse lying closed or half open, in canvas or leather."""
    cloth = rng.choice(["monogram", "damier_ebene", "leather", "epi"])
    colour = rng.choice(COLOURS)
    height = rng.uniform(0.42, 0.72)
    body = rounded([(-0.92, -height), (0.92, -height), (0.92, height), (-0.92, height)], 0.08)
    outline = np.concatenate([body, body[:1]])
    fills = [
        Fill(body + np.array([0.04, 0.05]), darker(colour, 0.4)),
        Fill(body, colour, cloth, Shade.DOME),
        *stitches(outline, colour, 0.05),
    ]
    if rng.random() < 0.5:
        fills += [Fill(ribbon(as_points([(-0.92, 0.0), (0.92, 0.0)]), 0.025), darker(colour, 0.3))]
        fills += plate([(0.6, -0.12), (0.84, -0.12), (0.84, 0.12), (0.6, 0.12)], 0.05, GOLD)
    else:
        fills += strap(as_points([(0.5, -height), (0.5, height)]), 0.16, darker(colour, 0.8))
        fills += plate([(0.43, -0.08), (0.57, -0.08), (0.57, 0.08), (0.43, 0.08)], 0.06, GOLD)
    return Drawing(tuple(fills), body, 0.08, darker(colour, 0.4))


def draw_box(rng: random.Random) -> Drawing:
    """A gift box with a ribbon."""
    colour = rng.choice([(214, 118, 32), (236, 168, 84), (120, 84, 60), (228, 222, 210)])
    bow = rng.choice([(40, 66, 120), (120, 70, 40), (180, 40, 50)])
    body = rounded([(-0.85, -0.4), (0.85, -0.4), (0.82, 0.6), (-0.82, 0.6)], 0.02)
    lid = rounded([(-0.9, -0.56), (0.9, -0.56), (0.9, -0.28), (-0.9, -0.28)], 0.02)
    fills = [
        Fill(body, colour, "leather", Shade.DOME),
        Fill(lid + np.array([0.0, 0.03]), darker(colour, 0.5)),
        Fill(lid, darker(colour, 1.06), "leather"),
        Fill(ribbon(as_points([(0.0, -0.56), (0.0, 0.6)]), 0.13), bow),
        Fill(smooth([(0.0, -0.56), (-0.34, -0.82), (-0.4, -0.58)], closed=True), darker(bow, 1.15)),
        Fill(smooth([(0.0, -0.56), (0.34, -0.82), (0.4, -0.58)], closed=True), darker(bow, 0.9)),
        Fill(ellipse(0.0, -0.57, 0.08, 0.06), bow),
    ]
    return Drawing(tuple(fills), body, 0.7, darker(colour, 0.7))


def draw_person(rng: random.Random) -> Drawing:
    """A standing person, about 4.4 units tall; the right hand is at `HAND`."""
    skin, hair = rng.choice(SKINS), rng.choice(HAIRS)
    top, bottom = rng.choice(COLOURS), rng.choice(COLOURS)
    torso = rounded([(-0.5, -1.2), (0.5, -1.2), (0.42, 0.2), (-0.42, 0.2)], [0.22, 0.22, 0.08, 0.08])
    fills = [
        Fill(smooth([(-0.34, -1.9), (0.0, -2.14), (0.34, -1.9), (0.4, -1.2), (-0.4, -1.2)], closed=True), hair),
        Fill(rounded([(-0.12, -1.5), (0.12, -1.5), (0.14, -1.1), (-0.14, -1.1)], 0.05), darker(skin, 0.9)),
        Fill(ribbon(smooth([(-0.44, -1.02), (-0.7, -0.4), (-0.62, 0.2)]), 0.19), darker(top, 0.86)),
        Fill(ellipse(-0.62, 0.3, 0.1, 0.12), skin),
        Fill(rounded([(-0.40, 0.1), (0.02, 0.1), (-0.04, 2.1), (-0.34, 2.1)], 0.06), darker(bottom, 0.9), "leather"),
        Fill(rounded([(-0.02, 0.1), (0.40, 0.1), (0.34, 2.1), (0.04, 2.1)], 0.06), bottom, "leather"),
        Fill(rounded([(-0.44, 2.04), (-0.04, 2.04), (-0.04, 2.22), (-0.52, 2.22)], 0.07), (40, 34, 34)),
        Fill(rounded([(0.04, 2.04), (0.44, 2.04), (0.52, 2.22), (0.04, 2.22)], 0.07), (40, 34, 34)),
        Fill(torso, top, "leather", Shade.DOME),
        Fill(ribbon(smooth([(0.44, -1.02), (0.72, -0.4), HAND]), 0.19), darker(top, 0.94)),
        Fill(ellipse(HAND[0], HAND[1] + 0.06, 0.1, 0.12), skin),
        Fill(ellipse(0.0, -1.68, 0.25, 0.33), skin, "leather", Shade.DOME),
        Fill(
            smooth([(-0.28, -1.72), (-0.2, -1.98), (0.1, -2.04), (0.28, -1.74), (0.08, -1.88)], closed=True),
            darker(hair, 1.2),
        ),
        *[Fill(ellipse(x, -1.68, 0.03, 0.02, 10), (40, 30, 30)) for x in (-0.09, 0.09)],
        Fill(ribbon(smooth([(-0.07, -1.5), (0.0, -1.48), (0.07, -1.5)]), 0.022), (170, 70, 70)),
    ]
    return Drawing(tuple(fills), torso, 0.0, darker(top, 0.5))
