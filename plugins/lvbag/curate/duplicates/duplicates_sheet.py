"""Clusters of a folder as one picture, a row a cluster, for a person to judge: the best copy first, distances below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lvbag.curate.duplicates.folder_duplicates import FileAnswer
from lvbag.images import ImageRefused, decode
from lvbag.settings import ImageSettings

MAX_CLUSTERS = 400
"""Rows of a sheet: a JPEG ends at 65,535 pixels."""

_CELL_PX = 128
_CAPTION_PX = 34
_COLUMNS = 8
_INK = (40, 40, 40)


def draw_clusters(folder: Path, answers: Sequence[FileAnswer], limits: ImageSettings) -> tuple[Image.Image, int]:
    """The sheet, and how many clusters of more than one file there are; the first `MAX_CLUSTERS` are drawn."""
    clusters = grouped(answers)
    shown = clusters[:MAX_CLUSTERS]
    lines = [line for files in shown for line in _lines(files)]
    width, height = _COLUMNS * _CELL_PX, _CELL_PX + _CAPTION_PX
    sheet = Image.new("RGB", (width, max(1, len(lines)) * height), (255, 255, 255))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    if not lines:
        draw.text((10, 10), "no cluster of more than one file", fill=_INK, font=font)
    for row, (line, is_first) in enumerate(lines):
        if is_first:
            draw.line((0, row * height, width, row * height), fill=(170, 170, 170), width=2)
        for column, answer in enumerate(line):
            left, top = column * _CELL_PX, row * height
            sheet.paste(_thumbnail(folder / answer.file, limits), (left + 4, top + 4))
            caption = f"{_short(answer.file)}\n{_distances(answer)}"
            draw.multiline_text((left + 4, top + _CELL_PX), caption, fill=_INK, font=font, spacing=1)
    return sheet, len(clusters)


def grouped(answers: Sequence[FileAnswer]) -> list[list[FileAnswer]]:
    """The clusters of more than one file, the representative first, then by distance."""
    clusters: dict[str, list[FileAnswer]] = defaultdict(list)
    for answer in answers:
        if answer.cluster is not None:
            clusters[answer.cluster].append(answer)
    several = [files for files in clusters.values() if len(files) > 1]
    return [sorted(files, key=lambda one: (one.rule is not None, one.distance256 or 0, one.file)) for files in several]


def _lines(files: Sequence[FileAnswer]) -> list[tuple[Sequence[FileAnswer], bool]]:
    return [(files[start : start + _COLUMNS], start == 0) for start in range(0, len(files), _COLUMNS)]


def _thumbnail(path: Path, limits: ImageSettings) -> Image.Image:
    side = _CELL_PX - 8
    canvas = Image.new("RGB", (side, side), (244, 244, 244))
    try:
        image = decode(path.read_bytes(), limits)
    except (OSError, ImageRefused):  # it was there a moment ago
        return canvas
    image.thumbnail((side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


def _distances(answer: FileAnswer) -> str:
    if answer.rule is None:
        return "kept"
    return f"{answer.rule} {answer.distance64}/{answer.distance256}/{answer.colour:.1f}"


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"…{name[-21:]}"
