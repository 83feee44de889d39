"""Fingerprints of millions of pictures that were never taken, distributed as those of real ones are.

A pHash says which of the lowest frequencies (DCT) of a small grey picture are above their median. Uniformly random bits
would flatter an index: real bits are correlated, and their pictures stand in crowds. So the frequencies of real
pictures are taken (the shared photographs where they are present, and bags that the demo draws), and others drawn by a
smoothed bootstrap (Silverman, 1986): a real picture's frequencies, square-rooted and brought to one contrast, moved
towards the mean and blurred by noise that has the covariance of all. Mean and covariance stay, and so do the crowds:
`BLUR` was chosen so that about as many pairs lie within 8 bits as among the real pictures. Thumbnails are drawn
together with the frequencies, and `BLUR_OF_THUMBS` so that about as many of their layouts (`duplicates.nearness`) lie
within 5. `bench/duplicates.py` prints both. A turned view's frequencies are the picture's with other signs or axes. The
64 bits are read from the lowest of the frequencies that give 256.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lvbag.demo.bags import drawn_products
from lvbag.demo.scene import Shot, Subject, render
from lvbag.images import ImageRefused, decode, fingerprint
from lvbag.settings import ImageSettings

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
DRAWN = 600
BLUR, BLUR_OF_THUMBS = 0.55, 0.17
SIDE, SIDE_64 = 16, 8
"""Frequencies down and across that are kept, and of these the ones of 64 bits."""

PART = 20_000
"""Pictures drawn at a time."""

Values = NDArray[np.float32]
"""(n, d): SIDE x SIDE frequencies, then a thumbnail's numbers; or the lowest SIDE_64 x SIDE_64 frequencies alone."""


class Pictures:
    """Real pictures, and others like them."""

    def __init__(self, values: Values) -> None:
        self.values = values

    @cached_property
    def lowest(self) -> Pictures:
        """Enough for 64 bits, and drawn much faster."""
        grid = self.values[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE)
        return Pictures(grid[:, :SIDE_64, :SIDE_64].reshape(len(grid), -1))

    def draw(self, count: int, rng: np.random.Generator) -> Values:
        """New pictures."""
        amount = np.full(self.values.shape[1], BLUR, dtype=np.float32)
        amount[SIDE * SIDE :] = BLUR_OF_THUMBS
        return self.blurred(self.values[rng.integers(0, len(self.values), count)], amount, rng)

    def blurred(self, values: Values, amount: Values | float, rng: np.random.Generator) -> Values:
        """Pictures a little (or much) like these."""
        mean, spread = self._distribution
        noise = rng.standard_normal(values.shape, dtype=np.float32) @ spread.T
        return np.ascontiguousarray(mean + np.sqrt(1 - amount**2) * (values - mean) + amount * noise, dtype=np.float32)

    def codes(self, count: int, rng: np.random.Generator) -> NDArray[np.uint64]:
        """64-bit hashes of new pictures."""
        parts = [min(PART, count - start) for start in range(0, count, PART)]
        return np.concatenate([hashes64(self.lowest.draw(part, rng))[:, 0] for part in parts])

    @cached_property
    def _distribution(self) -> tuple[Values, Values]:
        covariance = np.cov(self.values, rowvar=False) + 1e-6 * np.eye(self.values.shape[1])
        return self.values.mean(axis=0), np.linalg.cholesky(covariance).astype(np.float32)


def real_pictures() -> Pictures:
    """The shared photographs and some drawn bags."""
    products = drawn_products()
    shots = [
        Shot(Subject.BAG, products[number % len(products)], f"piece {number // 3}", f"shot {number}")
        for number in range(DRAWN)
    ]
    images = [render(shot) for shot in shots]
    for path in sorted(path for path in PHOTOS.rglob("*") if path.suffix in {".jpg", ".jpeg", ".png"}):
        try:
            images.append(decode(path.read_bytes(), ImageSettings()))
        except ImageRefused:
            continue
    return Pictures(np.stack([_values(image) for image in images]))


def _values(image: Image.Image) -> Values:
    from scipy.fftpack import dct

    grey = np.asarray(image.convert("L").resize((4 * SIDE, 4 * SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    frequencies = dct(dct(grey, axis=0), axis=1)[:SIDE, :SIDE].ravel()
    roots = np.sign(frequencies) * np.sqrt(np.abs(frequencies))
    thumb = np.frombuffer(fingerprint(image).thumb, dtype=np.int8)
    return np.concatenate([roots / np.sqrt(np.mean(roots[1:] ** 2)), thumb]).astype(np.float32)


def thumbs(values: Values) -> NDArray[np.int8]:
    """(n, cells, 3), as `lvbag.images.thumbs` stores them."""
    return np.rint(values[:, SIDE * SIDE :]).clip(-128, 127).astype(np.int8).reshape(len(values), -1, 3)


def hashes64(values: Values, views: int = 1) -> NDArray[np.uint64]:
    """(n, views), in the order of `lvbag.images.fingerprints.VIEWS`."""
    if values.shape[1] == SIDE_64**2:
        lowest = values.reshape(-1, SIDE_64, SIDE_64)
    else:
        lowest = values[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE)[:, :SIDE_64, :SIDE_64]
    return _hashes(lowest, views).view(">u8")[..., 0].astype(np.uint64)


def hashes256(values: Values, views: int = 1) -> NDArray[np.uint8]:
    """(n, views, 32), in the order of `lvbag.images.fingerprints.VIEWS`."""
    return _hashes(values[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE), views)


def _hashes(frequencies: NDArray[np.float32], views: int) -> NDArray[np.uint8]:
    down = (-1.0) ** np.arange(frequencies.shape[1], dtype=np.float32)[:, None]
    across, turned = down.T, frequencies.transpose(0, 2, 1)
    seen = (
        frequencies,
        frequencies * across,
        turned * down,
        frequencies * down * across,
        turned * across,
        frequencies * down,
        turned,
        turned * down * across,
    )[:views]
    bits = [view > np.median(view, axis=(1, 2), keepdims=True) for view in seen]
    return np.stack([np.packbits(one.reshape(len(one), -1), axis=1) for one in bits], axis=1)
