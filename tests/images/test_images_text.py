"""Lines of text are told from bags, canvases and leaves by their look alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from lvbag.demo.textures import texture
from lvbag.images import text_share

BOX = (0.1, 0.3, 0.5, 0.9)
"""Where the bag is."""


def page(lines: int, size: int = 900, letters_px: int = 40, ink: str = "black", ground: str = "white") -> Image.Image:
    """A bag on the left, and lines of text beside it."""
    image = Image.new("RGB", (size, size), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle([size * value for value in BOX], fill=(120, 70, 40))
    font = ImageFont.load_default(letters_px)
    for number in range(lines):
        draw.text((size * 0.53, size * 0.1 + number * letters_px * 1.5), "Water resistant", ink, font)
    return image


def test_the_rectangles_of_lines_are_what_counts() -> None:
    font = ImageFont.load_default(40)
    x0, y0, x1, y1 = font.getbbox("Water resistant")
    line = (x1 - x0) * (y1 - y0) / 900**2
    for lines in (2, 5, 8):
        assert text_share(page(lines), BOX) == pytest.approx(lines * line, rel=0.3)


@pytest.mark.parametrize(("ink", "ground"), [("white", "black"), ("black", "white"), ("white", "steelblue")])
@pytest.mark.parametrize("size", [450, 900, 1800])
def test_dark_and_light_text_counts_alike_at_every_size(ink: str, ground: str, size: int) -> None:
    share = text_share(page(8, size, round(size * 0.045), ink, ground), BOX)
    assert share == pytest.approx(0.086, abs=0.02)


def test_what_is_printed_on_the_bag_itself_does_not_count() -> None:
    image = page(0)
    draw = ImageDraw.Draw(image)
    for number in range(8):
        draw.text((110, 290 + 60 * number), "LOUIS VUITTON", "white", ImageFont.load_default(40))
    assert text_share(image) > 0.08
    assert text_share(image, BOX) == 0


@pytest.mark.parametrize(
    "name", ["monogram", "damier_ebene", "damier_azur", "epi", "leather", "grass", "brick", "tiles"]
)
def test_canvas_and_backdrops_are_no_text(name: str) -> None:
    cloth = texture(name).convert("RGB")
    image = Image.new("RGB", (800, 800))
    for x in range(0, 800, cloth.width):
        for y in range(0, 800, cloth.height):
            image.paste(cloth, (x, y))
    assert text_share(image) < 0.01


def test_of_leaves_only_chance_falls_into_lines() -> None:
    rng = np.random.default_rng(3)
    image = Image.new("RGB", (600, 600), (60, 90, 40))
    draw = ImageDraw.Draw(image)
    for x, y, width, height in rng.integers([0, 0, 4, 8], [600, 600, 16, 30], (1500, 4)):
        draw.ellipse((x, y, x + width, y + height), (200, 220, 150) if (x + y) % 2 else (10, 30, 5))
    assert text_share(image) < 0.01


def test_a_banner_a_tiny_picture_and_an_empty_one_can_be_measured() -> None:
    assert text_share(Image.new("RGB", (3000, 20), "white")) == 0
    assert text_share(Image.new("RGB", (3, 3))) == 0
    assert text_share(page(0), (0.0, 0.0, 1.0, 1.0)) == 0
