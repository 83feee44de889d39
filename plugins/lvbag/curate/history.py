"""What earlier nights decided: their curated image tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from lvbag import schemas
from lvbag.curate.errors import CurateError
from lvbag.nights import NightError, parse_night
from lvbag.store import Bucket, Ref, Store, keys
from lvbag.store.tables import read_columns


def curated_tables(store: Store) -> dict[dt.date, list[Ref]]:
    """The image tables of every night that has some, nights and parts in order."""
    tables: dict[dt.date, list[Ref]] = {}
    for item in store.list_objects(Bucket.CURATED, keys.curated_images_prefix()):
        name = item.ref.key.removeprefix(keys.curated_images_prefix()).split("/")[0]
        try:
            night = parse_night(name.removeprefix("night="))
        except NightError:
            raise CurateError(f"{store.uri(item.ref)} belongs to no night; remove it") from None
        tables.setdefault(night, []).append(item.ref)
    return dict(sorted(tables.items()))


def read_earlier(store: Store, night: dt.date, columns: Sequence[str], where: pl.Expr) -> pl.DataFrame:
    """These columns of the rows that earlier nights wrote and that fulfil a condition, nights in order.

    Only these columns, and those of the condition, are ever unpacked.
    """
    refs = [ref for earlier, refs in curated_tables(store).items() if earlier < night for ref in refs]
    needed = list(dict.fromkeys([*columns, *where.meta.root_names()]))
    frames = [read_columns(store, ref, schemas.IMAGES, needed).filter(where).select(columns) for ref in refs]
    return pl.concat(frames) if frames else schemas.IMAGES.to_frame().select(columns)
