"""What happens to a photo that is listed again, drawn from a seed: each edit takes an RGB picture and gives one."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Edit = Callable[[Image.Image, random.Random], Image.Image]

_WORDS = ("maison-retro.shop", "LUXURY BAGS", "@bagloft", "© second act", "SOLD BY MIRA", "www.vestiaire-nine.test")
_INKS = ((255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 30, 40), (20, 60, 160), (210, 170, 60))


def edited(image: Image.Image, name: str, seed: str) -> bytes:
    """The picture after the edit of this name, as a file: a JPEG of usual quality unless the edit says otherwise."""
    rng = random.Random(f"{seed}/{name}")
    made = EDITS[name](image, rng)
    form, quality = ENCODINGS.get(name) or ("JPEG", rng.choice((75, 85, 92)))
    return encoded(made, form, quality)


def encoded(image: Image.Image, form: str = "JPEG", quality: int = 92) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, quality=quality)
    return buffer.getvalue()


def _same(image: Image.Image, _: random.Random) -> Image.Image:
    return image


def _resized(image: Image.Image, scale: float, rng: random.Random) -> Image.Image:
    how = rng.choice(
        (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX)
    )
    return image.resize((max(16, round(image.width * scale)), max(16, round(image.height * scale))), how)


@dataclass(frozen=True)
class _Mark:
    """Words over a picture: height as a share of its shorter side, place and opacity from 0 to 1, turned by degrees."""

    height: float
    place: tuple[float, float]
    opacity: float
    turn: float = 0.0


def _text(image: Image.Image, rng: random.Random, mark: _Mark) -> Image.Image:
    word, ink = rng.choice(_WORDS), rng.choice(_INKS)
    font = ImageFont.load_default(max(8, round(min(image.size) * mark.height)))
    box = font.getbbox(word)
    mask = Image.new("L", (int(box[2]) + 8, int(box[3]) + 8))
    ImageDraw.Draw(mask).text((4, 4), word, fill=round(255 * mark.opacity), font=font)
    mask = mask.rotate(mark.turn, Image.Resampling.BICUBIC, expand=True)
    if mask.width > image.width:
        mask = mask.resize((image.width, max(1, mask.height * image.width // mask.width)))
    at = (round((image.width - mask.width) * mark.place[0]), round((image.height - mask.height) * mark.place[1]))
    made = image.copy()
    made.paste(ink, at, mask)
    return made


def _corner_text(image: Image.Image, rng: random.Random) -> Image.Image:
    place = (rng.choice((0.03, 0.97)), rng.choice((0.03, 0.97)))
    return _text(image, rng, _Mark(rng.uniform(0.03, 0.06), place, rng.uniform(0.5, 1.0)))


def _text_across(image: Image.Image, rng: random.Random) -> Image.Image:
    return _text(image, rng, _Mark(rng.uniform(0.07, 0.11), (0.5, 0.5), rng.uniform(0.25, 0.5), rng.uniform(-40, 40)))


def _text_tiled(image: Image.Image, rng: random.Random) -> Image.Image:
    seed = rng.random()
    opacity, height, turn = rng.uniform(0.2, 0.4), rng.uniform(0.035, 0.05), rng.uniform(-35, 35)
    for row in range(3):
        for column in range(2):
            place = (0.1 + 0.8 * column, 0.1 + 0.4 * row)
            image = _text(image, random.Random(seed), _Mark(height, place, opacity, turn))
    return image


def _logo(image: Image.Image, rng: random.Random) -> Image.Image:
    """An opaque plate in a corner with the shop's name."""
    width, height = round(image.width * rng.uniform(0.15, 0.26)), round(image.height * rng.uniform(0.06, 0.11))
    margin = round(image.width * 0.02)
    x, y = rng.choice((margin, image.width - width - margin)), rng.choice((margin, image.height - height - margin))
    made = image.copy()
    on = ImageDraw.Draw(made)
    ink = rng.choice(_INKS)
    on.rounded_rectangle((x, y, x + width, y + height), height // 4, fill=ink)
    on.text(
        (x + width / 2, y + height / 2),
        "SHOP",
        fill=(255, 255, 255) if sum(ink) < 500 else (0, 0, 0),
        anchor="mm",
        font=ImageFont.load_default(max(8, height * 0.6)),
    )
    return made


def _light(image: Image.Image, rng: random.Random) -> Image.Image:
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.9, 1.12))
    return ImageEnhance.Contrast(image).enhance(rng.uniform(0.92, 1.1))


def _gamma(image: Image.Image, rng: random.Random) -> Image.Image:
    gamma = rng.choice((rng.uniform(0.85, 0.94), rng.uniform(1.06, 1.18)))
    return image.point([round(255 * (level / 255) ** gamma) for level in range(256)] * 3)


def _balance(image: Image.Image, rng: random.Random) -> Image.Image:
    warm = rng.choice((-1, 1)) * rng.uniform(0.02, 0.05)
    return image.point([min(255, round(level * gain)) for gain in (1 + warm, 1.0, 1 - warm) for level in range(256)])


def _saturation(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Color(image).enhance(rng.choice((rng.uniform(0.8, 0.9), rng.uniform(1.1, 1.25))))


def _blur(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * rng.uniform(0.002, 0.006)))


def _sharpen(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(rng.uniform(1, 2.5), rng.randrange(80, 180), 2))


def _padded(image: Image.Image, rng: random.Random, share: float) -> Image.Image:
    border = tuple(round(side * share * rng.uniform(0.6, 1.0)) for side in (image.width, image.height) * 2)
    return ImageOps.expand(image, border, fill=(255, 255, 255))


def _cut(image: Image.Image, rng: random.Random, keep: float, place: tuple[float, float] | None = None) -> Image.Image:
    """What is left of a picture of which a share of width and height stays."""
    x, y = place or (rng.random(), rng.random())
    width, height = round(image.width * keep), round(image.height * keep)
    left, top = round((image.width - width) * x), round((image.height - height) * y)
    return image.crop((left, top, left + width, top + height))


def _relisted(image: Image.Image, rng: random.Random) -> Image.Image:
    made = _corner_text(_resized(image, rng.uniform(0.4, 0.8), rng), rng)
    again = encoded(_light(made, rng), quality=rng.randrange(45, 80))
    return Image.open(io.BytesIO(again)).convert("RGB")


EDITS: dict[str, Edit] = {
    "resize_0.25": lambda image, rng: _resized(image, 0.25, rng),
    "resize_0.5": lambda image, rng: _resized(image, 0.5, rng),
    "resize_0.75": lambda image, rng: _resized(image, rng.uniform(0.6, 0.9), rng),
    "resize_1.5": lambda image, rng: _resized(image, 1.5, rng),
    "jpeg_30": _same,
    "jpeg_50": _same,
    "jpeg_95": _same,
    "jpeg_webp": _same,
    "mark_corner": _corner_text,
    "mark_across": _text_across,
    "mark_tiled": _text_tiled,
    "mark_logo": _logo,
    "light": _light,
    "gamma": _gamma,
    "white_balance": _balance,
    "saturation": _saturation,
    "blur": _blur,
    "sharpen": _sharpen,
    "pad_1": lambda image, rng: _padded(image, rng, 0.01),
    "pad_3": lambda image, rng: _padded(image, rng, 0.03),
    "relisted": _relisted,
    "mirrored": lambda image, rng: ImageOps.mirror(image),
    "turned": lambda image, rng: image.transpose(
        rng.choice((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270))
    ),
    "crop_5": lambda image, rng: _cut(image, rng, 0.95),
    "crop_5_each_side": lambda image, rng: _cut(image, rng, 0.90, (0.5, 0.5)),
}
ENCODINGS = {"jpeg_30": ("JPEG", 30), "jpeg_50": ("JPEG", 50), "jpeg_95": ("JPEG", 95), "jpeg_webp": ("WEBP", 60)}

COPIES = tuple(name for name in EDITS if name.startswith(("resize", "jpeg", "mark")))
"""The edits that must be found at 99 %."""
