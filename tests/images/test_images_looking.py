"""One pass over a picture: it sees what the full decode shows, and refuses what that refuses."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from picture_files import FORMATS, detailed, encoded, photo
from PIL import Image

from lvbag.images import ImageRefused, Look, decode, fingerprint, look, quality
from lvbag.images.decoding import read_stored
from lvbag.images.looking import glimpse
from lvbag.images.reducing import decoder_scale, reduced
from lvbag.settings import ImageSettings
from shared_data import SHARED_DATA

LIMITS = ImageSettings(min_side_px=16)
WHOLE = {
    **{kind: encoded(photo(1, (520, 400)), kind) for kind in FORMATS},
    "progressive": encoded(photo(1, (520, 400)), "jpg", progressive=True),
    "full chroma": encoded(photo(1, (520, 400)), "jpg", subsampling=0),
    "restarts": encoded(photo(1, (520, 400)), "jpg", restart_marker_rows=1),
    "grey": encoded(photo(1, (520, 400)).convert("L"), "jpg"),
    "cmyk": encoded(photo(1, (520, 400)).convert("CMYK"), "jpg"),
    "lossless": encoded(photo(1, (520, 400)), "webp", lossless=True),
    "palette": encoded(photo(1, (520, 400)).quantize(64), "png"),
    "small": encoded(photo(1, (64, 48)), "jpg"),
}


def bits64(one: Look, other: Look) -> int:
    return (one.print.phash64 ^ other.print.phash64).bit_count()


def bits256(one: Look, other: Look) -> int:
    return (int.from_bytes(one.print.phash256) ^ int.from_bytes(other.print.phash256)).bit_count()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(64, 48), (521, 403), (1000, 750), (2051, 1377)])
def test_a_look_sees_what_the_full_decode_shows(kind: str, size: tuple[int, int]) -> None:
    data = encoded(detailed(size, 2), kind)
    seen, image = look(data, LIMITS), decode(data, LIMITS)
    assert (seen.format, seen.width, seen.height) == (kind, *size)
    assert seen.sha256 == hashlib.sha256(data).hexdigest()
    full, measured = fingerprint(image), quality(image)
    assert (seen.print.phash64 ^ full.phash64).bit_count() <= 2
    assert (int.from_bytes(seen.print.phash256) ^ int.from_bytes(full.phash256)).bit_count() <= 8
    assert seen.quality.brightness == pytest.approx(measured.brightness, abs=0.005)
    assert seen.quality.contrast == pytest.approx(measured.contrast, abs=0.005)
    assert seen.quality.blur == pytest.approx(measured.blur, rel=0.15)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_and_fingerprint_are_those_of_the_upright_picture(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(detailed((603, 401), 3), kind, exif=exif)
    seen, image = look(data, LIMITS), decode(data, LIMITS)
    assert (seen.width, seen.height) == image.size == ((603, 401) if orientation <= 4 else (401, 603))
    upright = look(encoded(image, "png"), LIMITS)
    assert bits64(seen, upright) <= 2
    assert bits256(seen, upright) <= 8
    thumbs = [np.frombuffer(one.print.thumb, np.int8).astype(int) for one in (seen, upright)]
    assert np.abs(thumbs[0] - thumbs[1]).mean() < 2  # in L, a, b; turned the other way it is 10 to 20


@pytest.mark.parametrize("size", [(257, 256), (999, 701), (1003, 752), (1441, 1081)])
@pytest.mark.parametrize("turn", [None, *Image.Transpose])
def test_a_picture_that_is_turned_once_it_is_small_lies_as_exactly_as_before(
    size: tuple[int, int], turn: Image.Transpose | None
) -> None:
    image = photo(4, size)
    small = reduced(image).turned(turn)
    turned = image if turn is None else image.transpose(turn)
    left, upper, right, lower = small.box
    assert (right - left, lower - upper) == pytest.approx([side / small.factor for side in turned.size])
    assert 0 <= left < 1
    assert 0 <= upper < 1
    one = small.image.resize((64, 64), Image.Resampling.LANCZOS, box=small.box)
    other = turned.resize((64, 64), Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean() < 0.5


def test_a_large_jpeg_is_never_decoded_in_full() -> None:
    stored = read_stored(encoded(photo(5, (4000, 3000)), "jpg"), LIMITS, decoder_scale)
    assert (stored.size, stored.image.size, stored.scale) == ((4000, 3000), (500, 375), 8)
    _, small = glimpse(encoded(photo(5, (4000, 3000)), "jpg"), LIMITS)
    assert (small.image.size, small.factor) == ((125, 94), 32)


@pytest.mark.parametrize("size", [(96, 96), (255, 4000), (256, 256), (720, 720), (6000, 5999), (30, 9000)])
def test_what_is_looked_at_is_small_but_large_enough(size: tuple[int, int]) -> None:
    small = reduced(Image.new("RGB", size))
    shorter = min(small.image.size)
    assert shorter == min(size) if min(size) < 256 else 90 <= shorter <= 180


# ------------------------------------------------------------------ refusals


def damaged_files(seed: int, count: int) -> Iterator[bytes]:
    """Cut, with holes, with rubbish let in, with bytes changed in the header or anywhere."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(WHOLE[rng.choice(sorted(WHOLE))])
        place, length = rng.randrange(len(data)), rng.randrange(1, 200)
        how = rng.randrange(5)
        if how == 0:
            del data[place:]
        elif how == 1:
            del data[place : place + length]
        elif how == 2:
            data[place:place] = rng.randbytes(length)
        else:
            for _ in range(rng.randrange(1, 20)):
                data[rng.randrange(min(len(data), 700) if how == 3 else len(data))] = rng.randrange(256)
        yield bytes(data) + (b"\xff\xd9" if rng.random() < 0.3 else b"")


def verdict(read: object, data: bytes) -> tuple[str, int, int]:
    try:
        seen = read(data, LIMITS)  # type: ignore[operator]
    except ImageRefused as refusal:
        return refusal.reason, 0, 0
    return "", seen.width, seen.height


def test_a_look_refuses_what_the_full_decode_refuses_for_the_same_reason() -> None:
    verdicts = [(verdict(look, data), verdict(decode, data)) for data in damaged_files(7, 600)]
    assert [pair for pair in verdicts if pair[0] != pair[1]] == []
    reasons = [one[0].split(":")[0] for one, _ in verdicts]
    assert min(reasons.count(reason) for reason in ("", "truncated", "broken")) > 50  # each kind was there


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_cut_short_anywhere_is_refused_by_both(kind: str) -> None:
    data = WHOLE[kind]
    for share in (0.05, 0.3, 0.6, 0.9, 0.999):
        cut = data[: int(len(data) * share)]
        assert verdict(look, cut) == verdict(decode, cut) == ("truncated", 0, 0)


@budget(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_damaged_bytes_give_a_look_or_a_refusal_and_nothing_else(
    name: str, edits: list[tuple[int, int]], end: int, cut: bool
) -> None:
    data = bytearray(WHOLE[name])
    for place, value in edits:
        data[place % len(data)] = value
    if cut:
        del data[end % len(data) :]
    try:
        seen = look(bytes(data), LIMITS)
    except ImageRefused:
        return
    assert np.isfinite([seen.quality.blur, seen.quality.entropy, seen.quality.chroma]).all()
    assert len(seen.print.views64) == len(seen.print.views256) == 8


@given(st.binary(max_size=300))
@budget(deadline=None)
def test_any_bytes_give_a_refusal(data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"\x00\x00\x00\x18ftypavif"):
        with pytest.raises(ImageRefused):
            look(start + data, LIMITS)


# ------------------------------------------------------------------ formats, threads, real files


def test_the_same_picture_looks_the_same_in_every_format_and_size() -> None:
    first = look(encoded(detailed((1000, 800), 6), "png"), LIMITS)
    for kind in FORMATS:
        for size in ((1000, 800), (900, 720), (500, 400), (250, 200)):
            other = look(encoded(detailed((1000, 800), 6).resize(size, Image.Resampling.LANCZOS), kind), LIMITS)
            assert bits64(first, other) <= 4
            assert bits256(first, other) <= 16


def test_threads_see_what_one_thread_sees() -> None:
    files = [encoded(photo(seed, (700, 500)), kind) for seed in range(4) for kind in FORMATS] * 3
    alone = [look(data, LIMITS) for data in files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda data: look(data, LIMITS), files)) == alone


@pytest.mark.skipif(not (SHARED_DATA / "photos").is_dir(), reason="no shared data")
def test_real_photos_are_seen_as_the_full_decode_shows_them() -> None:
    for path in sorted((SHARED_DATA / "photos").rglob("*.jp*g"))[::40]:
        data = path.read_bytes()
        seen, shown = verdict(look, data), verdict(decode, data)
        assert seen == shown
        if not seen[0]:
            full = fingerprint(decode(data, LIMITS))
            assert (look(data, LIMITS).print.phash64 ^ full.phash64).bit_count() <= 4
