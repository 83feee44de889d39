"""Maps of products in the night's page: every picture where the autoencoder's code puts it, the odd ones framed.

Drawn from the table that learning left (`lvbag.outliers`). The pictures stand in the page itself and name the listings
that they show, so that a takedown finds them there and takes them out.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from PIL import Image, ImageDraw, ImageFont

from lvbag.curate.errors import CurateError
from lvbag.curate.snapshots.shards import read_crop
from lvbag.outliers import is_odd, read_outliers
from lvbag.settings import OutlierSettings, Settings
from lvbag.store import CorruptObject, Store
from lvbag.tombstones import read_tombstones

SIZE = (720, 460)
MAX_BYTES = 100_000
_THUMB_PX, _MARGIN_PX = 44, 40
_SHOWN = 140
"""Pictures on one map: more hide one another."""
_QUALITIES = (78, 66, 52, 38)
_PAPER, _LINE, _ODD = (255, 255, 255), (206, 208, 212), (200, 40, 44)
_WORKERS = 4


@dataclass(frozen=True)
class OddPicture:
    """A framed picture: its number on the map, the listing that shows it, and what it hangs on."""

    number: int
    listing: str
    score: float
    distance_z: float
    reconstruction_z: float


@dataclass(frozen=True)
class ProductMap:
    """One product: how many pictures were judged and are of this night, the odd ones, and the map (JPEG).

    `listings`: every listing of which the map shows a picture.
    """

    style_code: str
    judged: int
    new: int
    odd: tuple[OddPicture, ...]
    jpeg: bytes
    listings: tuple[str, ...]


@dataclass(frozen=True)
class Outliers:
    """What the page says of outliers: over all products, and maps of those that matter tonight."""

    judged: int
    products: int
    odd: int
    maps: tuple[ProductMap, ...]


def night_outliers(store: Store, settings: Settings, night: dt.date) -> Outliers | None:
    """What a night's autoencoder found; None where nobody looked, or outliers are switched off."""
    table = read_outliers(store, night) if settings.outliers.enabled else None
    if table is None:
        return None
    table = table.filter(~read_tombstones(store).strikes(table)).with_columns(is_odd(settings.outliers).alias("odd"))
    maps = tuple(_map(store, night, table, code) for code in chosen_products(table, night, settings.outliers))
    return Outliers(table.height, table["style_code"].n_unique(), int(table["odd"].sum()), maps)


def chosen_products(table: pl.DataFrame, night: dt.date, settings: OutlierSettings) -> list[str]:
    """The products with pictures of this night, those with the oddest pictures first; `table` has a column `odd`."""
    mine = table.group_by("style_code").agg(
        (pl.col("night") == night).sum().alias("new"), pl.col("score").filter("odd").max().fill_null(-1.0).alias("most")
    )
    ordered = mine.filter(pl.col("new") > 0).sort("most", "style_code", descending=[True, False])
    return list(ordered.head(settings.maps)["style_code"])


def shown_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """What fits on the map of one product: all odd ones, and of the others as many as there is room for, spread."""
    odd, usual = rows.filter("odd"), rows.filter(~pl.col("odd")).sort("score", "sha256")
    room = max(0, _SHOWN - odd.height)
    if usual.height > room:
        usual = usual[np.linspace(0, usual.height - 1, room).astype(np.int64).tolist()] if room else usual.clear()
    return pl.concat([usual, odd.sort("score", "sha256")])  # the oddest last: on top


def _map(store: Store, night: dt.date, table: pl.DataFrame, code: str) -> ProductMap:
    rows = table.filter(pl.col("style_code") == code)
    shown = shown_rows(rows)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="map") as pool:
        thumbs = list(pool.map(partial(_thumb, store), shown.iter_rows(named=True)))
    ordered = rows.filter("odd").sort("score", "sha256", descending=[True, False])
    numbers = {sha256: number for number, sha256 in enumerate(ordered["sha256"], start=1)}
    odd = tuple(
        OddPicture(number, _place(row), row["score"], row["distance_z"], row["reconstruction_z"])
        for number, row in enumerate(ordered.iter_rows(named=True), start=1)
    )
    there = shown.filter(pl.Series([thumb is not None for thumb in thumbs], dtype=pl.Boolean))
    return ProductMap(
        code,
        rows.height,
        rows.filter(pl.col("night") == night).height,
        odd,
        _draw(shown, thumbs, numbers),
        tuple(sorted({_place(row) for row in there.iter_rows(named=True)})),
    )


def _place(row: dict[str, Any]) -> str:
    return f"{row['source']}/{row['listing_id']}"


def _thumb(store: Store, row: dict[str, Any]) -> Image.Image | None:
    """A crop made small; None where it is gone."""
    try:
        data = read_crop(store, row["detector"], row["sha256"], row["crop_sha256"])
    except (CurateError, CorruptObject):
        return None
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as crop:
        crop.draft("RGB", (2 * _THUMB_PX, 2 * _THUMB_PX))
        small = crop.convert("RGB")
    small.thumbnail((_THUMB_PX, _THUMB_PX), Image.Resampling.BILINEAR)
    return small


# ------------------------------------------------------------------ drawing


def _draw(rows: pl.DataFrame, thumbs: Sequence[Image.Image | None], numbers: dict[str, int]) -> bytes:
    """The map as JPEG of at most `MAX_BYTES`."""
    image = Image.new("RGB", SIZE, _PAPER)
    draw = ImageDraw.Draw(image)
    across = _spread(rows["x"].to_numpy(), SIZE[0])
    down = _spread(-rows["y"].to_numpy(), SIZE[1])
    for x, y, thumb, sha256 in zip(across, down, thumbs, rows["sha256"], strict=True):
        if thumb is None:
            continue
        left, top = int(x) - thumb.width // 2, int(y) - thumb.height // 2
        image.paste(thumb, (left, top))
        number = numbers.get(sha256)
        edge = (left - 1, top - 1, left + thumb.width, top + thumb.height)
        draw.rectangle(edge, outline=_LINE if number is None else _ODD, width=1 if number is None else 3)
        if number is not None:
            draw.rectangle((left, top, left + 15, top + 15), fill=_ODD)
            draw.text((left + 8, top + 8), str(number), fill=_PAPER, font=ImageFont.load_default(12), anchor="mm")
    return _coded(image)


def _spread(places: np.ndarray[Any, np.dtype[np.float64]], length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Places as pixels: the smallest and the largest at the margins."""
    least, most = float(places.min()), float(places.max())
    share = (places - least) / (most - least) if most > least else np.full(len(places), 0.5)
    return _MARGIN_PX + share * (length - 2 * _MARGIN_PX)


def _coded(image: Image.Image) -> bytes:
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()
