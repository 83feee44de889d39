"""Plain measures of a picture's quality, the columns that validation looks at.

All are taken from a picture that was made small, so they mean the same for a photo, for its smaller copies and for each
format. What is smaller than a hundredth of the picture is not seen: grain, a blur of one or two pixels in a photo of a
thousand, or the loss of detail in a copy that was enlarged less than about tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lvbag.images.reducing import SHORTEST_PX, Reduced, reduced
from lvbag.images.thumbs import to_lab

GREY_CHROMA = 0.1
"""A picture with less mean chroma is called greyscale. So is a black bag on a neutral ground (3 in 100 web photos)."""

_LONGEST_PX = 8 * SHORTEST_PX
"""Of a banner; all else is looked at with a shorter side of `SHORTEST_PX`."""

_CHROMA_CELL_PX = 8

_NEARLY_WHITE = 245
_SHADES = np.arange(256) / 255.0


@dataclass(frozen=True)
class Quality:
    """Brightness and contrast (mean and standard deviation of grey) 0 to 1, entropy of the grey histogram in bits.

    `blur`: variance of the Laplacian of grey in 0 to 255, at one size for all pictures; smaller is blurrier.
    `white_share`: of the outer fortieth of the picture, all around, the share that is nearly white. The middle does not
    count: a white bag on a street is no pack-shot, a large black one on white is.
    `chroma`: mean CIELAB chroma, next to 0 for a grey picture.
    """

    brightness: float
    contrast: float
    blur: float
    entropy: float
    white_share: float
    chroma: float

    @property
    def greyscale(self) -> bool:
        """Whether it has no colours to speak of."""
        return self.chroma < GREY_CHROMA


def quality(image: Image.Image) -> Quality:
    """Measure an RGB picture (as `lvbag.images.decode` gives it)."""
    return quality_reduced(reduced(image))


def quality_reduced(small: Reduced) -> Quality:
    """Measure a picture that was made small."""
    grey = _at_one_size(small)
    shares = np.array(grey.histogram()) / (grey.width * grey.height)
    mean = float(shares @ _SHADES)
    return Quality(
        brightness=mean,
        contrast=float(np.sqrt(shares @ (_SHADES - mean) ** 2)),
        blur=_laplacian_variance(np.asarray(grey)),
        entropy=_entropy(shares),
        white_share=_white_border(np.asarray(small.image)),
        chroma=_chroma(small.image),
    )


def _at_one_size(small: Reduced) -> Image.Image:
    """Grey, with a shorter side of 90 px; smaller pictures are enlarged, for detail that they lack is blur as well."""
    width, height = small.box[2] - small.box[0], small.box[3] - small.box[1]
    scale = min(SHORTEST_PX / min(width, height), _LONGEST_PX / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return small.grey.resize(size, Image.Resampling.BOX, box=small.box)


def _laplacian_variance(grey: NDArray[np.uint8]) -> float:
    """Of the four neighbours' kernel, on grey from 0 to 255; the sums are of whole numbers, so the order is free."""
    if min(grey.shape) < 3:
        return 0.0
    wide = grey.astype(np.int16)
    laplacian = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * wide[1:-1, 1:-1]
    values = laplacian.astype(np.float64).ravel()
    mean = values.sum() / values.size
    square = np.einsum("i,i->", values, values) / values.size  # `@` would start threads for so many
    return float(max(0.0, square - mean * mean))


def _entropy(shares: NDArray[np.float64]) -> float:
    seen = shares[shares > 0]
    return max(0.0, float(-(seen @ np.log2(seen))))


def _white_border(rgb: NDArray[np.uint8]) -> float:
    band = max(1, min(rgb.shape[:2]) // 40)
    strips = (rgb[:band], rgb[-band:], rgb[band:-band, :band], rgb[band:-band, -band:])
    white = np.concatenate([strip.reshape(-1, 3) for strip in strips]) >= _NEARLY_WHITE
    return float((white[:, 0] & white[:, 1] & white[:, 2]).mean())


def _chroma(image: Image.Image) -> float:
    """Of means of a few pixels: the noise of colours in a dark photo is no colour."""
    lab = to_lab(np.asarray(image.reduce(_CHROMA_CELL_PX)).reshape(-1, 3))
    return float(np.hypot(lab[:, 1], lab[:, 2]).mean())
