"""The one way in which a picture becomes a classifier's square input, in training and in use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def square(image: Image.Image, side_px: int) -> NDArray[np.uint8]:
    """Fit an RGB picture into a square on white, centred, its proportions kept; uint8 (side, side, 3), 0 to 255.

    Smaller pictures are enlarged. Reducing is antialiased (PIL's bilinear filter widens with the scale).
    """
    scale = side_px / max(image.size)
    width, height = (min(side_px, max(1, round(length * scale))) for length in image.size)
    fitted = image.resize((width, height), Image.Resampling.BILINEAR)
    canvas = Image.new("RGB", (side_px, side_px), (255, 255, 255))
    canvas.paste(fitted, ((side_px - width) // 2, (side_px - height) // 2))
    return np.asarray(canvas, dtype=np.uint8)
