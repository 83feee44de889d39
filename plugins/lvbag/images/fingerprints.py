"""A picture's fingerprint: two perceptual hashes of its shape and a thumbnail of its colours.

64 bits propose a near-duplicate and 256 confirm it; both are hashes of grey, so the thumbnail tells the same shape in
another colour apart. Every change of the method moves bits: `VERSION` is stored with each fingerprint, and
fingerprints of different versions are never compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lvbag.images.reducing import Reduced, reduced
from lvbag.images.symmetries import TURNS, UPRIGHT, Turn
from lvbag.images.thumbs import THUMB_SHAPE, colour_thumb

__all__ = ["THUMB_SHAPE", "VERSION", "VIEWS", "Fingerprint", "fingerprint", "fingerprint_reduced"]

VERSION = "2"

VIEWS = ("", "mirrored", "turned_90", "turned_180", "turned_270", "upside_down", "transposed", "transversed")
"""What a picture may have been turned into, the picture as it is first: the eight symmetries of a rectangle."""

_TURNED = (
    UPRIGHT,
    TURNS[Image.Transpose.FLIP_LEFT_RIGHT],
    TURNS[Image.Transpose.ROTATE_90],
    TURNS[Image.Transpose.ROTATE_180],
    TURNS[Image.Transpose.ROTATE_270],
    TURNS[Image.Transpose.FLIP_TOP_BOTTOM],
    TURNS[Image.Transpose.TRANSPOSE],
    TURNS[Image.Transpose.TRANSVERSE],
)
"""In the order of `VIEWS`."""

_REDUCING_GAP = 1.5
"""See PIL's `resize`."""


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
    return fingerprint_reduced(reduced(image))


def fingerprint_reduced(small: Reduced) -> Fingerprint:
    """Fingerprint a picture that was made small."""
    pixels32, pixels64 = _pixels(small)
    bits64, bits256 = _bits(pixels32, _SMALL), _bits(pixels64, _LARGE)
    return Fingerprint(
        views64=tuple(bits64.view(">u8").ravel().tolist()),
        views256=tuple(row.tobytes() for row in bits256),
        thumb=colour_thumb(small.image, small.box).tobytes(),
    )


def _pixels(small: Reduced) -> tuple[Image.Image, Image.Image]:
    """Grey of 32 x 32 and of 64 x 64 pixels, resampled as imagehash does it.

    A picture that was made small is off by a bit or two anyhow: it is averaged before it is resampled, as far as that
    moves no more of them, and its smaller pixels are taken from the larger ones. That saves two thirds of the time.
    """
    lanczos = Image.Resampling.LANCZOS
    gap = _REDUCING_GAP if small.factor > 1 else None
    pixels64 = small.grey.resize((64, 64), lanczos, box=small.box, reducing_gap=gap)
    return (pixels64 if small.factor > 1 else small.grey).resize((32, 32), lanczos), pixels64


@dataclass(frozen=True)
class _Method:
    """What is computed once for hashes of n x n bits, which are read off 4n x 4n pixels.

    `cosines` (n, 4n) gives the n lowest coefficients of the cosine transform. `places` and `signs` (8, n * n) make
    those of each view: transposing a picture transposes them, mirroring it negates the odd columns, putting it upside
    down the odd rows.
    """

    cosines: NDArray[np.float64]
    places: NDArray[np.intp]
    signs: NDArray[np.float64]


def _method(side: int) -> _Method:
    length = 4 * side
    frequencies, pixels = np.arange(side)[:, None], np.arange(length)[None, :]
    cosines = 2.0 * np.cos(np.pi * frequencies * (2 * pixels + 1) / (2 * length))  # DCT-II, not normalised
    places, signs = zip(*(_view(turn, side) for turn in _TURNED), strict=True)
    return _Method(cosines, np.stack(places), np.stack(signs))


def _view(turn: Turn, side: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    grid = np.arange(side * side).reshape(side, side)
    alternating = np.where(np.arange(side) % 2, -1.0, 1.0)
    signs = np.ones((side, side))
    if turn.mirrors:
        signs = signs * alternating[None, :]
    if turn.upends:
        signs = signs * alternating[:, None]
    return (grid.T if turn.swaps else grid).ravel(), signs.ravel()


_SMALL, _LARGE = _method(8), _method(16)


def _bits(pixels: Image.Image, method: _Method) -> NDArray[np.uint8]:
    """A hash for each view: which of its coefficients are above their median."""
    low = method.cosines @ np.asarray(pixels, dtype=np.float64) @ method.cosines.T
    views = low.ravel()[method.places] * method.signs
    ordered = np.sort(views, axis=1)
    half = views.shape[1] // 2
    medians = (ordered[:, half - 1 : half] + ordered[:, half : half + 1]) / 2
    return np.packbits(views > medians, axis=1)
