"""Fingerprints, quality and the classifier's square."""

from __future__ import annotations

import io
import time

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageFilter

from lvbag.images import decode, fingerprint, quality, square
from lvbag.images.fingerprints import THUMB_SHAPE, VERSION, Fingerprint
from lvbag.settings import ImageSettings
from shared_data import SHARED_DATA


def photo(seed: int = 0, size: tuple[int, int] = (480, 360)) -> Image.Image:
    patches = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def bits64(one: Fingerprint, other: Fingerprint) -> int:
    return (one.phash64 ^ other.phash64).bit_count()


def lab(image: Image.Image) -> np.ndarray:
    return np.frombuffer(fingerprint(image).thumb, dtype=np.int8).reshape(THUMB_SHAPE)


def test_the_hashes_are_those_of_imagehash() -> None:
    image = photo(1, (320, 240))
    seen = fingerprint(image)
    assert f"{seen.phash64:016x}" == str(imagehash.phash(image, hash_size=8))
    assert seen.phash256.hex() == str(imagehash.phash(image, hash_size=16))
    assert (len(seen.phash256), len(seen.thumb), seen.version) == (32, 192, VERSION)


@pytest.mark.parametrize("seed", range(10))
def test_large_pictures_take_the_short_way_within_two_bits(seed: int) -> None:
    image = photo(seed, (2000, 1500))
    long_way = int(str(imagehash.phash(image, hash_size=8)), 16)
    assert (fingerprint(image).phash64 ^ long_way).bit_count() <= 2


def test_the_same_cut_out_on_a_transparent_or_a_white_ground_has_the_same_fingerprint() -> None:
    white = Image.new("RGB", (300, 300), (255, 255, 255))
    clear = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    for canvas in (white, clear):
        canvas.paste(photo(3, (180, 120)), (60, 90))
    prints = []
    for image, kind in ((white, "PNG"), (clear, "PNG"), (clear, "WEBP"), (clear, "AVIF")):
        buffer = io.BytesIO()
        image.save(buffer, kind)
        prints.append(fingerprint(decode(buffer.getvalue(), ImageSettings())))
    assert max(bits64(prints[0], other) for other in prints[1:]) <= 2


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53, 80, 67)),
        ((0, 0, 255), (32, 79, -108)),
    ],
)
def test_thumbnails_are_cielab(colour: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    np.testing.assert_array_equal(lab(Image.new("RGB", (64, 64), colour))[3, 3], expected)


def test_quality_tells_dark_flat_and_blurred_pictures_from_good_ones() -> None:
    image = photo(1)
    good, blurred = quality(image), quality(image.filter(ImageFilter.GaussianBlur(6)))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8))
    black, white = quality(Image.new("RGB", (99, 99))), quality(Image.new("RGB", (99, 99), (255, 255, 255)))
    assert blurred.blur < good.blur < quality(noise).blur
    assert (black.brightness, black.contrast, black.entropy, black.white_share) == (0, 0, 0, 0)
    assert (white.brightness, white.blur, white.white_share) == (1, 0, 1)
    assert good.contrast > 0.1
    assert good.entropy > 5


def test_the_white_share_is_of_the_border_alone() -> None:
    framed = Image.new("RGB", (200, 200), (255, 255, 255))
    framed.paste((10, 10, 10), (20, 20, 180, 180))
    assert quality(framed).white_share == 1.0
    framed.paste((10, 10, 10), (0, 0, 100, 200))
    assert quality(framed).white_share == pytest.approx(0.5, abs=0.02)


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


@pytest.mark.skipif(not (SHARED_DATA / "photos").is_dir(), reason="no shared data")
def test_a_real_photo_of_480_pixels_takes_a_few_milliseconds() -> None:
    path = next((SHARED_DATA / "photos" / "backpack_yolo").rglob("*.jpg"))
    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").resize((480, 480)).save(buffer, "JPEG")
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        image = decode(buffer.getvalue(), ImageSettings())
        fingerprint(image)
        quality(image)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.03  # about 8 ms on a quiet core; the bound leaves room for a busy one
