"""Fingerprints: imagehash's own hashes, their eight views, and what changes them little."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from picture_files import detailed, encoded, photo
from PIL import Image

from lvbag.images import decode, fingerprint, look
from lvbag.images.fingerprints import VERSION, VIEWS, Fingerprint
from lvbag.images.thumbs import THUMB_SHAPE, to_lab
from lvbag.settings import ImageSettings

TURNS = {
    "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    "turned_90": Image.Transpose.ROTATE_90,
    "turned_180": Image.Transpose.ROTATE_180,
    "turned_270": Image.Transpose.ROTATE_270,
    "upside_down": Image.Transpose.FLIP_TOP_BOTTOM,
    "transposed": Image.Transpose.TRANSPOSE,
    "transversed": Image.Transpose.TRANSVERSE,
}


def bits64(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def bits256(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def theirs(image: Image.Image) -> tuple[int, bytes]:
    return int(str(imagehash.phash(image, hash_size=8)), 16), bytes.fromhex(str(imagehash.phash(image, hash_size=16)))


@pytest.mark.parametrize("size", [(320, 240), (100, 255), (255, 255), (64, 64), (20, 33)])
@pytest.mark.parametrize("seed", range(4))
def test_the_hashes_are_those_of_imagehash_to_the_bit(seed: int, size: tuple[int, int]) -> None:
    image = photo(seed, size)
    seen = fingerprint(image)
    assert (seen.phash64, seen.phash256) == theirs(image)
    assert (len(seen.phash256), seen.version) == (32, VERSION)
    assert len(seen.thumb) == np.prod(THUMB_SHAPE)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("size", [(1000, 750), (2000, 1500)])
def test_large_pictures_take_the_short_way_within_two_bits(seed: int, size: tuple[int, int]) -> None:
    image = photo(seed, size)
    small, large = theirs(image)
    for seen in (fingerprint(image), look(encoded(image, "jpg", quality=90), ImageSettings()).print):
        assert bits64(seen.phash64, small) <= 2
        assert bits256(seen.phash256, large) <= 8


@pytest.mark.parametrize("size", [(240, 180), (180, 180), (1000, 750)])
@pytest.mark.parametrize("view", TURNS)
def test_each_view_is_the_hash_of_the_picture_turned_in_that_way(view: str, size: tuple[int, int]) -> None:
    place = VIEWS.index(view)
    for seed in range(5):
        image = detailed(size, seed)
        seen, turned = fingerprint(image), fingerprint(image.transpose(TURNS[view]))
        # resampling columns before rows rounds otherwise than rows before columns
        assert bits64(seen.views64[place], turned.phash64) <= 2
        assert bits256(seen.views256[place], turned.phash256) <= 8
        others = [bits64(seen.views64[place], seen.views64[other]) for other in range(8) if other != place]
        assert min(others) > 8  # a view is like no other, so agreeing means something


def test_the_views_are_the_eight_symmetries_and_the_first_is_the_picture_itself() -> None:
    seen = fingerprint(photo(3))
    assert {*VIEWS} == {"", *TURNS}
    assert len(set(seen.views64)) == len(set(seen.views256)) == 8
    assert (seen.phash64, seen.flip64) == (seen.views64[0], seen.views64[VIEWS.index("mirrored")])
    assert (seen.phash256, seen.flip256) == (seen.views256[0], seen.views256[VIEWS.index("mirrored")])


@budget(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(90, 255), st.integers(90, 255))
def test_the_hash_is_imagehashs_for_any_picture_without_ties(seed: int, width: int, height: int) -> None:
    image = photo(seed, (width, height))
    pixels = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float64)
    waves = np.cos(np.pi * np.arange(8)[:, None] * (2 * np.arange(32)[None, :] + 1) / 64)
    low = waves @ pixels @ waves.T
    assume(np.abs(low - np.median(low)).min() > 1e-6)
    assert fingerprint(image).phash64 == theirs(image)[0]


def test_a_blank_picture_has_a_fingerprint_as_well() -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (9, 200, 7)):
        seen = fingerprint(Image.new("RGB", (300, 300), colour))
        assert isinstance(seen, Fingerprint)
        assert all(0 <= view < 2**64 for view in seen.views64)


def test_the_same_cut_out_on_a_transparent_or_a_white_ground_has_the_same_fingerprint() -> None:
    white = Image.new("RGB", (300, 300), (255, 255, 255))
    clear = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    for canvas in (white, clear):
        canvas.paste(photo(3, (180, 120)), (60, 90))
    files = [encoded(white, "png"), *(encoded(clear, kind) for kind in ("png", "webp", "avif"))]
    prints = [fingerprint(decode(data, ImageSettings())) for data in files]
    prints += [look(data, ImageSettings()).print for data in files]
    assert max(bits64(prints[0].phash64, other.phash64) for other in prints) <= 2


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53, 80, 67)),
        ((0, 0, 255), (32, 79, -108)),
    ],
)
def test_colours_are_turned_into_cielab(colour: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(to_lab(np.array([colour], np.uint8))[0], expected, atol=0.5)


def test_a_thumbnail_has_a_cell_for_each_part_of_the_picture() -> None:
    image = photo(2, (320, 240))
    rows, columns, _ = THUMB_SHAPE
    cells = np.frombuffer(fingerprint(image).thumb, np.int8).reshape(THUMB_SHAPE)
    mirrored = fingerprint(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).thumb
    np.testing.assert_array_equal(np.frombuffer(mirrored, np.int8).reshape(THUMB_SHAPE)[:, ::-1], cells)
    corner = image.crop((0, 0, 320 // columns, 240 // rows))
    whole = Image.new("RGB", (320, 240), tuple(int(value) for value in np.asarray(corner).mean(axis=(0, 1)).round()))
    plain = np.frombuffer(fingerprint(whole).thumb, np.int8).reshape(THUMB_SHAPE)
    np.testing.assert_allclose(cells[0, 0].astype(int), plain[0, 0], atol=2)
