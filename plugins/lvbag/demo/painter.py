"""Paints a `Drawing` into a sprite: colours on black with a hard-edged mask.

A sprite is larger than the bag in any photo, so that shrinking it smooths every edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from lvbag.demo.shapes import Colour, Drawing, Fill, Shade
from lvbag.demo.textures import SIDE_PX, texture

PX_PER_UNIT = 230.0
_MARGIN_PX = 4
_TINTED = ("epi", "leather")


@dataclass(frozen=True)
class Sprite:
    """A painted thing: `rgb` is black where `alpha` (0 or 255) is 0; `origin` is the unit (0, 0) in its pixels."""

    rgb: Image.Image
    alpha: Image.Image
    origin: tuple[float, float]


def paint(drawing: Drawing, cut: tuple[int, int]) -> Sprite:
    """Paint the drawing; `cut` moves the textures (pixels), so that no two pieces are cut from the same cloth."""
    extent = drawing.extent() * PX_PER_UNIT
    low = np.floor(extent.min(axis=0)) - _MARGIN_PX
    size = np.ceil(extent.max(axis=0)) - low + _MARGIN_PX
    rgb = Image.new("RGB", (int(size[0]), int(size[1])))
    alpha = Image.new("L", rgb.size)
    on_rgb, on_alpha = ImageDraw.Draw(rgb), ImageDraw.Draw(alpha)
    for fill in drawing.fills:
        outline = fill.points * PX_PER_UNIT - low
        flat: list[float] = outline.ravel().tolist()
        on_alpha.polygon(flat, fill=255)
        if fill.texture is None:
            on_rgb.polygon(flat, fill=fill.colour)
        else:
            _paint_texture(rgb, fill, outline, cut)
    return Sprite(rgb, alpha, (-float(low[0]), -float(low[1])))


def _paint_texture(rgb: Image.Image, fill: Fill, outline: np.ndarray, cut: tuple[int, int]) -> None:
    x0, y0 = (int(value) for value in np.floor(outline.min(axis=0)))
    x1, y1 = (int(value) + 1 for value in np.ceil(outline.max(axis=0)))
    width, height = min(x1 - x0, SIDE_PX), min(y1 - y0, SIDE_PX)
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).polygon((outline - (x0, y0)).ravel().tolist(), fill=255)
    left, top = cut[0] % (SIDE_PX - width + 1), cut[1] % (SIDE_PX - height + 1)
    name = fill.texture or ""
    cloth = texture(name).crop((left, top, left + width, top + height))
    if name in _TINTED:
        cloth = cloth.point(_tint(fill.colour))
    if fill.shade is not Shade.FLAT:
        light = _light(fill.shade, mask)
        cloth = ImageChops.multiply(cloth, Image.merge("RGB", (light, light, light)))
    rgb.paste(cloth, (x0, y0), mask)


@lru_cache(maxsize=64)
def _tint(colour: Colour) -> list[int]:
    """The lookup table that turns a grey texture around 200 into the colour."""
    return [min(255, round(level * value / 180)) for value in colour for level in range(256)]


def _light(shade: Shade, mask: Image.Image) -> Image.Image:
    """Light over a mask, 0 to 255: its edges in shadow, and for a barrel bands along it."""
    small = mask.resize((max(4, mask.width // 8), max(4, mask.height // 8)), Image.Resampling.BOX)
    radius = max(small.size) * (0.05 if shade is Shade.BARREL else 0.08)
    soft = small.filter(ImageFilter.GaussianBlur(radius)).point(
        [round(70 + 185 * (v / 255) ** 0.8) for v in range(256)]
    )
    light = ImageChops.multiply(soft, _profile(shade).resize(small.size, Image.Resampling.BICUBIC))
    return light.resize(mask.size, Image.Resampling.BICUBIC)


@lru_cache(maxsize=4)
def _profile(shade: Shade) -> Image.Image:
    down = np.linspace(0.0, 1.0, 24)[:, None]
    across = np.linspace(0.0, 1.0, 24)[None, :]
    if shade is Shade.BARREL:
        values = 1.06 * np.exp(-(((down - 0.34) / 0.42) ** 2)) + 0.16 + 0 * across
    else:
        values = 1.02 - 0.32 * down**1.7 - 0.14 * (across - 0.4) ** 2
    return Image.fromarray((values.clip(0, 1) * 255).astype(np.uint8))
