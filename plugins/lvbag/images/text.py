"""How much of a picture is text: banners, size charts, catalogue pages, watermarks. No reading, only how lines look.

Letters are small strokes that stand out, dark or light, from what is around them. Five or more of about one height,
close together on one line, are a line of text, and the rectangle around it counts. What is printed on a bag looks like
text as well, so what is inside the bag's box is left out.

Measured with a longest side of 300 to 600 px: lines lower than a hundredth of it are not seen, nor is script that joins
its letters, text on a slant, or a mark with little contrast.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lvbag.images.symmetries import Box

LONGEST_PX = 300
STROKE_PX = 9
"""Strokes up to this width are letters, what is wider is a surface."""

CONTRAST = 40
"""Least difference of a stroke from what is around it, of 255 shades of grey."""

LEAST_SHARE = 0.01
LEAST_INK = 0.12
"""A picture of which less than this share can be text is not looked at closer; ink takes so much of a line at least."""

LINE_LETTERS = 5
"""Fewer letters side by side are chance: buckles, zips, a logo."""

ORDERLY = 0.1
"""Least share of all strokes like letters that stand in lines: leaves and fabrics break into strokes of which some fall
into a line by chance (up to 0.06), while of text, with all that is drawn around it, 0.12 and more do."""

CLOSE = 0.4
"""Of a letter's height: the usual gap between letters is smaller, that between the motifs of a monogram is not."""

MOST_LETTERS = 600
"""Of so many the largest are looked at: leaves and fabrics break into thousands of strokes, pages of text do not."""

_LOWEST_PX, _HIGHEST_PX = 4, 36
_Rows = NDArray[np.int32]


def text_share(image: Image.Image, inside: Box | None = None) -> float:
    """The share of an RGB picture, 0 to 1, that lines of text cover outside of a box (x0, y0, x1, y1 as shares).

    Where there are too few strokes for `LEAST_SHARE` it is 0, without a closer look.
    """
    factor = max(1, max(image.size) // LONGEST_PX)
    whole = image.convert("L")
    grey = np.asarray(whole.reduce(factor) if factor > 1 else whole)
    looked_at = np.ones(grey.shape, np.uint8)
    if inside is not None:
        height, width = grey.shape
        looked_at[
            int(inside[1] * height) : round(inside[3] * height), int(inside[0] * width) : round(inside[2] * width)
        ] = 0
    covered = np.zeros(grey.shape, np.bool_)
    for strokes in _strokes(grey, looked_at):
        for x0, y0, x1, y1 in _lines(_letters(strokes)):
            covered[y0:y1, x0:x1] = True
    return float((covered & (looked_at > 0)).mean())


def _strokes(grey: NDArray[np.uint8], looked_at: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Where thin things are darker than what is around them, and where they are lighter: 1, elsewhere 0."""
    import cv2

    kernel = np.ones((STROKE_PX, STROKE_PX), np.uint8)
    for operation in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT):
        strokes = (cv2.morphologyEx(grey, operation, kernel) > CONTRAST).view(np.uint8) & looked_at
        if int(strokes.sum()) >= LEAST_INK * LEAST_SHARE * strokes.size:
            yield strokes


def _letters(strokes: NDArray[np.uint8]) -> _Rows:
    """The strokes that may be letters: x, y, width, height."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    rows = stats[1:]  # the first is what is no stroke
    width, height, area = rows[:, 2], rows[:, 3], rows[:, 4]
    fit = (height >= _LOWEST_PX) & (height <= _HIGHEST_PX) & (width <= 3 * height) & (area > _LOWEST_PX)
    # a letter leaves room in its rectangle, a bar does not
    rows = rows[fit & (area <= 0.85 * width * height + 2)]
    if len(rows) > MOST_LETTERS:
        rows = rows[np.sort(np.argsort(-rows[:, 4], kind="stable")[:MOST_LETTERS])]
    return rows[:, :4].astype(np.int32)


def _lines(letters: _Rows) -> list[tuple[int, int, int, int]]:
    """The rectangles x0, y0, x1, y1 around lines of letters, each letter joined to the next one on its right."""
    letters = letters[np.argsort(letters[:, 0], kind="stable")]
    following = _next_letters(letters)
    line = list(range(len(letters)))  # the number of the line, which is that of its first letter
    for number, after in following:  # from left to right, so the line of `number` is known
        line[after] = line[number]
    members: dict[int, list[int]] = {}
    for number, first in enumerate(line):
        members.setdefault(first, []).append(number)
    lines = [letters[numbers] for numbers in members.values() if len(numbers) >= LINE_LETTERS]
    long_ones = [line for line in lines if _is_set_close(line)]
    if sum(map(len, long_ones)) < ORDERLY * len(letters):
        return []
    return [_around(line) for line in long_ones]


def _is_set_close(line: _Rows) -> bool:
    """Whether letters, from left to right, nearly touch one another; the motifs of a canvas keep their distance."""
    x, _, width, height = line.T
    return bool(np.median(x[1:] - (x + width)[:-1]) < CLOSE * np.median(height))


def _around(letters: _Rows) -> tuple[int, int, int, int]:
    x, y, width, height = letters.T
    return (int(x.min()), int(y.min()), int((x + width).max()), int((y + height).max()))


def _next_letters(letters: _Rows) -> list[tuple[int, int]]:
    """Which letter follows which, by number: the nearest one of about its height on its line; left ones first."""
    if len(letters) < LINE_LETTERS:
        return []
    x, y, width, height = (column.astype(np.float32) for column in letters.T)
    higher, lower = np.maximum.outer(height, height), np.minimum.outer(height, height)
    gap = np.subtract.outer(-(x + width), -x)
    apart = np.abs(np.subtract.outer(y + height / 2, y + height / 2))
    tops, feet = np.abs(np.subtract.outer(y, y)), np.abs(np.subtract.outer(y + height, y + height))
    fits = (gap > -0.3 * lower) & (gap < 1.2 * higher) & (higher <= 1.8 * lower) & (apart < 0.35 * higher)
    fits &= np.minimum(tops, feet) < 0.2 * higher
    fits &= np.less.outer(x, x)
    gap[~fits] = np.inf
    nearest = gap.argmin(axis=1)
    return [(number, int(nearest[number])) for number in np.flatnonzero(fits.any(axis=1)).tolist()]
