"""Decoding bytes of unknown origin: what passes looks right, what does not says why."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from picture_files import FORMATS, chunk, encoded, png, with_declared_size, with_scans, without_segment
from PIL import Image

from lvbag.images import ImageRefused, check_header, decode, look
from lvbag.settings import ImageSettings

LIMITS = ImageSettings(min_side_px=16)


def picture(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Left half red, right half blue, the upper left corner green."""
    image = Image.new("RGB", size, (200, 30, 30))
    image.paste((30, 30, 200), (size[0] // 2, 0, *size))
    image.paste((30, 200, 30), (0, 0, size[0] // 4, size[1] // 4))
    return image.convert(mode)


def reason(data: bytes, limits: ImageSettings = LIMITS, read: Callable[..., object] = decode) -> str:
    with pytest.raises(ImageRefused) as caught:
        read(data, limits)
    return caught.value.reason


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_is_known_by_its_content_and_decodes_to_its_colours(kind: str) -> None:
    data = encoded(picture(), kind)
    header = check_header(data, LIMITS)
    assert (header.format, header.width, header.height) == (kind, 64, 48)
    image = decode(data, LIMITS)
    assert (image.mode, image.size, image.info) == ("RGB", (64, 48), {})
    np.testing.assert_allclose(np.asarray(image)[40, 10], (200, 30, 30), atol=12)
    np.testing.assert_allclose(np.asarray(image)[40, 60], (30, 30, 200), atol=12)


@pytest.mark.parametrize(("kind", "options"), [("webp", {"lossless": True}), ("webp", {}), ("avif", {}), ("png", {})])
def test_transparency_is_put_on_white(kind: str, options: dict[str, object]) -> None:
    image = picture("RGBA")
    image.paste((0, 0, 0, 0), (32, 0, 64, 48))
    data = encoded(image, kind, **options)
    assert check_header(data, LIMITS).width == 64
    np.testing.assert_allclose(np.asarray(decode(data, LIMITS))[24, 56], (255, 255, 255), atol=8)


def test_transparency_of_palette_grey_and_rgb_pngs_is_put_on_white() -> None:
    palette = picture().quantize(8)
    transparent = palette.getpixel((60, 40))
    for image, clear in (
        (palette, transparent),
        (Image.new("L", (64, 48), 7), 7),
        (Image.new("RGB", (64, 48)), (0, 0, 0)),
    ):
        assert decode(encoded(image, "png", transparency=clear), LIMITS).getpixel((60, 40)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "CMYK", "YCbCr"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    kind = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    grey = np.asarray(decode(encoded(picture(mode), kind), LIMITS).convert("L")).astype(int)
    assert grey.shape == (48, 64)
    assert grey[40, 10] > grey[40, 60]  # red is lighter than blue in every mode


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    grey = np.asarray(decode(encoded(Image.fromarray(ramp), "png"), LIMITS))
    np.testing.assert_array_equal(grey[..., 0], ramp >> 8)


def test_sixteen_bits_of_colour_and_of_alpha_are_scaled() -> None:
    red = decode(png(16, 2, struct.pack(">3H", 0xC8FF, 0x1E00, 0x1E80) * 32), LIMITS)
    assert red.getpixel((3, 3)) == (0xC8, 0x1E, 0x1E)
    half = decode(png(16, 6, struct.pack(">4H", 0, 0, 0xFFFF, 0x8080) * 32), LIMITS)
    np.testing.assert_allclose(half.getpixel((3, 3)), (127, 127, 255), atol=1)
    clear = decode(png(16, 4, struct.pack(">2H", 0x3000, 0) * 32), LIMITS)
    assert clear.getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("bits", "colour", "row", "transparent"),
    [
        (1, 0, b"\xaa" * 4, struct.pack(">H", 1)),  # columns: shade 1, which is transparent, and shade 0
        (2, 0, b"\x88" * 8, struct.pack(">H", 2)),
        (4, 0, b"\x50" * 16, struct.pack(">H", 5)),
        (8, 0, b"\x55\x00" * 16, struct.pack(">H", 0x55)),
        (16, 0, struct.pack(">2H", 30000, 0) * 16, struct.pack(">H", 30000)),
        (16, 2, struct.pack(">6H", 30000, 9, 50000, 0, 0, 0) * 16, struct.pack(">3H", 30000, 9, 50000)),
    ],
    ids=["grey 1", "grey 2", "grey 4", "grey 8", "grey 16", "colour 16"],
)
def test_the_transparent_colour_of_a_png_is_white_in_every_depth(
    bits: int, colour: int, row: bytes, transparent: bytes
) -> None:
    image = decode(png(bits, colour, row, extra=chunk(b"tRNS", transparent)), LIMITS)
    assert image.getpixel((0, 9)) == (255, 255, 255)
    assert image.getpixel((1, 9)) == (0, 0, 0)


def inks(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A red as a printer mixes it: no cyan, much magenta and yellow, a little black."""
    return Image.merge("CMYK", [Image.new("L", size, ink) for ink in (0, 200, 180, 10)])


def as_ycck(image: Image.Image) -> bytes:
    """A CMYK picture as Photoshop writes it: cyan, magenta and yellow turned into YCbCr, all inverted."""
    cyan, magenta, yellow, black = image.split()
    turned = Image.merge("RGB", (cyan, magenta, yellow)).convert("YCbCr").split()
    planes = [plane.point(lambda value: 255 - value) for plane in turned]
    data = bytearray(encoded(Image.merge("CMYK", (*planes, black)), "jpg", quality=95))
    data[data.index(b"Adobe") + 11] = 2  # the transform: YCCK
    return bytes(data)


def test_inverted_cmyk_and_ycck_jpegs_have_the_colours_that_were_meant() -> None:
    expected = inks().convert("RGB").getpixel((5, 5))
    for data in (encoded(inks(), "jpg", quality=95), as_ycck(inks())):
        np.testing.assert_allclose(decode(data, LIMITS).getpixel((5, 5)), expected, atol=4)


def test_cmyk_without_the_mark_of_adobe_is_not_inverted() -> None:
    inverted = inks().point(lambda ink: 255 - ink)
    plain = without_segment(encoded(inverted, "jpg", quality=95), 0xEE)
    np.testing.assert_allclose(decode(plain, LIMITS).getpixel((5, 5)), inks().convert("RGB").getpixel((5, 5)), atol=4)


def test_nothing_that_a_stranger_wrote_into_a_file_travels_on() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    image = decode(encoded(picture(), "jpg", exif=exif, comment=b"a comment"), LIMITS)
    assert type(image) is Image.Image
    assert (image.info, dict(image.getexif())) == ({}, {})


def test_the_first_of_several_pictures_in_a_jpeg_counts() -> None:
    data = encoded(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    np.testing.assert_allclose(np.asarray(decode(data, LIMITS))[40, 10], (200, 30, 30), atol=20)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(encoded(picture(), kind, exif=exif), LIMITS)
    assert image.size == ((64, 48) if orientation <= 4 else (48, 64))
    corner = {1: (2, 2), 2: (-3, 2), 3: (-3, -3), 4: (2, -3), 5: (2, 2), 6: (-3, 2), 7: (-3, -3), 8: (2, -3)}
    column, row = corner[orientation]
    np.testing.assert_allclose(np.asarray(image)[row, column], (30, 200, 30), atol=25)


def test_rubbish_in_exif_does_not_spoil_the_pixels() -> None:
    assert decode(encoded(picture(), "jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"), LIMITS).size == (64, 48)


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    data = encoded(picture(), kind, save_all=True, append_images=[Image.new("RGB", (64, 48))])
    np.testing.assert_allclose(np.asarray(decode(data, LIMITS))[40, 10], (200, 30, 30), atol=20)


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 1.0])
def test_a_file_that_is_cut_short_is_refused_even_by_a_byte(kind: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    cut = data[: min(len(data) - 1, max(24, int(len(data) * share)))]
    assert reason(cut, read=check_header) == "truncated"
    assert reason(cut) == "truncated"


def test_what_a_phone_appends_to_a_jpeg_does_not_count() -> None:
    data = encoded(picture(), "jpg") + b"MotionPhoto\xff\xda" + bytes(500)
    assert decode(data, LIMITS).size == (64, 48)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not_an_image"),
        (b"just text", "not_an_image"),
        (b"<!doctype html><html><svg></svg></html>", "not_an_image"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "format_not_allowed: svg"),
        (b"%PDF-1.7", "format_not_allowed: pdf"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "format_not_allowed: heic"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42", "not_an_image"),
    ],
)
def test_what_is_no_picture_that_we_take_says_what_it_is(data: bytes, expected: str) -> None:
    assert reason(data, read=check_header) == expected


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP"])
def test_other_picture_formats_are_named(kind: str) -> None:
    assert reason(encoded(picture(), kind)) == f"format_not_allowed: {kind.lower()}"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_bomb_of_forty_megapixels_is_refused_by_its_header(kind: str) -> None:
    data = encoded(Image.new("RGB", (8000, 5000)), kind, **{"speed": 10} if kind == "avif" else {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = "too_many_pixels: 40000000 px, images.max_pixels is 36000000"
        assert reason(data, ImageSettings(), check_header) == expected
        assert reason(data, ImageSettings()) == expected


def test_a_png_that_declares_more_than_memory_holds_is_refused_without_a_warning() -> None:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reason(data, ImageSettings()).startswith("too_many_pixels")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_of_more_bytes_than_a_picture_has_is_refused_before_anything_is_read_out_of_it(kind: str) -> None:
    data = encoded(picture(), kind)
    assert check_header(data, LIMITS.model_copy(update={"max_bytes": len(data)})).format == kind
    few = LIMITS.model_copy(update={"max_bytes": len(data) - 1})
    expected = f"too_many_bytes: {len(data)}, images.max_bytes is {len(data) - 1}"
    assert [reason(data, few, read) for read in (check_header, decode, look)] == [expected] * 3


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000))) * 80,
    ],
    ids=["zTXt", "iTXt", "iCCP", "many"],
)
def test_a_bomb_in_a_text_or_a_profile_is_refused(text: bytes, behind: bool) -> None:
    data = png(8, 0, bytes(32), **{"behind" if behind else "extra": text})
    for read in (decode, look):
        assert reason(data, read=read).startswith("broken: ")


def test_a_progressive_jpeg_with_endless_scans_is_refused_by_its_segments() -> None:
    data = encoded(picture(), "jpg", progressive=True)
    assert check_header(with_scans(data, 60), LIMITS).format == "jpg"
    assert reason(with_scans(data, 200), read=check_header).startswith("too_many_scans: more than 100")
    hidden = data.replace(b"\xff\xda", b"\xff\xfe\x00\x04\xff\xd9\xff\xda", 2)  # end marks within comments
    assert reason(with_scans(hidden, 200), read=check_header).startswith("too_many_scans")


def test_what_spells_scans_behind_a_jpeg_or_inside_a_baseline_one_does_not_count() -> None:
    video = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 20_000
    for progressive in (False, True):
        data = encoded(picture(), "jpg", progressive=progressive) + video
        assert decode(data, LIMITS).size == (64, 48)


def test_an_avif_that_hides_a_larger_picture_than_it_declares_is_refused_by_its_header() -> None:
    data = encoded(Image.new("RGB", (1000, 800)), "avif", speed=10)
    limits = LIMITS.model_copy(update={"max_pixels": 500_000})
    lying = with_declared_size(data, (100, 80))
    assert reason(lying, limits, check_header) == "too_many_pixels: 800000 px, images.max_pixels is 500000"
    animated = encoded(picture(size=(90, 80)), "avif", save_all=True, append_images=[Image.new("RGB", (90, 80))])
    few = LIMITS.model_copy(update={"max_pixels": 7199})
    lying = with_declared_size(animated, (20, 20))
    assert reason(lying, few, check_header).startswith("too_many_pixels: 7200 px")
    at = lying.index(b"av01", lying.index(b"infe"))
    track_only = lying[:at] + b"none" + lying[at + 4 :]
    assert reason(track_only, few, check_header).startswith("too_many_pixels: 7200 px")


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_an_animation_with_too_many_frames_is_refused_by_its_header(kind: str) -> None:
    more = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in range(0, 240, 30)]
    data = encoded(picture(), kind, save_all=True, append_images=more)
    enough, few = LIMITS.model_copy(update={"max_frames": 9}), LIMITS.model_copy(update={"max_frames": 8})
    assert check_header(data, enough).format == kind
    assert reason(data, few, check_header) == "too_many_frames: 9, images.max_frames is 8"
    assert reason(data, few) == "too_many_frames: 9, images.max_frames is 8"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_still_picture_has_one_frame_whatever_its_bytes_spell(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "acTLfcTLANMFmoovtrakstsz" * 3  # a description
    data = encoded(picture(), kind, exif=exif)
    assert b"acTL" in data
    assert check_header(data, LIMITS.model_copy(update={"max_frames": 1})).format == kind


def test_frames_that_an_animation_declares_or_has_without_declaring_them_count() -> None:
    data = encoded(picture(), "png", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    at = data.index(b"acTL") + 4
    lying = data[:at] + struct.pack(">I", 1) + data[at + 4 :]
    boasting = data[:at] + struct.pack(">I", 2**31) + data[at + 4 :]
    limits = LIMITS.model_copy(update={"max_frames": 1})
    assert reason(lying, limits, check_header) == "too_many_frames: 2, images.max_frames is 1"
    assert reason(boasting, limits, check_header) == "too_many_frames: 2147483648, images.max_frames is 1"


def test_a_picture_that_shows_too_little_is_refused() -> None:
    assert reason(encoded(picture(size=(120, 80)), "png"), ImageSettings()) == (
        "too_small: 120x80 px, images.min_side_px is 96"
    )


@pytest.mark.parametrize(("kind", "place", "value"), [("jpg", 21, 1), ("png", 17, 1), ("avif", 8, 0)])
def test_what_its_decoder_cannot_read_is_refused_with_the_same_words_each_time(
    kind: str, place: int, value: int
) -> None:
    data = bytearray(_WHOLE[kind])
    data[place] = value
    assert reason(bytes(data), LIMITS) == "broken: not readable by its decoder"


@budget(max_examples=250, deadline=None)
@given(st.sampled_from(list(FORMATS)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12))
def test_damaged_files_give_a_picture_or_a_refusal_and_nothing_else(kind: str, edits: list[tuple[int, int]]) -> None:
    data = bytearray(_WHOLE[kind])
    for place, value in edits:
        data[place % len(data)] = value
    try:
        image = decode(bytes(data), LIMITS)
    except ImageRefused as refusal:
        assert refusal.reason.split(":")[0] in {
            *("not_an_image", "format_not_allowed", "too_many_pixels", "too_many_frames", "too_many_scans"),
            *("too_small", "truncated", "broken"),
        }
    else:
        assert image.mode == "RGB"


_WHOLE = {kind: encoded(picture(), kind) for kind in FORMATS}
