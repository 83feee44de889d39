"""Pictures that are unlike the others of their product, as the night's autoencoder sees it (`lvbag.learn.outliers`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lvbag.outliers import is_odd
from lvbag.review.borders import KEPT
from lvbag.review.items import Item, ItemId
from lvbag.review.night_tables import NightTables
from lvbag.settings import Settings
from lvbag.store import keys

OUTLIER = "outlier"


def odd_pictures(tables: NightTables, settings: Settings) -> Iterator[Item]:
    """The oddest pictures of each product, of whichever night they are; none where outliers are switched off."""
    if not settings.outliers.enabled:
        return
    for row in tables.outliers.filter(is_odd(settings.outliers)).iter_rows(named=True):
        yield _item(row, settings.outliers.threshold)


def judged_anew(tables: NightTables) -> Iterator[str]:
    """Every picture that the night judged: what an earlier night thought of it counts no more."""
    for sha256 in tables.outliers["sha256"]:
        yield str(ItemId(OUTLIER, sha256=sha256))


def _item(row: dict[str, Any], threshold: float) -> Item:
    names = ("score", "distance_z", "reconstruction_z")
    return Item(
        id=ItemId(OUTLIER, sha256=row["sha256"]),
        night=row["night"],
        machine=KEPT,
        why=f"unlike the other pictures of {row['style_code']}",
        # a half at the threshold, 1 from twice of it on: how much it speaks against what the machine did
        uncertainty=round(min(1.0, row["score"] / (2 * threshold)), 4),
        numbers={**{name: round(row[name], 4) for name in names}, "outliers.threshold": threshold},
        picture=keys.raw_image(row["sha256"], row["format"]),
        style_code=row["style_code"],
    )
