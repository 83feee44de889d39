"""Fingerprints made up for tests, and pictures to take them of."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lvbag.curate.duplicates.linking import Prints
from lvbag.curate.duplicates.prints import CELLS


def blank(count: int, views: int = 1) -> Prints:
    """All bits 0, mid-grey."""
    return Prints(
        np.zeros((count, views), dtype=np.uint64),
        np.zeros((count, views, 32), dtype=np.uint8),
        np.zeros((count, CELLS, 3), dtype=np.int8),
    )


def prints_of(codes: list[int], bits256: list[int] | None = None) -> Prints:
    """Upright pictures with these 64-bit hashes; of 256 bits the first `bits256` are set."""
    made = blank(len(codes))
    made.views64[:, 0] = codes
    for number, bits in enumerate(bits256 or []):
        made.views256[number, 0] = np.packbits(np.arange(256) < bits)
    return made


def random_prints(count: int, views: int, seed: int) -> Prints:
    """Pictures that have nothing in common."""
    rng = np.random.default_rng(seed)
    return Prints(
        rng.integers(0, 2**63, (count, views), dtype=np.uint64),
        rng.integers(0, 256, (count, views, 32), dtype=np.uint8),
        rng.integers(-60, 60, (count, CELLS, 3)).astype(np.int8),
    )


def picture(seed: int, size: tuple[int, int] = (200, 150)) -> Image.Image:
    """A picture of soft patches, like no other."""
    coarse = np.random.default_rng(seed).integers(0, 255, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def noisy(image: Image.Image) -> Image.Image:
    """The picture with a little noise, always the same."""
    noise = np.random.default_rng(0).integers(-3, 4, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
