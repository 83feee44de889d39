"""A snapshot at a glance: a sheet with a row of crops for each product, those of each split side by side."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import polars as pl
from PIL import Image, ImageDraw, ImageFont

from lvbag.curate.snapshots.shards import read_crop
from lvbag.store import Store

Colour = tuple[int, int, int]
Name = tuple[str, str, str]
"""detector, sha256 and crop_sha256 of a crop."""

COLUMNS = {"train": 6, "val": 2, "test": 2}
"""Crops of a product that are shown, by split."""

COLOURS: dict[str, Colour] = {"train": (47, 96, 158), "val": (190, 134, 20), "test": (176, 52, 60)}

_INK, _FAINT, _LINE, _PAPER = (32, 34, 38), (122, 126, 134), (226, 228, 232), (255, 255, 255)
_ROOMY_PX = 48
_WORKERS = 4
_LARGEST_CELL_PX = 96
_LONGEST_SHEET_PX = 60_000
"""A JPEG ends at 65,535 rows; with very many products the cells become smaller."""
_HEAD_PX = 64
_GAP_PX = 14
"""Between the splits."""
_LEAST_LABEL_PX = 120
"""Room for a style code; products without one have longer names, and the column grows with them."""


@dataclass(frozen=True)
class _Sheet:
    """Where things stand: the label column's width, and a cell's side."""

    label_px: int
    cell_px: int

    def left(self, split: str, column: int = 0) -> int:
        before = list(COLUMNS)[: list(COLUMNS).index(split)]
        return self.label_px + sum(COLUMNS[name] * self.cell_px + _GAP_PX for name in before) + column * self.cell_px

    @property
    def width(self) -> int:
        last = list(COLUMNS)[-1]
        return self.left(last, COLUMNS[last]) + _GAP_PX


def preview_sheet(store: Store, manifest: pl.DataFrame, title: str) -> bytes:
    """JPEG with each product's style code, counts and first crops of every split; equal for equal snapshots."""
    products = manifest["style_code"].unique().sort().to_list()
    cell = max(16, min(_LARGEST_CELL_PX, (_LONGEST_SHEET_PX - _HEAD_PX) // len(products)))
    widest = max(_label_font(cell).getlength(code) for code in products)
    sheet = _Sheet(max(_LEAST_LABEL_PX, math.ceil(widest) + 2 * _GAP_PX), cell)
    image = Image.new("RGB", (sheet.width, _HEAD_PX + len(products) * cell + _GAP_PX), _PAPER)
    draw = ImageDraw.Draw(image)
    _draw_head(draw, sheet, manifest, title)
    shown = _shown(manifest)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="preview") as pool:
        for row, style_code in enumerate(products):
            top = _HEAD_PX + row * cell
            draw.line((_GAP_PX, top, image.width - _GAP_PX, top), fill=_LINE)
            _draw_label(draw, top, cell, style_code, manifest.filter(pl.col("style_code") == style_code)["split"])
            for split in COLUMNS:
                crops = pool.map(partial(_read_crop, store, cell), shown.get((style_code, split), []))
                _draw_crops(image, (sheet.left(split), top), cell, COLOURS[split], crops)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _draw_head(draw: ImageDraw.ImageDraw, sheet: _Sheet, manifest: pl.DataFrame, title: str) -> None:
    draw.text((_GAP_PX, 20), f"Snapshot {title}", fill=_INK, font=_font(18), anchor="lm")
    counts = dict(manifest["split"].value_counts().iter_rows())
    draw.text((_GAP_PX, 46), "train / val / test", fill=_FAINT, font=_font(12), anchor="lm")
    for split, columns in COLUMNS.items():
        left, right = sheet.left(split), sheet.left(split, columns)
        draw.rectangle((left + 2, _HEAD_PX - 6, right - 3, _HEAD_PX - 3), fill=COLOURS[split])
        text = f"{split}  {counts.get(split, 0):,}"
        draw.text((left + 2, 46), text, fill=COLOURS[split], font=_font(15), anchor="lm")


def _draw_label(draw: ImageDraw.ImageDraw, top: int, cell: int, style_code: str, splits: pl.Series) -> None:
    """The style code, and below it how many images each split has where there is room."""
    roomy = cell >= _ROOMY_PX
    middle = top + cell // 2
    draw.text((_GAP_PX, middle - 8 * roomy), style_code, fill=_INK, font=_label_font(cell), anchor="lm")
    if roomy:
        counts = " / ".join(str((splits == split).sum()) for split in COLUMNS)
        draw.text((_GAP_PX, middle + 12), counts, fill=_FAINT, font=_font(12), anchor="lm")


def _read_crop(store: Store, cell: int, name: Name) -> Image.Image:
    """A crop that fits into a cell and its frame."""
    inner = max(8, cell - 8)
    with Image.open(io.BytesIO(read_crop(store, *name)), formats=["JPEG"]) as crop:
        crop.draft("RGB", (2 * inner, 2 * inner))  # cheap, and still enough to be averaged down
        small = crop.convert("RGB")
    small.thumbnail((inner, inner), Image.Resampling.LANCZOS)
    return small


def _draw_crops(
    image: Image.Image, corner: tuple[int, int], cell: int, colour: Colour, crops: Iterable[Image.Image]
) -> None:
    """Each crop on white in a frame of its split's colour."""
    draw = ImageDraw.Draw(image)
    for column, crop in enumerate(crops):
        left, top = corner[0] + column * cell, corner[1]
        draw.rectangle((left + 2, top + 2, left + cell - 3, top + cell - 3), outline=colour)
        image.paste(crop, (left + (cell - crop.width) // 2, top + (cell - crop.height) // 2))


def _shown(manifest: pl.DataFrame) -> dict[tuple[str, str], list[Name]]:
    """What to show, by product and split: different groups first, or a single listing would fill the row."""
    turn = pl.int_range(pl.len()).over("style_code", "split", "group")
    ordered = manifest.with_columns(turn.alias("_turn")).sort("_turn", "sha256")
    columns = ordered.select("style_code", "split", "detector", "sha256", "crop_sha256")
    names: dict[tuple[str, str], list[Name]] = {}
    for style_code, split, detector, sha256, crop_sha256 in columns.iter_rows():
        row = names.setdefault((style_code, split), [])
        if len(row) < COLUMNS[split]:
            row.append((detector, sha256, crop_sha256))
    return names


def _label_font(cell: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return _font(min(17, cell - 2))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, size))
