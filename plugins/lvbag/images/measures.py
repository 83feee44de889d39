"""Plain measures of a picture's quality, the columns that validation looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LONGEST_PX = 512
"""Larger pictures are averaged down first, so that blur means the same for a photo and for its small copy."""

_NEARLY_WHITE = 245


@dataclass(frozen=True)
class Quality:
    """Brightness and contrast 0 to 1, blur (variance of the Laplacian), entropy in bits, white share of the border.

    `chroma`: mean CIELAB chroma, next to 0 for a grey picture.
    """

    brightness: float
    contrast: float
    blur: float
    entropy: float
    white_share: float
    chroma: float


def quality(image: Image.Image) -> Quality:
    """Measure an RGB picture (as `lvbag.images.decode` gives it)."""
    factor = max(image.size) // _LONGEST_PX
    small = image.reduce(factor) if factor > 1 else image
    grey_image = small.convert("L")
    grey = np.asarray(grey_image)
    return Quality(
        brightness=float(grey.mean() / 255.0),
        contrast=float(grey.std() / 255.0),
        blur=_laplacian_variance(grey),
        entropy=float(grey_image.entropy()),
        white_share=_white_border(np.asarray(small)),
        chroma=0.0,
    )


def _laplacian_variance(grey: NDArray[np.uint8]) -> float:
    """Of the four neighbours' kernel, on grey from 0 to 255; smaller is blurrier."""
    if min(grey.shape) < 3:
        return 0.0
    wide = grey.astype(np.int16)
    laplacian = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * wide[1:-1, 1:-1]
    return float(laplacian.astype(np.float32).var())


def _white_border(rgb: NDArray[np.uint8]) -> float:
    """Share of pixels in the outer fortieth of the picture of which every channel is nearly white."""
    band = max(1, min(rgb.shape[:2]) // 40)
    strips = (rgb[:band], rgb[-band:], rgb[band:-band, :band], rgb[band:-band, -band:])
    pixels = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    return float((pixels.min(axis=1) >= _NEARLY_WHITE).mean())
