"""One photo: a thing in a place under a light. `compose` decides everything, `render` paints it.

The composition alone gives the bag's box, so the truth about a thousand photos costs no rendering.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from lvbag.demo import backdrops, camera, distractors
from lvbag.demo.bags import draw_bag, piece
from lvbag.demo.camera import Box, View
from lvbag.demo.painter import PX_PER_UNIT as _PX
from lvbag.demo.painter import Sprite, paint
from lvbag.demo.shapes import Drawing
from lvbag.demo.textures import SIDE_PX, grain

SIZES = ((480, 480), (480, 360), (360, 480), (480, 400), (400, 480))


class Subject(StrEnum):
    """What a photo shows."""

    BAG = "bag"
    PERSON_WITH_BAG = "person_with_bag"
    PERSON = "person"
    SHOE = "shoe"
    WALLET = "wallet"
    BOX = "box"
    BANNER = "banner"
    RECEIPT = "receipt"


WITH_BAG = frozenset({Subject.BAG, Subject.PERSON_WITH_BAG})


@dataclass(frozen=True)
class Shot:
    """A photo in words: the same words give the same pixels.

    `style_code` is the product where a bag is seen, else None; `piece_seed` names the physical thing, which several
    shots share, `shot_seed` this one photo of it. A `cut_out` has a transparent background.
    """

    subject: Subject
    style_code: str | None
    piece_seed: str
    shot_seed: str
    cut_out: bool = False


@dataclass(frozen=True)
class Layer:
    """A drawing in its view."""

    drawing: Drawing
    view: View
    sprite_key: tuple[str, str, str]  # subject, style code, piece seed


@dataclass(frozen=True)
class Composition:
    """What stands where; `layers` from back to front, `box` around the bag in pixels, None where there is none."""

    size: tuple[int, int]
    studio: bool
    layers: tuple[Layer, ...]
    box: Box | None


@lru_cache(maxsize=16)
def compose(shot: Shot) -> Composition:
    """Decide size, place and pose of everything in the photo."""
    rng = random.Random(f"compose/{shot.shot_seed}")
    size = rng.choice(SIZES)
    in_studio = shot.cut_out or rng.random() < 0.45
    if shot.subject in (Subject.BANNER, Subject.RECEIPT):
        return Composition(size, in_studio, (), None)
    if shot.subject in (Subject.PERSON, Subject.PERSON_WITH_BAG):
        return _with_person(shot, rng, in_studio)
    layer = _layer(shot.subject, shot.style_code or "", shot.piece_seed)
    pose = camera.turned(rng, upright=in_studio or rng.random() < 0.6)
    layer = replace(layer, view=camera.frame(layer.drawing, pose, size))
    box = _clipped(camera.box_of(layer.drawing, layer.view), size) if shot.subject is Subject.BAG else None
    return Composition(size, in_studio, (layer,), box)


def render(shot: Shot) -> Image.Image:
    """Paint the photo: RGB, or RGBA for a cut-out."""
    plan = compose(shot)
    rng = random.Random(f"render/{shot.shot_seed}")
    if shot.subject is Subject.BANNER:
        return _banner(rng, plan.size)
    backdrop = backdrops.studio(rng, plan.size) if plan.studio else backdrops.room(rng, plan.size)
    if shot.subject is Subject.RECEIPT:
        return _receipt(rng, backdrop)
    if shot.cut_out:
        return _cut_out(plan.layers[0], plan.size)
    for layer in plan.layers:
        backdrop = _put(layer, backdrop, rng, plan.studio)
    return _develop(rng, backdrop, plan.studio)


# ------------------------------------------------------------------ composing


def _with_person(shot: Shot, rng: random.Random, in_studio: bool) -> Composition:
    """A standing person, and the bag in the right hand or in front of the body."""
    size = (360, 480)
    person = _layer(Subject.PERSON, "", shot.piece_seed)
    pose = camera.Pose(
        rng.uniform(-0.2, 0.2), 0.0, rng.gauss(0, 0.02), False, rng.uniform(0.9, 0.97), (rng.random(), 0.6)
    )
    view = camera.frame(person.drawing, pose, size)
    person = replace(person, view=view)
    if shot.subject is Subject.PERSON:
        return Composition(size, in_studio, (person,), None)
    bag = _layer(Subject.BAG, shot.style_code or "", shot.piece_seed)
    grip = view.project(np.array([distractors.HAND]))[0]
    loose = camera.frame(bag.drawing, replace(pose, roll=rng.uniform(-0.1, 0.1), reach=1.0), size)
    low = loose.project(bag.drawing.extent())
    shrink = view.scale * rng.uniform(0.62, 0.8) / loose.scale
    top = low[low[:, 1].argmin()]
    offset = np.array(grip) - (top - np.array(loose.offset)) * shrink
    bag = replace(bag, view=View(loose.rotation, loose.scale * shrink, (float(offset[0]), float(offset[1]))))
    return Composition(size, in_studio, (person, bag), _clipped(camera.box_of(bag.drawing, bag.view), size))


def _layer(subject: Subject, style_code: str, piece_seed: str) -> Layer:
    key = (str(subject), style_code, piece_seed)
    return Layer(_drawing(key), View(np.eye(3), 1.0, (0.0, 0.0)), key)


@lru_cache(maxsize=64)
def _drawing(key: tuple[str, str, str]) -> Drawing:
    subject, style_code, seed = key
    if subject == Subject.BAG:
        return draw_bag(style_code, piece(seed))
    return _DISTRACTORS[Subject(subject)](random.Random(f"{subject}/{seed}"))


_DISTRACTORS = {
    Subject.SHOE: distractors.draw_shoe,
    Subject.WALLET: distractors.draw_wallet,
    Subject.BOX: distractors.draw_box,
    Subject.PERSON: distractors.draw_person,
}


@lru_cache(maxsize=12)
def _sprite(key: tuple[str, str, str]) -> Sprite:
    return paint(_drawing(key), piece(key[2]).cut)


def _clipped(box: Box, size: tuple[int, int]) -> Box:
    return max(0.0, box[0]), max(0.0, box[1]), min(float(size[0]), box[2]), min(float(size[1]), box[3])


# ------------------------------------------------------------------ painting


def _put(layer: Layer, picture: Image.Image, rng: random.Random, in_studio: bool) -> Image.Image:
    """The picture with the layer's shadow, depth and front on it."""
    left, top, front, alpha = _front(layer, picture.size)
    depth = _depth_mask(layer, picture.size)
    _cast_shadow(picture, ImageChops.lighter(_pasted(alpha, (left, top), picture.size), depth), rng, in_studio)
    picture.paste(layer.drawing.side, (0, 0), depth)
    region = picture.crop((left, top, left + front.width, top + front.height))
    hole = ImageChops.invert(alpha)
    region = ImageChops.add(ImageChops.multiply(region, Image.merge("RGB", (hole, hole, hole))), front)
    picture.paste(region, (left, top))
    return picture


def _front(layer: Layer, size: tuple[int, int]) -> tuple[int, int, Image.Image, Image.Image]:
    """The sprite as the camera sees it: left, top (pixels), premultiplied colours, mask; cut to the picture."""
    sprite = _sprite(layer.sprite_key)
    pixels = layer.view.project(layer.drawing.extent())
    left, top = (max(0, int(value)) for value in np.floor(pixels.min(axis=0)) - 1)
    right, bottom = (min(limit, int(value)) for limit, value in zip(size, np.ceil(pixels.max(axis=0)) + 1, strict=True))
    window = (max(1, right - left), max(1, bottom - top))
    from_sprite = np.array([[1 / _PX, 0, -sprite.origin[0] / _PX], [0, 1 / _PX, -sprite.origin[1] / _PX], [0, 0, 1]])
    to_window = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ layer.view.homography() @ from_sprite
    inverse = np.linalg.inv(to_window)
    coefficients = (inverse / inverse[2, 2]).ravel()[:8].tolist()
    warp = (window, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    return left, top, sprite.rgb.transform(*warp), sprite.alpha.transform(*warp)


def _depth_mask(layer: Layer, size: tuple[int, int]) -> Image.Image:
    """Where the sides of the body are seen: its outline pushed back into the depth."""
    drawing = layer.drawing
    if drawing.depth <= 0:
        return Image.new("L", size)
    mask = Image.new("L", (size[0] * 2, size[1] * 2))
    draw = ImageDraw.Draw(mask)
    for step in range(1, 9):
        draw.polygon((layer.view.project(drawing.body, drawing.depth * step / 8) * 2).ravel().tolist(), fill=255)
    return mask.reduce(2)


def _pasted(mask: Image.Image, at: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    whole = Image.new("L", size)
    whole.paste(mask, at)
    return whole


def _cast_shadow(picture: Image.Image, mask: Image.Image, rng: random.Random, in_studio: bool) -> None:
    """Darken the picture softly beside and below the thing."""
    small = mask.reduce(4)
    shift = (round(rng.uniform(-6, 6)), round(rng.uniform(2, 6)))
    moved = Image.new("L", small.size)
    moved.paste(small, shift)
    soft = moved.filter(ImageFilter.GaussianBlur(rng.uniform(2.0, 4.5)))
    strength = rng.uniform(0.15, 0.35) if in_studio else rng.uniform(0.35, 0.65)
    light = soft.point([round(255 - value * strength) for value in range(256)])
    light = light.resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste(ImageChops.multiply(picture, Image.merge("RGB", (light, light, light))))


def _develop(rng: random.Random, picture: Image.Image, in_studio: bool) -> Image.Image:
    """Light from one side, exposure, white balance, sensor noise."""
    if not in_studio:
        picture = ImageChops.multiply(picture, backdrops.falloff(picture.size, rng.random(), rng.uniform(0.1, 0.6)))
        warm = rng.uniform(-0.09, 0.09)
        exposure = rng.uniform(0.78, 1.2)
    else:
        warm, exposure = rng.uniform(-0.02, 0.02), rng.uniform(0.94, 1.06)
    gamma = rng.uniform(0.86, 1.16)
    gains = (exposure * (1 + warm), exposure, exposure * (1 - warm))
    picture = picture.point(
        [min(255, round(255 * (level / 255) ** gamma * gain)) for gain in gains for level in range(256)]
    )
    if rng.random() < (0.2 if in_studio else 0.6):
        left, top = rng.randrange(SIDE_PX - picture.width), rng.randrange(SIDE_PX - picture.height)
        noise = grain().crop((left, top, left + picture.width, top + picture.height))
        picture = ImageChops.add(picture, noise, 1, -128)
    return picture


def _cut_out(layer: Layer, size: tuple[int, int]) -> Image.Image:
    """The thing alone on a transparent ground, as in a pack-shot."""
    left, top, front, alpha = _front(layer, size)
    depth = _depth_mask(layer, size)
    colours = Image.new("RGB", size)
    colours.paste(layer.drawing.side, (0, 0), depth)
    region = colours.crop((left, top, left + front.width, top + front.height))
    hole = ImageChops.invert(alpha)
    region = ImageChops.add(ImageChops.multiply(region, Image.merge("RGB", (hole, hole, hole))), front)
    colours.paste(region, (left, top))
    colours.putalpha(ImageChops.lighter(_pasted(alpha, (left, top), size), depth))
    return colours


# ------------------------------------------------------------------ paper

_PHRASES = ("100 % AUTHENTIC", "FREE SHIPPING", "SALE -30 %", "PLEASE READ", "NO RETURNS", "TOP SELLER", "SOLD")
_LINES = ("Invoice", "Ticket de caisse", "Order no. {}", "1 x handbag", "Date 12.0{}", "VAT 20 %", "Total {}.00 EUR")


def _banner(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """A seller's notice: large words on a plain or fading ground."""
    colours = [(rng.randrange(20, 255), rng.randrange(20, 255), rng.randrange(20, 255)) for _ in range(2)]
    ramp = Image.linear_gradient("L").resize(size)
    picture = Image.composite(Image.new("RGB", size, colours[0]), Image.new("RGB", size, colours[1]), ramp)
    draw = ImageDraw.Draw(picture)
    for row in range(rng.randrange(2, 5)):
        text = rng.choice(_PHRASES)
        y = size[1] * (0.14 + 0.22 * row)
        draw.text(
            (size[0] / 2, y),
            text,
            fill=rng.choice(["white", "black", "#ffe060"]),
            anchor="mm",
            font=_font(rng.choice([28, 36, 44])),
        )
    return picture


def _receipt(rng: random.Random, table: Image.Image) -> Image.Image:
    """A printed slip on a table."""
    slip = Image.new("RGBA", (260, 380), (248, 247, 242, 255))
    draw = ImageDraw.Draw(slip)
    draw.text((130, 30), "BOUTIQUE", fill=(30, 30, 30, 255), anchor="mm", font=_font(28))
    for row in range(rng.randrange(8, 14)):
        text = rng.choice(_LINES).format(rng.randrange(1, 999))
        draw.text((22, 64 + row * 23), text, fill=(60, 60, 64, 255), font=_font(15))
        draw.text(
            (238, 64 + row * 23), f"{rng.randrange(2000)}.00", fill=(60, 60, 64, 255), anchor="ra", font=_font(15)
        )
    turned = slip.rotate(rng.uniform(-30, 30), Image.Resampling.BILINEAR, expand=True)
    turned.thumbnail((round(table.width * 0.9), round(table.height * 0.9)))
    at = ((table.width - turned.width) // 2 + rng.randrange(-20, 21), (table.height - turned.height) // 2)
    table.paste((40, 36, 34), (at[0] + 6, at[1] + 8), turned.getchannel("A").point([v // 3 for v in range(256)]))
    table.paste(turned, at, turned)
    return _develop(rng, table, in_studio=False)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
