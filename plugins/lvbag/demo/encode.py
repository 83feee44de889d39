"""A photo's bytes: rendered, edited, encoded, and broken where it is meant to be."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from lvbag.demo.listings import Edit, Fault, Format, MarketError, Photo
from lvbag.demo.scene import compose, render

RESIZED_SHARE = 0.6
BOMB_SIZE = (8000, 5000)  # 40 megapixels
_ORIENTATION_TAG = 0x0112
_TURNED_LEFT = 6  # EXIF: show it turned by 90 degrees clockwise


def photo_bytes(photo: Photo) -> bytes:
    """The file's content. A photo that is `MISSING` has none: `MarketError`."""
    if photo.file is not None:
        return _read(photo)
    if photo.fault in _FAULTY_FILES:
        return _FAULTY_FILES[photo.fault]()
    if photo.shot is None:
        raise MarketError(f"{photo.path} has no content: it is a {photo.fault} file")
    image = _edited(render(photo.shot), photo.edit)
    data = _encoded(image, photo)
    return data[: len(data) * 3 // 5] if photo.fault is Fault.TRUNCATED else data


def photo_size(photo: Photo) -> tuple[int, int] | None:
    """Width and height of a drawn photo, upright, in pixels; None where it is none."""
    if photo.fault is Fault.BOMB:
        return BOMB_SIZE
    if photo.shot is None:
        return None
    width, height = compose(photo.shot).size
    if photo.edit is Edit.RESIZED:
        return round(width * RESIZED_SHARE), round(height * RESIZED_SHARE)
    return width, height


def _read(photo: Photo) -> bytes:
    if photo.file is None:
        raise MarketError(f"{photo.path} is no file")
    try:
        return photo.file.read_bytes()
    except OSError as error:
        raise MarketError(f"{photo.file} cannot be read: {error.strerror}; restart the market after a change") from None


def _edited(image: Image.Image, edit: Edit | None) -> Image.Image:
    if edit in (None, Edit.SAME):
        return image
    image = _on_white(image)
    if edit is Edit.RESIZED:
        size = (round(image.width * RESIZED_SHARE), round(image.height * RESIZED_SHARE))
        return image.resize(size, Image.Resampling.LANCZOS)
    if edit is Edit.WATERMARKED:
        return _watermarked(image)
    return image


def _watermarked(image: Image.Image) -> Image.Image:
    mark = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(mark)
    for row in range(3):
        at = (image.width * (0.3 + 0.2 * row), image.height * (0.2 + 0.3 * row))
        draw.text(at, "maison-retro", fill=(255, 255, 255, 110), anchor="mm", font=ImageFont.load_default(26))
    image.paste(mark, (0, 0), mark)
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, (0, 0), image)
    return white


def _encoded(image: Image.Image, photo: Photo) -> bytes:
    buffer = io.BytesIO()
    if photo.format is Format.JPG:
        _save_jpeg(_on_white(image), photo, buffer)
    elif photo.format is Format.PNG:
        image.save(buffer, "PNG", compress_level=2)
    elif photo.format is Format.WEBP:
        image.save(buffer, "WEBP", quality=84, method=0)
    else:
        # One thread: the encoder cuts the picture by the number of threads, and the bytes would follow the machine.
        image.save(buffer, "AVIF", quality=72, speed=10, max_threads=1)
    return buffer.getvalue()


def _save_jpeg(image: Image.Image, photo: Photo, buffer: io.BytesIO) -> None:
    quality = 42 if photo.edit is Edit.RECOMPRESSED else 88
    if photo.sideways:
        exif = Image.Exif()
        exif[_ORIENTATION_TAG] = _TURNED_LEFT
        image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=quality, exif=exif)
    else:
        image.save(buffer, "JPEG", quality=quality)


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", BOMB_SIZE, 200).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def _text_file() -> bytes:
    return b"This photo was removed by its owner.\n" * 8


def _html_file() -> bytes:
    return b"<!doctype html><html><head><title>Sign in</title></head><body><p>Please sign in.</p></body></html>\n"


_FAULTY_FILES: dict[Fault | None, Callable[[], bytes]] = {
    Fault.BOMB: _bomb,
    Fault.TEXT_FILE: _text_file,
    Fault.HTML_FILE: _html_file,
}
