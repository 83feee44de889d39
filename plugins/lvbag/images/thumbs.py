"""A picture's colours in a few bytes: what tells the same shape in another colour apart, which hashes of grey do not.

Changing the shape or the method here means raising `fingerprints.VERSION`: stored thumbnails would not compare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lvbag.images.symmetries import Box

THUMB_SHAPE = (8, 8, 3)
"""Rows, columns, and L, a, b of CIELAB as int8: see `THUMB_UNITS`."""

THUMB_UNITS = (0.5, 1 / 3, 1 / 3)
"""What one step of the stored numbers is in L, a and b; L is stored less 50, so that 0 to 100 becomes -100 to 100."""

_CHROMA = 0.045
"""How much less a difference counts the more colourful both are, as CIE94 has it: a and b are shortened accordingly, so
that plain distances between cells are those of CIE94, and a picture that was made more colourful stays near."""

# linear sRGB to XYZ divided by the D65 white point (IEC 61966-2-1)
_TO_XYZ = np.array(
    [
        [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
    ]
)

_SHADES = np.arange(256) / 255.0
_LINEAR = np.where(_SHADES <= 0.04045, _SHADES / 12.92, ((_SHADES + 0.055) / 1.055) ** 2.4)
"""Light of each of the 256 shades that sRGB writes."""


def colour_thumb(image: Image.Image, box: Box | None = None) -> NDArray[np.int8]:
    """The thumbnail (`THUMB_SHAPE`) of an RGB picture of any size: each cell the mean of its part of the picture.

    `box` is the part to look at, to fractions of a pixel; the whole picture without it.
    """
    rows, columns, _ = THUMB_SHAPE
    means = np.asarray(image.resize((columns, rows), Image.Resampling.BOX, box=box))
    lab = to_lab(means.reshape(-1, 3))
    chroma = _CHROMA * np.hypot(lab[:, 1], lab[:, 2])
    lab[:, 1:] *= (np.log1p(chroma) / np.maximum(chroma, 1e-9))[:, None]
    lab[:, 0] -= 50
    stored: NDArray[np.int8] = np.rint(lab / THUMB_UNITS).astype(np.int8)
    return stored.reshape(THUMB_SHAPE)


def to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIELAB (D65) of sRGB in 0 to 255; shape (n, 3) in and out."""
    xyz = _LINEAR[rgb] @ _TO_XYZ.T
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
