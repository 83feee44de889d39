"""Quality measures and the classifier's square."""

from __future__ import annotations

import numpy as np
import pytest
from picture_files import FORMATS, detailed, encoded, photo
from PIL import Image, ImageFilter

from lvbag.images import look, quality, square
from lvbag.settings import ImageSettings

LIMITS = ImageSettings()


def test_quality_tells_dark_flat_and_blurred_pictures_from_good_ones() -> None:
    image = photo(1)
    good, blurred = quality(image), quality(image.filter(ImageFilter.GaussianBlur(6)))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8))
    black, white = quality(Image.new("RGB", (99, 99))), quality(Image.new("RGB", (99, 99), (255, 255, 255)))
    assert blurred.blur < good.blur < quality(noise).blur
    assert (black.brightness, black.contrast, black.entropy, black.white_share) == (0, 0, 0, 0)
    assert (white.brightness, white.blur, white.white_share) == (pytest.approx(1), 0, 1)
    assert good.contrast > 0.1
    assert good.entropy > 5


def test_brightness_contrast_and_entropy_are_those_of_the_grey_picture() -> None:
    half = Image.new("RGB", (200, 100), (255, 255, 255))
    half.paste((0, 0, 0), (0, 0, 100, 100))
    seen = quality(half)
    assert (seen.brightness, seen.contrast, seen.entropy) == pytest.approx((0.5, 0.5, 1.0), abs=0.01)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("width", [1000, 800, 640, 500, 400, 300])
def test_a_resized_copy_is_about_as_sharp(kind: str, width: int) -> None:
    whole = look(encoded(detailed(), "jpg", quality=90), LIMITS).quality.blur
    copy = detailed().resize((width, width * 3 // 4), Image.Resampling.LANCZOS)
    assert look(encoded(copy, kind), LIMITS).quality.blur == pytest.approx(whole, rel=0.3)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_blurred_copy_is_clearly_less_sharp_in_whatever_size(kind: str) -> None:
    whole = look(encoded(detailed(), kind), LIMITS).quality.blur
    blurred = detailed().filter(ImageFilter.GaussianBlur(5))
    for width in (1000, 500, 250):
        copy = blurred.resize((width, width * 3 // 4), Image.Resampling.LANCZOS)
        assert look(encoded(copy, kind), LIMITS).quality.blur < 0.5 * whole


def test_a_copy_that_was_made_tiny_and_enlarged_again_is_less_sharp() -> None:
    whole = look(encoded(detailed(), "jpg"), LIMITS).quality.blur
    enlarged = detailed().resize((80, 60), Image.Resampling.LANCZOS).resize((1000, 750), Image.Resampling.BICUBIC)
    assert look(encoded(enlarged, "jpg"), LIMITS).quality.blur < 0.5 * whole


def test_a_long_banner_is_measured_without_being_enlarged_beyond_measure() -> None:
    assert quality(photo(1, (20_000, 20))).blur >= 0
    assert quality(photo(1, (1, 500))).blur == 0


def test_grey_pictures_are_told_from_coloured_ones() -> None:
    image = photo(2)
    grey = image.convert("L")
    for data in (encoded(grey, "jpg"), encoded(grey.convert("RGB"), "jpg", quality=50), encoded(grey, "png")):
        seen = look(data, LIMITS).quality
        assert seen.greyscale
        assert seen.chroma < 0.05
    colour = look(encoded(image, "jpg"), LIMITS).quality
    assert not colour.greyscale
    assert colour.chroma > 10
    pale = look(encoded(Image.blend(grey.convert("RGB"), image, 0.05), "png"), LIMITS).quality
    assert not pale.greyscale


def test_chroma_is_the_mean_distance_from_grey_in_cielab() -> None:
    assert quality(Image.new("RGB", (300, 200), (255, 0, 0))).chroma == pytest.approx(104.55, abs=0.1)
    assert quality(Image.new("RGB", (300, 200), (0, 0, 255))).chroma == pytest.approx(133.8, abs=0.1)


def test_the_noise_of_a_dark_photo_is_no_colour() -> None:
    noise = np.random.default_rng(0).normal(60, 8, (200, 240, 3)).clip(0, 255).astype(np.uint8)
    assert quality(Image.fromarray(noise)).chroma < 2  # of single pixels it is about 7


def test_the_white_share_is_of_the_border_alone() -> None:
    framed = Image.new("RGB", (200, 200), (255, 255, 255))
    framed.paste((10, 10, 10), (20, 20, 180, 180))
    assert quality(framed).white_share == 1.0
    framed.paste((10, 10, 10), (0, 0, 100, 200))
    assert quality(framed).white_share == pytest.approx(0.5, abs=0.02)
    yellow = Image.new("RGB", (200, 200), (255, 255, 200))
    assert quality(yellow).white_share == 0.0


def test_the_white_share_of_a_pack_shot_survives_recompression_and_other_sizes() -> None:
    shot = Image.new("RGB", (1000, 800), (255, 255, 255))
    shot.paste(photo(1, (600, 500)), (200, 150))
    for size in ((1000, 800), (700, 560), (300, 240)):
        assert look(encoded(shot.resize(size), "jpg", quality=70), LIMITS).quality.white_share > 0.98


@pytest.mark.parametrize("size", [(400, 200), (200, 400), (30, 20), (64, 64), (1000, 3)])
def test_a_square_holds_the_whole_picture_centred_on_white(size: tuple[int, int]) -> None:
    pixels = square(Image.new("RGB", size, (10, 20, 30)), 64)
    assert (pixels.shape, pixels.dtype) == ((64, 64, 3), np.uint8)
    drawn = np.argwhere((pixels == (10, 20, 30)).all(axis=2))
    top, left = drawn.min(axis=0)
    bottom, right = drawn.max(axis=0) + 1
    scale = 64 / max(size)
    assert (right - left, bottom - top) == (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    assert abs((64 - right) - left) <= 1
    assert abs((64 - bottom) - top) <= 1
    assert (pixels == 255).all(axis=2).sum() + len(drawn) == 64 * 64
