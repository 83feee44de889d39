"""Which products a version takes for which others, and a sheet of the pictures on which it does."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from lvbag.learn.classifier.scores import Answers
from lvbag.registry.records import Confusion

MOST_PAIRS = 10
MOST_EXAMPLES = 3

_CELL_PX, _GAP_PX, _LEAST_WORDS_PX = 112, 8, 200
_INK, _FAINT, _PAPER = (32, 34, 38), (110, 114, 122), (255, 255, 255)


def confusion_pairs(result: Answers, sha256s: Sequence[str]) -> tuple[Confusion, ...]:
    """The most frequent pairs of true and answered product, each with the pictures that it was surest of."""
    wrong: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    rows = zip(result.truths, result.predicted, result.probability.tolist(), sha256s, strict=True)
    for truth, predicted, probability, sha256 in rows:
        if truth != predicted:
            wrong[truth, predicted].append((-probability, sha256))
    most = sorted(wrong, key=lambda pair: (-len(wrong[pair]), pair))[:MOST_PAIRS]
    return tuple(
        Confusion(
            truth=truth,
            predicted=predicted,
            images=len(wrong[truth, predicted]),
            examples=tuple(sha256 for _, sha256 in sorted(wrong[truth, predicted])[:MOST_EXAMPLES]),
        )
        for truth, predicted in most
    )


def confusion_sheet(
    pairs: Sequence[Confusion],
    products: Mapping[str, int],
    pictures: Mapping[str, npt.NDArray[np.uint8]],
    title: str,
) -> bytes:
    """A row a pair: in words, then its examples. JPEG; the same bytes for the same arguments.

    `products` are test images by product, `pictures` uint8 (side, side, 3) by sha256.
    """
    row = _CELL_PX + _GAP_PX
    large, small, head = (ImageFont.load_default(size) for size in (15, 12, 16))
    said = [text for pair in pairs for text in (pair.truth, _taken_for(pair))]
    words = max([_LEAST_WORDS_PX, *(math.ceil(large.getlength(text)) for text in said)]) + 2 * _GAP_PX
    width = max(words + MOST_EXAMPLES * row, math.ceil(head.getlength(title)) + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, 40 + len(pairs) * row), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PX, 10), title, fill=_INK, font=head)
    for number, pair in enumerate(pairs):
        top = 40 + number * row
        draw.text((_GAP_PX, top + 24), pair.truth, fill=_INK, font=large)
        draw.text((_GAP_PX, top + 46), _taken_for(pair), fill=_INK, font=large)
        share = f"{pair.images} of {products[pair.truth]} test images"
        draw.text((_GAP_PX, top + 68), share, fill=_FAINT, font=small)
        for column, sha256 in enumerate(pair.examples):
            cell = Image.fromarray(pictures[sha256]).resize((_CELL_PX, _CELL_PX), Image.Resampling.LANCZOS)
            sheet.paste(cell, (words + column * row, top))
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=88)
    return data.getvalue()


def _taken_for(pair: Confusion) -> str:
    return f"taken for {pair.predicted}"
