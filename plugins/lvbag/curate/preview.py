"""A snapshot at a glance: a sheet with a row of crops for each product."""

from __future__ import annotations

import io
import math

import polars as pl
from PIL import Image, ImageDraw, ImageFont

from lvbag.curate.shards import read_crop
from lvbag.store import Store

_COLUMNS = 8
_LARGEST_CELL_PX = 96
_LABEL_PX = 110
"""Room for a style code; products without one have longer names, and the column grows with them."""
_LONGEST_SHEET_PX = 60_000
"""A JPEG ends at 65,535 rows; with very many products the cells become smaller."""


def preview_sheet(store: Store, manifest: pl.DataFrame) -> bytes:
    """JPEG with the style code and the first crops (by sha256) of each product; equal for equal snapshots."""
    products = manifest["style_code"].unique().sort().to_list()
    cell = max(16, min(_LARGEST_CELL_PX, _LONGEST_SHEET_PX // len(products)))
    font = ImageFont.load_default(min(16, cell - 2))
    labels_px = max(_LABEL_PX, *(math.ceil(font.getlength(code)) + 12 for code in products))
    sheet = Image.new("RGB", (labels_px + _COLUMNS * cell, len(products) * cell), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for row, style_code in enumerate(products):
        top = row * cell
        draw.text((6, top + cell // 2), style_code, fill=(30, 30, 30), font=font, anchor="lm")
        chosen = manifest.filter(pl.col("style_code") == style_code).head(_COLUMNS)
        for column, name in enumerate(chosen.select("detector", "sha256", "crop_sha256").iter_rows()):
            with Image.open(io.BytesIO(read_crop(store, *name)), formats=["JPEG"]) as crop:
                crop.draft("RGB", (cell, cell))
                crop.thumbnail((cell - 4, cell - 4))
                left = labels_px + column * cell + (cell - crop.width) // 2
                sheet.paste(crop.convert("RGB"), (left, top + (cell - crop.height) // 2))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
