"""A picture's fingerprint: two perceptual hashes of its shape and a thumbnail of its colours.

64 bits propose a near-duplicate and 256 confirm it; both are hashes of grey, so the thumbnail tells the same shape in
another colour apart. Every change of the method moves bits: `VERSION` is stored with each fingerprint, and
fingerprints of different versions are never compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = "2"

VIEWS = ("", "mirrored", "turned_90", "turned_180", "turned_270", "upside_down", "transposed", "transversed")
"""What a picture may have been turned into, the picture as it is first: the eight symmetries of a rectangle."""

THUMB_SHAPE = (8, 8, 3)
"""Rows, columns, and L (0 to 100), a, b (-128 to 127) of CIELAB as int8."""

_ENOUGH_PX = 256
"""Larger pictures are first averaged down, no side below this: a hash sees 64 pixels a side in the end."""

# linear sRGB to XYZ divided by the D65 white point (IEC 61966-2-1)
_TO_XYZ = np.array(
    [
        [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
    ]
)


_TURNS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)


@dataclass(frozen=True)
class Fingerprint:
    """`views64` (unsigned) and `views256` (32 bytes each) hold a hash for each of `VIEWS`, the upright picture first.

    `thumb` int8 of `THUMB_SHAPE`, of the upright picture; `version` of the method.
    """

    views64: tuple[int, ...]
    views256: tuple[bytes, ...]
    thumb: bytes
    version: str = VERSION

    @property
    def phash64(self) -> int:
        """Of the picture as it is."""
        return self.views64[0]

    @property
    def phash256(self) -> bytes:
        """Of the picture as it is; 32 bytes."""
        return self.views256[0]

    @property
    def flip64(self) -> int:
        """Of the mirrored picture."""
        return self.views64[1]

    @property
    def flip256(self) -> bytes:
        """Of the mirrored picture; 32 bytes."""
        return self.views256[1]


def fingerprint(image: Image.Image) -> Fingerprint:
    """Fingerprint an RGB picture (as `lvbag.images.decode` gives it)."""
    grey = _reduced(image.convert("L"))
    turned = [grey if turn is None else grey.transpose(turn) for turn in _TURNS]
    small = [imagehash.phash(view, hash_size=8).hash for view in turned]
    large = [imagehash.phash(view, hash_size=16).hash for view in turned]
    return Fingerprint(
        views64=tuple(int.from_bytes(np.packbits(view).tobytes(), "big") for view in small),
        views256=tuple(np.packbits(view).tobytes() for view in large),
        thumb=_colour_thumb(image).tobytes(),
    )


def _reduced(image: Image.Image) -> Image.Image:
    factor = min(image.size) // _ENOUGH_PX
    return image.reduce(factor) if factor > 1 else image


def _colour_thumb(image: Image.Image) -> NDArray[np.int8]:
    rows, columns, _ = THUMB_SHAPE
    means = np.asarray(image.resize((columns, rows), Image.Resampling.BOX), dtype=np.float64) / 255.0
    return np.rint(_to_lab(means)).clip(-128, 127).astype(np.int8)


def _to_lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB (D65) of sRGB in 0 to 1; the last axis holds the channels."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
