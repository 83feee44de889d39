"""A crop cut to the very thing it shows, so that the same photo framed otherwise gives the same fingerprint.

A detector never draws its box twice in quite the same place, and a few percent move most bits of a hash. On a plain
ground the thing itself says where it ends. Where the ground is not plain the crop stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lvbag.images.fingerprints import Fingerprint, fingerprint
from lvbag.images.symmetries import Box

_LOOKED_AT_PX = 160
"""Larger pictures are averaged down to about this much, so that noise and fine hair do not count."""

_NEARLY_GROUND, _SURELY_THING = 20, 80
"""Shades from the ground's: a pixel counts from the first on, more and more up to the second. Shadows count little."""

_PLAIN_SHARE = 0.6
"""So much of the border is the ground, else it is not plain; the thing may touch it where it was cut."""

_CUT_SHARE = 0.01
"""Of what the thing weighs, so much is cut off at each side: where this much lies is known to fractions of a pixel,
while the outermost pixel comes and goes with the compression."""

_LEAST_WEIGHT = 0.002
"""Of the picture: less is no thing."""


def crop_fingerprint(crop: Image.Image) -> Fingerprint:
    """The fingerprint by which crops are compared: of the thing alone where it stands on a plain ground."""
    box = thing_box(crop)
    if box is None:
        return fingerprint(crop)
    size = (max(1, round(box[2] - box[0])), max(1, round(box[3] - box[1])))
    return fingerprint(crop.resize(size, Image.Resampling.BICUBIC, box=box))


def thing_box(image: Image.Image) -> Box | None:
    """Where the thing on an RGB picture is, in fractions of pixels; None where the ground is not plain."""
    factor = max(1, min(image.size) // _LOOKED_AT_PX)
    small = image.reduce(factor) if factor > 1 else image
    pixels = np.asarray(small)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.int16)
    ground = np.median(border, axis=0)
    if (np.abs(border - ground).max(axis=1) <= _NEARLY_GROUND).mean() < _PLAIN_SHARE:
        return None
    apart = np.zeros(pixels.shape[:2], np.float32)
    for channel, shade in enumerate(ground):  # numpy takes several times as long for the largest of an axis of three
        np.maximum(apart, np.abs(pixels[..., channel] - np.float32(shade)), out=apart)
    weight = np.clip(apart - _NEARLY_GROUND, 0, _SURELY_THING - _NEARLY_GROUND).astype(np.float64)
    if weight.mean() < _LEAST_WEIGHT * (_SURELY_THING - _NEARLY_GROUND):
        return None
    (left, right), (upper, lower) = _ends(weight.sum(axis=0)), _ends(weight.sum(axis=1))
    return (
        left * factor,
        upper * factor,
        min(right * factor, float(image.width)),
        min(lower * factor, float(image.height)),
    )


def _ends(weights: NDArray[np.float64]) -> tuple[float, float]:
    """Between which places a row of weights lies, but for `_CUT_SHARE` at either end."""
    so_far = np.concatenate([[0.0], np.cumsum(weights)])
    places = np.arange(len(so_far))
    first, last = np.interp(np.array([_CUT_SHARE, 1 - _CUT_SHARE]) * so_far[-1], so_far, places)
    return float(first), float(last)
