"""From bytes of unknown origin to an RGB picture, or a refusal with its reason.

Only JPEG, PNG, WEBP and AVIF are opened, recognised by content (a file's extension lies). Size is checked before a
decoder sees the bytes. Whatever a decoder raises on hostile bytes becomes `ImageRefused`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from lvbag.errors import LvbagError
from lvbag.images.formats import ALLOWED, declared_size, frames, misses_end, sniff
from lvbag.settings import ImageSettings

_PLUGINS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF"}


class ImageRefused(LvbagError):
    """These bytes are no picture that we take; `reason` is written `<rule>` or `<rule>: <what was seen>`.

    Rules: `not_an_image`, `format_not_allowed`, `too_many_pixels`, `too_many_frames`, `too_small`, `truncated`,
    `broken`.
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
    return Header(kind, *size)


def decode(data: bytes, limits: ImageSettings) -> Image.Image:
    """The first frame in RGB, 8 bits a channel, EXIF orientation applied, transparency put on white.

    Raises `ImageRefused` for what `check_header` refuses and for files that are cut short or damaged.
    """
    header = check_header(data, limits)
    try:
        with Image.open(io.BytesIO(data), formats=[_PLUGINS[header.format]]) as image:
            _check_size(image.size, limits)  # a decoder may read another size out of a crafted file than we did
            image.load()
            rgb = _on_white(_oriented(image))
    except ImageRefused:
        raise
    except (
        Exception
    ) as error:  # decoders raise anything on hostile bytes: OSError, SyntaxError, struct.error, KeyError …
        raise ImageRefused(_explain(error)) from None
    rgb.info.clear()  # comments, profiles and EXIF of strangers travel no further
    return rgb


def _check_size(size: tuple[int, int], limits: ImageSettings) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageRefused(f"too_many_pixels: {width * height} px, images.max_pixels is {limits.max_pixels}")
    if min(width, height) < limits.min_side_px:
        raise ImageRefused(f"too_small: {width}x{height} px, images.min_side_px is {limits.min_side_px}")


def _oriented(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image) or image
    except (
        Exception
    ):  # the orientation is a courtesy: rubbish in EXIF (struct.error, KeyError …) does not spoil the pixels
        return image


def _on_white(image: Image.Image) -> Image.Image:
    """RGB of any mode that the four decoders give."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16 bits of grey; PIL would clip at 255 instead of scaling
        deep = np.asarray(image).astype(np.uint32)
        return Image.fromarray((np.minimum(deep, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        alpha = image.convert("RGBA")
        white = Image.new("RGBA", alpha.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, alpha).convert("RGB")
    return image.convert("RGB")


def _explain(error: Exception) -> str:
    text = " ".join(str(error).split())[:160]
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    return f"broken: {text or type(error).__name__}"
