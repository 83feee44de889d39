"""Whatever a decoder gives becomes 8 bits of red, green and blue on white, and knows which way is up.

Colour profiles are not applied: sRGB is taken for granted, as for nearly every picture on the web.
"""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image, ImageChops

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


def orientation(image: Image.Image) -> Image.Transpose | None:
    """What puts a loaded picture upright (EXIF, or XMP without it); None for one that stands or does not say."""
    try:
        return _ORIENTATIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a courtesy: rubbish in EXIF (struct.error, KeyError …) does not spoil the pixels
        return None


def to_rgb(image: Image.Image, sample_bits: int = 8) -> Image.Image:
    """A loaded picture of any mode that the four decoders give; `sample_bits` is the file's own depth.

    May be the very same object where nothing is to be done.
    """
    clear = image.info.get("transparency")
    if image.mode == "RGB" and clear is None:
        return image
    if image.mode.startswith("I"):
        return _deep_grey(image, clear)
    if image.mode == "CMYK":
        # Pillow takes every CMYK JPEG for inverted, as Adobe writes them; one without Adobe's mark is not
        return (image if "adobe" in image.info else ImageChops.invert(image)).convert("RGB")
    if image.mode in _WITH_ALPHA or clear is not None:
        if clear is not None:
            image.info["transparency"] = _as_stored(image.mode, clear, sample_bits)
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _deep_grey(image: Image.Image, clear: object) -> Image.Image:
    """16 bits of grey, scaled (PIL would clip at 255)."""
    deep = np.asarray(image)
    shades = (np.clip(deep, 0, 65535) >> 8).astype(np.uint8)
    if isinstance(clear, int):
        shades[deep == clear] = 255
    return Image.fromarray(shades).convert("RGB")


def _as_stored(mode: str, clear: object, sample_bits: int) -> object:
    """The transparent colour in 8 bits: PIL scales samples of other depths, and leaves the colour as it was written."""
    if mode == "RGB" and sample_bits == 16 and isinstance(clear, tuple):
        return tuple(sample >> 8 for sample in clear)
    if mode == "L" and sample_bits in (2, 4) and isinstance(clear, int):
        return clear * (255 // (2**sample_bits - 1))
    return clear


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image.getchannel("A"))
    return white
