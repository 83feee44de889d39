"""The image tables that curation wrote, night by night: what later nights, people's labels and reviews read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import polars as pl

from lvbag import schemas
from lvbag.nights import NightError, parse_night
from lvbag.store import Bucket, CorruptObject, Ref, Store, keys
from lvbag.store.tables import read_columns


def curated_tables(store: Store) -> dict[dt.date, list[Ref]]:
    """The image tables of every night that has some, nights and parts in order.

    Raises `CorruptObject` for an object that belongs to no night.
    """
    tables: dict[dt.date, list[Ref]] = {}
    for item in store.list_objects(Bucket.CURATED, keys.curated_images_prefix()):
        name = item.ref.key.removeprefix(keys.curated_images_prefix()).split("/")[0]
        try:
            night = parse_night(name.removeprefix("night="))
        except NightError:
            raise CorruptObject(f"{store.uri(item.ref)} belongs to no night; remove it") from None
        tables.setdefault(night, []).append(item.ref)
    return dict(sorted(tables.items()))


def read_curated(store: Store, columns: Sequence[str], where: pl.Expr, before: dt.date | None = None) -> pl.DataFrame:
    """These columns of all rows (`schemas.IMAGES`) that fulfil a condition, of every night or of those before one.

    Nights in order. Only these columns, and those of the condition, are ever unpacked.
    """
    frames = list(_frames(store, columns, where, before))
    return pl.concat(frames) if frames else schemas.IMAGES.to_frame().select(columns)


def _frames(store: Store, columns: Sequence[str], where: pl.Expr, before: dt.date | None) -> Iterator[pl.DataFrame]:
    needed = list(dict.fromkeys([*columns, *where.meta.root_names()]))
    for night, refs in curated_tables(store).items():
        if before is None or night < before:
            for ref in refs:
                yield read_columns(store, ref, schemas.IMAGES, needed).filter(where).select(columns)
