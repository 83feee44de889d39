"""What stands behind the thing in a photo: studio paper, floors and walls, clutter out of focus."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from lvbag.demo.shapes import Colour, darker
from lvbag.demo.textures import SIDE_PX, texture

FLOORS = ("wood", "marble", "linen", "carpet", "tiles", "grass")
WALLS: tuple[Colour, ...] = (
    (226, 220, 210), (196, 208, 214), (214, 196, 186), (120, 130, 136), (232, 226, 196), (170, 182, 166), (94, 84, 88),
)  # fmt: skip
STUDIO: tuple[Colour, ...] = ((255, 255, 255), (255, 255, 255), (252, 252, 252), (238, 238, 240), (244, 238, 232))
_BLUR = 3  # clutter is drawn this many times smaller and enlarged


def studio(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Paper of one colour with a soft fall-off."""
    colour = rng.choice(STUDIO)
    paper = Image.new("RGB", size, colour)
    if colour == (255, 255, 255):
        return paper
    return ImageChops.multiply(paper, falloff(size, rng.uniform(0.3, 0.7), 0.10))


def room(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """A floor or table with a wall behind it and things standing around."""
    width, height = size
    picture = _patch(rng, rng.choice(FLOORS), size)
    if rng.random() < 0.7:
        horizon = round(height * rng.uniform(0.25, 0.6))
        wall = (
            _patch(rng, "brick", (width, horizon))
            if rng.random() < 0.2
            else Image.new("RGB", (width, horizon), rng.choice(WALLS))
        )
        picture.paste(wall, (0, 0))
        _clutter(rng, picture, horizon)
    else:
        _scattered(rng, picture)
    return picture


@lru_cache(maxsize=8)
def _disc() -> Image.Image:
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    return Image.fromarray((255 * np.clip(1.0 - (x**2 + y**2) / 2, 0, 1)).astype(np.uint8))


def falloff(size: tuple[int, int], centre: float, strength: float) -> Image.Image:
    """A vignette to multiply with, RGB: 255 in the middle, `strength` (0 to 1) darker in the corners."""
    width, height = size
    large = _disc().resize((round(width * 1.3), round(height * 1.3)), Image.Resampling.BILINEAR)
    left, top = round(width * 0.3 * (1 - centre)), round(height * 0.15)
    light = large.crop((left, top, left + width, top + height))
    light = light.point([round(255 * (1 - strength * (1 - value / 255))) for value in range(256)])
    return Image.merge("RGB", (light, light, light))


def _patch(rng: random.Random, name: str, size: tuple[int, int]) -> Image.Image:
    """A piece of a texture, its tone a little changed."""
    left, top = rng.randrange(SIDE_PX - size[0]), rng.randrange(SIDE_PX - size[1])
    piece = texture(name).crop((left, top, left + size[0], top + size[1]))
    if rng.random() < 0.5:
        piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    gains = [rng.uniform(0.7, 1.12) * tint for tint in (rng.uniform(0.93, 1.06), 1.0, rng.uniform(0.9, 1.08))]
    common = rng.uniform(0.9, 1.05)
    return piece.point(
        [min(255, round(level * common * (gains[0] + gain) / 2)) for gain in gains for level in range(256)]
    )


def _clutter(rng: random.Random, picture: Image.Image, horizon: int) -> None:
    """Books, frames, plants and lamps along the wall, out of focus."""
    width, height = picture.width // _BLUR, picture.height // _BLUR
    small = picture.resize((width, height), Image.Resampling.BOX)
    draw = ImageDraw.Draw(small)
    base = horizon // _BLUR
    for _ in range(rng.randrange(2, 7)):
        _THINGS[rng.randrange(len(_THINGS))](rng, draw, rng.randrange(width), base)
    soft = small.resize(picture.size, Image.Resampling.BICUBIC)
    bottom = min(picture.height, horizon + 24)
    picture.paste(soft.crop((0, 0, picture.width, bottom)), (0, 0))


def _books(rng: random.Random, draw: ImageDraw.ImageDraw, x: int, base: int) -> None:
    for _ in range(rng.randrange(2, 6)):
        width, height = rng.randrange(4, 9), rng.randrange(18, 40)
        draw.rectangle((x, base - height, x + width, base + 5), fill=_any_colour(rng))
        x += width + 1


def _frame_on_wall(rng: random.Random, draw: ImageDraw.ImageDraw, x: int, base: int) -> None:
    width, height = rng.randrange(18, 42), rng.randrange(16, 36)
    top = max(0, base - height - rng.randrange(6, 30))
    draw.rectangle((x, top, x + width, top + height), fill=_any_colour(rng), outline=(60, 44, 32), width=2)


def _plant(rng: random.Random, draw: ImageDraw.ImageDraw, x: int, base: int) -> None:
    green = (rng.randrange(40, 90), rng.randrange(100, 150), rng.randrange(50, 90))
    for _ in range(9):
        dx, dy = rng.randrange(-16, 17), rng.randrange(14, 44)
        draw.line((x, base - 8, x + dx, base - dy), fill=darker(green, rng.uniform(0.7, 1.2)), width=3)
    draw.polygon([(x - 9, base - 12), (x + 9, base - 12), (x + 6, base + 6), (x - 6, base + 6)], fill=(170, 104, 76))


def _lamp(rng: random.Random, draw: ImageDraw.ImageDraw, x: int, base: int) -> None:
    height = rng.randrange(28, 56)
    draw.rectangle((x - 1, base - height, x + 1, base + 5), fill=(70, 64, 60))
    draw.polygon(
        [(x - 7, base - height), (x + 7, base - height), (x + 13, base - height + 16), (x - 13, base - height + 16)],
        fill=(246, 230, 176),
    )


def _cupboard(rng: random.Random, draw: ImageDraw.ImageDraw, x: int, base: int) -> None:
    width, height = rng.randrange(30, 64), rng.randrange(20, 60)
    colour = _any_colour(rng)
    draw.rectangle((x - width // 2, base - height, x + width // 2, base + 6), fill=colour)
    draw.line((x, base - height, x, base + 6), fill=darker(colour, 0.6))
    draw.ellipse((x - 5, base - height // 2, x - 3, base - height // 2 + 2), fill=(220, 200, 140))


_THINGS = (_books, _frame_on_wall, _plant, _lamp, _cupboard)


def _scattered(rng: random.Random, picture: Image.Image) -> None:
    """Papers, cups and pens lying at the edges of a photo that was taken from above."""
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for _ in range(rng.randrange(1, 6)):
        x = rng.choice([rng.randrange(width // 5), width - rng.randrange(width // 5)])
        y = rng.randrange(height)
        colour = _any_colour(rng)
        size = rng.randrange(24, 70)
        if rng.random() < 0.4:
            draw.ellipse(
                (x - size // 2 + 4, y - size // 2 + 5, x + size // 2 + 4, y + size // 2 + 5), fill=darker(colour, 0.35)
            )
            draw.ellipse((x - size // 2, y - size // 2, x + size // 2, y + size // 2), fill=colour)
            draw.ellipse((x - size // 3, y - size // 3, x + size // 3, y + size // 3), fill=darker(colour, 0.7))
        else:
            dx, dy = rng.randrange(-18, 19), rng.randrange(10, 30)
            corners = [
                (x - size // 2, y - size // 2),
                (x + size // 2, y - size // 2 + dx),
                (x + size // 2 - dx, y + dy + dx),
                (x - size // 2 - dx, y + dy),
            ]
            draw.polygon([(a + 4, b + 5) for a, b in corners], fill=(60, 52, 48))
            draw.polygon(corners, fill=colour)


def _any_colour(rng: random.Random) -> Colour:
    return rng.randrange(40, 240), rng.randrange(40, 230), rng.randrange(40, 230)
