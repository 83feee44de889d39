"""Pictures that were offered as two products: one of the two titles is wrong, and the picture that is kept may be its.

A copy under another product is refused as `label_conflict` and names the picture that is kept. The question is about
that one: a person who says that the other product is right moves it there, with `relabel`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from lvbag.review.borders import KEPT
from lvbag.review.items import Item, ItemId
from lvbag.review.night_tables import NightTables
from lvbag.settings import Settings
from lvbag.store import keys

LABEL_CONFLICT = "label_conflict"

_REASON = re.compile(
    rf"{LABEL_CONFLICT}: .*?(?P<kept>[0-9a-f]{{64}}) (?:which )?is (?P<product>.+?)(?: since .+)?, here (?P<other>.+)"
)
"""As `lvbag.curate` writes it, for equal bytes and for near-duplicates."""


def offered_as_two(tables: NightTables, _settings: Settings) -> Iterator[Item]:
    """The kept picture of each conflict of the night, once, however many copies disagree; shown is a copy."""
    refused = tables.images.filter(pl.col("reason").fill_null("").str.starts_with(f"{LABEL_CONFLICT}:"))
    asked: set[str] = set()
    for row in refused.sort("source", "listing_id", "sha256").iter_rows(named=True):
        found = _REASON.fullmatch(row["reason"])
        if found is None or found["kept"] in asked:
            continue
        asked.add(found["kept"])
        yield Item(
            id=ItemId(LABEL_CONFLICT, sha256=found["kept"]),
            night=row["night"],
            machine=KEPT,
            why=f"kept as {found['product']}, offered as {found['other']} in {row['source']}/{row['listing_id']}",
            uncertainty=1.0,  # one of two titles is wrong
            numbers={},
            picture=None if row["format"] is None else keys.raw_image(row["sha256"], row["format"]),
            style_code=found["product"],
        )
