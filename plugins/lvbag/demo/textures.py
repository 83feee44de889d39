"""Canvases, leathers and floors as large pictures, drawn once per process and cut from afterwards."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SIDE_PX = 1024


@lru_cache(maxsize=32)
def texture(name: str) -> Image.Image:
    """The texture of a name: RGB, SIDE_PX square. Epi and leather are grey around 200, to be tinted.

    Do not change the picture that you get.
    """
    return _MAKERS[name]()


@lru_cache(maxsize=1)
def grain() -> Image.Image:
    """Sensor noise around 128, RGB, SIDE_PX square."""
    values = _noise("grain").normal(128, 4.0, (SIDE_PX, SIDE_PX, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _noise(name: str) -> np.random.Generator:
    return np.random.default_rng(random.Random(name).getrandbits(64))


def _cloud(name: str, cells: tuple[int, int], low: float, high: float) -> npt.NDArray[np.float64]:
    """Smooth noise, (SIDE_PX, SIDE_PX), with the given number of cells across and down."""
    small = _noise(name).uniform(low, high, (cells[1], cells[0])).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC), dtype=np.float64)


def _tinted(grey: npt.NDArray[np.float64], colour: tuple[int, int, int]) -> Image.Image:
    return Image.fromarray((grey[..., None] * np.array(colour)).clip(0, 255).astype(np.uint8))


def _monogram() -> Image.Image:
    """Tan letters, flowers and diamonds in staggered rows on brown."""
    image = Image.new("RGB", (SIDE_PX * 2, SIDE_PX * 2), (84, 58, 38))
    draw = ImageDraw.Draw(image)
    cell = 92
    for row in range(-1, SIDE_PX * 2 // cell + 1):
        for column in range(-1, SIDE_PX * 2 // cell + 1):
            x, y = column * cell + (cell // 2 if row % 2 else 0), row * cell
            _motif(draw, (column + 2 * (row // 2)) % 2 + 2 * (row % 2), x, y)
    image = image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return _speckled(image, "monogram", 0.06)


def _motif(draw: ImageDraw.ImageDraw, kind: int, x: int, y: int) -> None:
    tan = (188, 148, 92)
    if kind == 0:
        draw.line([(x - 20, y - 24), (x - 20, y + 18), (x + 6, y + 18)], fill=tan, width=8)
        draw.line([(x - 8, y - 20), (x + 8, y + 24), (x + 26, y - 20)], fill=tan, width=8)
    elif kind == 1:
        for dx, dy in ((0, -15), (15, 0), (0, 15), (-15, 0)):
            draw.ellipse((x + dx - 11, y + dy - 11, x + dx + 11, y + dy + 11), fill=tan)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=(84, 58, 38))
    elif kind == 2:
        draw.ellipse((x - 27, y - 27, x + 27, y + 27), fill=tan)
        draw.polygon(
            [
                (x, y - 22),
                (x + 7, y - 7),
                (x + 22, y),
                (x + 7, y + 7),
                (x, y + 22),
                (x - 7, y + 7),
                (x - 22, y),
                (x - 7, y - 7),
            ],
            fill=(84, 58, 38),
        )
    else:
        draw.polygon([(x, y - 32), (x + 25, y), (x, y + 32), (x - 25, y)], fill=tan)
        draw.polygon([(x, y - 17), (x + 12, y), (x, y + 17), (x - 12, y)], fill=(84, 58, 38))


def _damier(dark: tuple[int, int, int], light: tuple[int, int, int], name: str) -> Image.Image:
    """A checkerboard with woven squares."""
    square = 38
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    board = ((x // square + y // square) % 2)[..., None]
    values = np.where(board == 1, np.array(light), np.array(dark)).astype(np.float64)
    weave = 1.0 + 0.07 * np.sin((x + y) * 1.25) * np.where(board[..., 0] == 1, 1.0, -1.0)
    return _speckled(Image.fromarray((values * weave[..., None]).clip(0, 255).astype(np.uint8)), name, 0.05)


def _speckled(image: Image.Image, name: str, strength: float) -> Image.Image:
    noise = _noise(name).normal(1.0, strength, (SIDE_PX, SIDE_PX))
    return Image.fromarray((np.asarray(image) * noise[..., None]).clip(0, 255).astype(np.uint8))


def _epi() -> Image.Image:
    """Fine ridges that run across, a little wavy."""
    y, _ = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    wave = _cloud("epi-wave", (24, 90), -2.6, 2.6)
    ridges = np.sin((y + wave * 2.0) * (2 * np.pi / 9.0))
    breaks = _cloud("epi-breaks", (70, 240), 0.55, 1.0)
    return _tinted(0.80 + 0.20 * ridges * breaks, (212, 212, 212))


def _leather() -> Image.Image:
    """Fine pores with soft clouds."""
    pores = _cloud("pores", (300, 300), 0.9, 1.08)
    return _tinted(pores * _cloud("patina", (7, 7), 0.9, 1.06), (212, 212, 212))


def _wood() -> Image.Image:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    rings = np.sin((y + _cloud("wood-bend", (5, 16), -22, 22)) * 0.23) * 0.07
    board = (y // 148) % 7
    tone = 0.86 + 0.05 * board.astype(np.float64) % 0.21 + rings + _cloud("wood-fibre", (18, 400), -0.07, 0.07)
    gap = (y % 148 < 4) | ((x + board * 311) % 700 < 4)
    return _tinted(np.where(gap, 0.4, tone), (186, 138, 92))


def _marble() -> Image.Image:
    veins = np.abs(_cloud("vein-a", (9, 9), -1, 1) + 0.5 * _cloud("vein-b", (26, 26), -1, 1))
    return _tinted(1.0 - 0.32 * np.exp(-veins * 14) - _cloud("vein-c", (5, 5), 0.0, 0.09), (240, 238, 234))


def _linen() -> Image.Image:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    threads = 0.03 * (np.sin(x * 1.5) + np.sin(y * 1.5))
    folds = _cloud("folds", (4, 9), -0.16, 0.1)
    return _tinted(0.93 + threads + folds, (222, 214, 202))


def _carpet() -> Image.Image:
    return _tinted(_cloud("tufts", (260, 260), 0.6, 1.1) * _cloud("worn", (6, 6), 0.85, 1.05), (150, 146, 158))


def _tiles() -> Image.Image:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    seam = (x % 170 < 5) | (y % 170 < 5)
    tone = 0.9 + 0.08 * np.sin((x // 170) * 2.1 + (y // 170) * 3.7) + _cloud("glaze", (40, 40), -0.03, 0.03)
    return _tinted(np.where(seam, 0.66, tone), (178, 190, 192))


def _brick() -> Image.Image:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    row = y // 62
    seam = (y % 62 < 7) | ((x + (row % 2) * 75) % 150 < 7)
    tone = 0.82 + 0.16 * np.sin(row * 5.3 + ((x + (row % 2) * 75) // 150) * 2.7) + _cloud("grit", (220, 220), -0.1, 0.1)
    image = np.asarray(_tinted(tone, (160, 88, 70))).copy()
    image[seam] = (188, 180, 172)
    return Image.fromarray(image).filter(ImageFilter.BoxBlur(1))


def _grass() -> Image.Image:
    blades = _cloud("blades", (420, 150), 0.45, 1.15) * _cloud("meadow", (8, 8), 0.8, 1.1)
    return _tinted(blades, (96, 138, 66))


_MAKERS = {
    "monogram": _monogram,
    "damier_ebene": lambda: _damier((52, 35, 27), (116, 80, 55), "ebene"),
    "damier_azur": lambda: _damier((128, 138, 158), (238, 230, 210), "azur"),
    "damier_graphite": lambda: _damier((30, 31, 35), (84, 87, 94), "graphite"),
    "epi": _epi,
    "leather": _leather,
    "wood": _wood,
    "marble": _marble,
    "linen": _linen,
    "carpet": _carpet,
    "tiles": _tiles,
    "brick": _brick,
    "grass": _grass,
}
