"""The rule: which two pictures are near-duplicates, on drawn bags and on made-up fingerprints."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont
from print_makers import blank, picture

from lvbag.curate.duplicates.linking import Limits, Link, compare, crop_limits, near_limits, pack
from lvbag.curate.duplicates.nearness import (
    Marked,
    confirmed,
    differences,
    layouts,
    may_be_confirmed,
    proposed,
    turned_layouts,
)
from lvbag.curate.duplicates.prints import CELLS, TURNED_CELLS
from lvbag.images import fingerprint
from lvbag.images.fingerprints import VIEWS
from lvbag.settings import CurateSettings

RULE = near_limits(CurateSettings())
Colour = tuple[int, int, int]
THUMBS = arrays.arrays(np.int8, (3, CELLS, 3), elements=st.integers(-100, 100))


def bag(colour: Colour = (150, 60, 60), scale: float = 1.0, wide: float = 1.0, lean: int = 0) -> Image.Image:
    """A bag on white with a pocket and a plate, seen from the front."""
    image = Image.new("RGB", (600, 600), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    dark: Colour = tuple(value * 7 // 10 for value in colour)  # type: ignore[assignment]
    w, h = round(200 * scale * wide), round(150 * scale)
    top, bottom = 480 - 2 * h, 480
    draw.arc((300 - w // 2 + lean, top - h, 300 + w // 2 + lean, top + h), 180, 360, fill=dark, width=24)
    draw.polygon([(300 - w + lean, top), (300 + w * 9 // 10 + lean, top), (300 + w, bottom), (300 - w, bottom)], colour)
    draw.rectangle((300 - w // 2, bottom - h, 300 + w * 3 // 4, bottom - h // 5), fill=dark)
    draw.rectangle((280 + lean, top + 20, 330 + lean, top + 70), fill=(220, 190, 90))
    return image


def photograph() -> Image.Image:
    """Patches of every size and moderate colours."""
    fine = picture(5, (600, 600)).resize((40, 40)).resize((600, 600), Image.Resampling.BICUBIC)
    image = Image.blend(Image.blend(picture(1, (600, 600)), fine, 0.4), picture(9, (600, 600)), 0.3)
    return Image.blend(image, Image.new("RGB", image.size, (120, 112, 104)), 0.4)


def again(image: Image.Image, quality: int = 80) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def near(one: Image.Image, other: Image.Image, limits: Limits = RULE) -> Link | None:
    return compare(pack([fingerprint(one)]), 0, pack([fingerprint(other)]), 0, limits)


def marked(image: Image.Image, ink: Colour, opacity: int, box: tuple[int, int, int, int]) -> Image.Image:
    plate = Image.new("L", image.size)
    ImageDraw.Draw(plate).rectangle(box, fill=opacity)
    made = image.copy()
    made.paste(ink, (0, 0), plate)
    return made


def words(image: Image.Image) -> Image.Image:
    mask = Image.new("L", image.size)
    font = ImageFont.load_default(54)
    ImageDraw.Draw(mask).text((300, 360), "maison-retro.shop", fill=110, anchor="mm", font=font)
    made = image.copy()
    made.paste((255, 255, 255), (0, 0), mask)
    return made


COPIES = {
    "small": lambda image: image.resize((150, 150), Image.Resampling.LANCZOS),
    "large": lambda image: image.resize((900, 900), Image.Resampling.BICUBIC),
    "recompressed": lambda image: again(image, 30),
    "plate in a corner": lambda image: marked(image, (20, 60, 160), 255, (12, 12, 140, 60)),
    "white words across": words,
    "black words below": lambda image: marked(image, (0, 0, 0), 200, (400, 560, 590, 590)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.93),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.08),
    "more colourful": lambda image: ImageEnhance.Color(image).enhance(1.2),
    "warmer": lambda image: image.point([min(255, round(v * g)) for g in (1.03, 1.0, 0.97) for v in range(256)]),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(2, 150, 2)),
}


@pytest.mark.parametrize("edit", COPIES)
@pytest.mark.parametrize("colour", [(150, 60, 60), (40, 40, 44), (214, 190, 150)])
def test_an_edited_copy_of_a_bag_on_white_is_near(edit: str, colour: Colour) -> None:
    assert near(again(COPIES[edit](bag(colour))), bag(colour))


@pytest.mark.parametrize("edit", COPIES)
def test_an_edited_copy_of_a_photograph_is_near(edit: str) -> None:
    image = photograph()
    assert near(again(COPIES[edit](image)), image)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (bag((150, 60, 60)), bag((60, 60, 150))),
        (bag((150, 60, 60)), bag((112, 45, 45))),
        (bag((40, 40, 44)), bag((28, 32, 70))),
        (bag((40, 40, 44)), bag((84, 60, 42))),
        (bag((224, 218, 204)), bag((224, 196, 208))),
        (bag(), bag(scale=0.93)),
        (bag(), bag(scale=0.85)),
        (bag(), bag(wide=0.9)),
        (bag(), bag(wide=1.1, scale=1.1)),
        (bag(), bag(lean=16)),
    ],
    ids=[
        "colour",
        "shade",
        "black and navy",
        "black and brown",
        "pale",
        "size",
        "smaller",
        "narrower",
        "larger",
        "pose",
    ],
)
def test_another_colour_size_or_pose_is_another_picture(one: Image.Image, other: Image.Image) -> None:
    assert near(one, other) is None
    assert near(again(one), other) is None


def test_a_mark_may_cover_a_few_cells_whatever_it_shows_and_no_more() -> None:
    image = bag()
    assert near(marked(image, (255, 0, 255), 255, (0, 0, 160, 70)), image)
    assert near(marked(image, (255, 0, 255), 255, (0, 0, 600, 200)), image) is None


def test_two_small_things_on_white_are_told_apart_although_most_of_the_picture_is_the_same() -> None:
    white = Image.new("RGB", (600, 600), (255, 255, 255))
    one, other = white.copy(), white.copy()
    one.paste(picture(1, (120, 120)), (240, 240))
    other.paste(picture(2, (120, 120)), (240, 240))
    assert near(one, other) is None
    assert near(again(one), one)


# ------------------------------------------------------------------ measures


@budget(max_examples=100, deadline=None)
@given(THUMBS, THUMBS)
def test_distances_do_not_depend_on_which_picture_comes_first_or_how_both_are_turned(
    one: np.ndarray, other: np.ndarray
) -> None:
    found = differences(one, other)
    for back in (differences(other, one), differences(one[:, TURNED_CELLS[5]], other[:, TURNED_CELLS[5]])):
        assert back.colour == pytest.approx(found.colour, abs=1e-3)
        assert back.moved == pytest.approx(found.moved, abs=1e-3)
    same = differences(one, one)
    assert not same.colour.any()
    assert not same.moved.any()


@budget(max_examples=100, deadline=None)
@given(THUMBS, st.integers(-16, 16), st.integers(-12, 12))
def test_a_change_of_light_over_the_whole_picture_does_not_count(one: np.ndarray, lighter: int, warmer: int) -> None:
    calm = one // 2
    shifted = calm + np.array([lighter, warmer, 0], dtype=np.int8)
    found = differences(calm, shifted)
    assert found.colour == pytest.approx(0, abs=1e-3)
    assert found.moved == pytest.approx(0, abs=1e-3)


@budget(max_examples=300, deadline=None)
@given(THUMBS, THUMBS, st.integers(0, 7), st.integers(0, 128), st.floats(0.5, 20), st.floats(0, 10))
def test_the_first_look_at_lightness_passes_whatever_is_confirmed(
    one: np.ndarray, other: np.ndarray, share: int, bits: int, most: float, moved: float
) -> None:
    second = ((one.astype(np.int16) * share + other) // (share + 1)).astype(np.int8)
    bits256 = np.full(len(one), bits)
    limits = Limits(8, 16, most * 2, 5, Marked(100, most, moved))
    sure = confirmed(bits256, differences(one, second), limits)
    assert (may_be_confirmed(bits256, one, second, limits) | ~sure).all()


def test_the_first_look_turns_down_what_differs_in_lightness_or_moved() -> None:
    grey = np.zeros((1, CELLS, 3), dtype=np.int8)
    covered, more, moved = grey.copy(), grey.copy(), grey.copy()
    covered[0, :8, 0] = 90
    more[0, :9, 0] = 90
    moved[0, :2, 0], moved[0, 2:4, 0] = 90, -90
    limits, far = Limits(8, 16, 7.0, 5, Marked(100, 4.0, 1.25)), np.array([60])
    assert may_be_confirmed(far, grey, covered, limits).all()
    assert not may_be_confirmed(far, grey, more, limits).any()
    assert not may_be_confirmed(far, grey, moved, limits).any()
    assert may_be_confirmed(np.array([16]), grey, moved, limits).all()


def test_what_a_mark_covers_is_left_out_up_to_eight_cells_or_a_quarter_of_what_is_shown() -> None:
    ground = np.zeros((1, CELLS, 3), dtype=np.int8)
    figure = ground.copy()
    figure[0, :40] = 60  # 30 L from the ground
    for cells, seen in ((8, 0.0), (9, 20.0)):
        covered = figure.copy()
        covered[0, :cells, 0] += 40  # 20 L
        assert differences(figure, covered).colour == pytest.approx(seen, abs=1e-3)
    little = ground.copy()
    little[0, :8] = 60
    covered = little.copy()
    covered[0, :3, 0] += 40
    assert differences(little, covered).colour == pytest.approx(20.0, abs=1e-3)  # two of eight would be left out


def test_moved_are_edges_that_became_lighter_here_and_darker_there() -> None:
    plain = np.zeros((1, CELLS, 3), dtype=np.int8)
    inked, moved = plain.copy(), plain.copy()
    inked[0, :6, 0] = 20
    moved[0, :2, 0], moved[0, 4:6, 0] = 20, -12
    assert differences(plain, inked).moved == pytest.approx(0)
    assert differences(plain, moved).moved == pytest.approx(6.0)  # 12 steps of half an L


def test_layouts_turn_with_their_pictures() -> None:
    thumbs = np.random.default_rng(1).integers(-60, 60, (4, CELLS, 3)).astype(np.int8)
    turned = turned_layouts(thumbs, len(VIEWS))
    for view in range(len(VIEWS)):
        assert (turned[:, view] == layouts(thumbs[:, TURNED_CELLS[view]])).all()
    assert (turned[:, 0] == layouts(thumbs)).all()
    assert not layouts(blank(2).thumbs).any()


@pytest.mark.parametrize("view", range(1, len(VIEWS)))
def test_the_thumbnail_of_a_turned_picture_is_the_turned_thumbnail(view: int) -> None:
    image = picture(3, (240, 184))  # whole pixels a cell
    transposition = Image.Transpose((0, 2, 3, 4, 1, 5, 6)[view - 1])
    seen = pack([fingerprint(image), fingerprint(image.transpose(transposition))]).thumbs
    assert differences(seen[:1, TURNED_CELLS[view]], seen[1:]).colour < 1


def test_either_way_of_proposing_and_of_confirming_is_enough() -> None:
    limits = Limits(8, 16, 7.0, 5, Marked(100, 2.9, 1.25))
    bits = np.array([8, 9, 9], dtype=np.uint8)
    assert proposed(bits, np.array([9, 5, 6], dtype=np.uint8), limits).tolist() == [True, True, False]
    assert proposed(bits, bits * 0, Limits(8, 16, 7.0)).tolist() == [True, False, False]
    found = differences(np.zeros((4, CELLS, 3), dtype=np.int8), np.zeros((4, CELLS, 3), dtype=np.int8))
    found.colour[:], found.moved[:] = [7.0, 2.9, 2.9, 3.0], [9.0, 1.25, 1.3, 0.0]
    assert confirmed(np.array([16, 100, 100, 100]), found, limits).tolist() == [True, True, False, False]
    assert confirmed(np.array([16, 17, 17, 17]), found, Limits(8, 16, 7.0)).tolist() == [True, False, False, False]


def test_the_settings_are_the_limits() -> None:
    settings = CurateSettings(
        near_max_distance64=1, near_max_distance256=2, near_max_colour=3.0, near_max_layout=4,
        near_marked_distance256=5, near_marked_colour=6.0, near_marked_moved=7.0,
        crop_max_distance64=8, crop_max_distance256=9, crop_max_colour=10.0, crop_max_moved=11.0,
    )  # fmt: skip
    assert near_limits(settings) == Limits(1, 2, 3.0, 4, Marked(5, 6.0, 7.0))
    assert crop_limits(settings).marked == Marked(9, 10.0, 11.0)
    assert (crop_limits(settings).bits64, crop_limits(settings).most_bits256) == (8, 9)


def test_layouts_of_thousands_of_pictures_are_those_of_each() -> None:
    """Numpy gives arrays of this size another order in memory."""
    rng = np.random.default_rng(3)
    thumbs = rng.integers(-100, 100, (6000, CELLS, 3), dtype=np.int8)
    whole = turned_layouts(thumbs, len(VIEWS))
    assert np.array_equal(whole[5990:], turned_layouts(thumbs[5990:], len(VIEWS)))
