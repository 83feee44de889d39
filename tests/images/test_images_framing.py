"""Crops cut to the thing they show: the same photo framed otherwise gives the same fingerprint."""

from __future__ import annotations

import numpy as np
import pytest
from picture_files import photo
from PIL import Image, ImageDraw

from lvbag.images import fingerprint
from lvbag.images.fingerprints import Fingerprint
from lvbag.images.framing import crop_fingerprint, thing_box


def shot(ground: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """A thing on a plain ground, in the middle of much of it."""
    image = Image.new("RGB", (500, 420), ground)
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((120, 110, 380, 330), fill=255)
    image.paste(photo(3, image.size), (0, 0), mask)
    return image


def apart(one: Fingerprint, other: Fingerprint) -> int:
    bits = np.frombuffer(one.phash256, dtype=np.uint8) ^ np.frombuffer(other.phash256, dtype=np.uint8)
    return int(np.bitwise_count(bits).sum())


@pytest.mark.parametrize("ground", [(255, 255, 255), (236, 232, 228), (40, 60, 80)])
@pytest.mark.parametrize(
    "frame", [(100, 90, 400, 350), (60, 100, 400, 340), (110, 60, 460, 400), (20, 20, 480, 400), (112, 104, 386, 338)]
)
def test_however_it_is_framed_a_thing_on_a_plain_ground_has_one_fingerprint(
    ground: tuple[int, int, int], frame: tuple[int, int, int, int]
) -> None:
    whole = crop_fingerprint(shot(ground))
    assert apart(crop_fingerprint(shot(ground).crop(frame)), whole) <= 12
    smaller = shot(ground).crop(frame).resize((200, 180), Image.Resampling.LANCZOS)
    assert apart(crop_fingerprint(smaller), whole) <= 20


def test_without_it_a_frame_a_few_percent_larger_moves_most_bits() -> None:
    image = shot()
    assert apart(fingerprint(image.crop((100, 90, 400, 350))), fingerprint(image.crop((60, 70, 420, 390)))) > 40


def test_the_box_is_where_the_thing_is() -> None:
    image = Image.new("RGB", (400, 300), (255, 255, 255))
    image.paste((30, 30, 30), (100, 60, 300, 240))
    box = thing_box(image)
    assert box == pytest.approx((102, 61.8, 298, 238.2), abs=0.6)  # a hundredth of it lies outside on each side
    large = thing_box(image.resize((1200, 900)))
    assert large is not None
    assert [value / 3 for value in large] == pytest.approx(box, abs=0.6)


def test_a_soft_shadow_moves_the_box_little() -> None:
    image = Image.new("RGB", (400, 300), (255, 255, 255))
    shadowed = image.copy()
    shadowed.paste((232, 232, 232), (60, 200, 340, 270))
    for one in (image, shadowed):
        one.paste((30, 30, 30), (100, 60, 300, 240))
    assert thing_box(shadowed) == pytest.approx(thing_box(image), abs=8)


@pytest.mark.parametrize("image", [photo(1), Image.new("RGB", (200, 200), (255, 255, 255)), Image.new("RGB", (1, 1))])
def test_where_the_ground_is_not_plain_or_nothing_is_on_it_the_crop_stays_as_it_is(image: Image.Image) -> None:
    assert thing_box(image) is None
    assert crop_fingerprint(image) == fingerprint(image)
