"""From bytes of unknown origin to an RGB picture, or a refusal with its reason.

Only JPEG, PNG, WEBP and AVIF are opened, recognised by content (a file's extension lies). Size is checked before a
decoder sees the bytes. Whatever a decoder raises on hostile bytes becomes `ImageRefused`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import AvifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from lvbag.errors import LvbagError
from lvbag.images.avif_boxes import avif_coded_sizes
from lvbag.images.formats import ALLOWED, declared_size, frames, misses_end, png_sample_bits, sniff
from lvbag.images.jpeg_marks import jpeg_scans
from lvbag.images.normalising import orientation, to_rgb
from lvbag.settings import ImageSettings

_PLUGINS = {
    "jpg": JpegImagePlugin.JpegImageFile.format,
    "png": PngImagePlugin.PngImageFile.format,
    "webp": WebPImagePlugin.WebPImageFile.format,
    "avif": AvifImagePlugin.AvifImageFile.format,
}
"""Imported here, so that PIL never loads its forty others to look for one of these."""

_MAX_SCANS = 100
"""Of a progressive JPEG: each costs a walk over all pixels."""


ScaleOf = Callable[[tuple[int, int]], int]


class ImageRefused(LvbagError):
    """These bytes are no picture that we take; `reason` is written `<rule>` or `<rule>: <what was seen>`.

    Rules: `not_an_image`, `format_not_allowed`, `too_many_bytes`, `too_many_pixels`, `too_many_frames`,
    `too_many_scans`, `too_small`, `truncated`, `broken`; `unreadable` of a file that could not be opened at all.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Header:
    """What the first bytes say: format (`jpg`, `png`, `webp`, `avif`), size in pixels before EXIF orientation."""

    format: str
    width: int
    height: int


def check_header(data: bytes, limits: ImageSettings) -> Header:
    """Format and size by content, without decoding pixels; raises `ImageRefused`."""
    check_bytes(len(data), limits)
    kind = sniff(data)
    if kind is None:
        raise ImageRefused("not_an_image")
    if kind not in ALLOWED:
        raise ImageRefused(f"format_not_allowed: {kind}")
    size = declared_size(data, kind)
    if size is None:
        raise ImageRefused("truncated" if misses_end(data, kind) else f"broken: no size in the {kind} header")
    _check_size(size, limits)
    if misses_end(data, kind):
        raise ImageRefused("truncated")
    if (count := frames(data, kind)) > limits.max_frames:
        raise ImageRefused(f"too_many_frames: {count}, images.max_frames is {limits.max_frames}")
    for coded in avif_coded_sizes(data) if kind == "avif" else ():
        _check_pixels(coded, limits)
    if kind == "jpg" and jpeg_scans(data, _MAX_SCANS) > _MAX_SCANS:
        raise ImageRefused(f"too_many_scans: more than {_MAX_SCANS}, a picture has about ten")
    return Header(kind, *size)


def check_bytes(size: int, limits: ImageSettings) -> None:
    """Whether so many bytes are a picture's; raises `ImageRefused`."""
    if size > limits.max_bytes:
        raise ImageRefused(f"too_many_bytes: {size}, images.max_bytes is {limits.max_bytes}")


def decode(data: bytes, limits: ImageSettings, least_px: int | None = None) -> Image.Image:
    """The first frame in RGB, 8 bits a channel, EXIF orientation applied, transparency put on white.

    With `least_px` a JPEG comes out two, four or eight times smaller, as long as its longer side keeps so many pixels:
    it is then decoded in half of the time. Raises `ImageRefused` for what `check_header` refuses and for files that
    are cut short or damaged.
    """
    stored = read_stored(data, limits, None if least_px is None else lambda size: max(size) // least_px)
    rgb = stored.image.copy() if stored.turn is None else stored.image.transpose(stored.turn)
    rgb.info.clear()  # comments, profiles and EXIF of strangers travel no further
    return rgb


@dataclass(frozen=True)
class Stored:
    """RGB pixels as the file holds them: `scale` times smaller than `size`, and upright once `turn` is applied."""

    format: str
    size: tuple[int, int]
    image: Image.Image
    scale: int
    turn: Image.Transpose | None


def read_stored(data: bytes, limits: ImageSettings, scale_of: ScaleOf | None = None) -> Stored:
    """Decode the first frame; raises `ImageRefused`.

    `scale_of` tells, for width and height, how many times smaller is small enough; decoders take the next power of two
    below, if they can.
    """
    header = check_header(data, limits)
    sample_bits = png_sample_bits(data) if header.format == "png" else 8
    try:
        with Image.open(io.BytesIO(data), formats=[_PLUGINS[header.format]]) as image:
            size = image.size
            _check_size(size, limits)  # a decoder may read another size out of a crafted file than we did
            scale = 1 if scale_of is None else _decode_smaller(image, scale_of(size))
            image.decodermaxblock = len(data)  # all at once: the bytes are in memory anyhow
            image.load()
            turn = orientation(image)
            rgb = to_rgb(image, sample_bits)
    except ImageRefused:
        raise
    except Exception as error:  # on hostile bytes decoders raise anything: OSError, SyntaxError, struct.error …
        raise ImageRefused(_explain(error)) from None
    return Stored(header.format, size, rgb, scale, turn)


def _decode_smaller(image: Image.Image, scale: int) -> int:
    """Ask the decoder for a smaller picture; how many times smaller it will be (1 where the format cannot)."""
    if scale < 2:
        return 1
    width, height = image.size
    drafted = image.draft(None, (width // scale, height // scale))
    return 1 if drafted is None else round(width / drafted[1][2])


def _check_size(size: tuple[int, int], limits: ImageSettings) -> None:
    width, height = size
    _check_pixels(size, limits)
    if min(width, height) < limits.min_side_px:
        raise ImageRefused(f"too_small: {width}x{height} px, images.min_side_px is {limits.min_side_px}")


def _check_pixels(size: tuple[int, int], limits: ImageSettings) -> None:
    if (pixels := size[0] * size[1]) > limits.max_pixels:
        raise ImageRefused(f"too_many_pixels: {pixels} px, images.max_pixels is {limits.max_pixels}")


def _explain(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its text names an object in memory: another one each time
        return "broken: not readable by its decoder"
    text = " ".join(str(error).split())[:160]
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    return f"broken: {text or type(error).__name__}"
