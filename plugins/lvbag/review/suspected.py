"""Labels that networks doubt which have not seen them (`lvbag.learn.suspicions.steps`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lvbag.review.borders import KEPT
from lvbag.review.items import Item, ItemId
from lvbag.review.night_tables import NightTables
from lvbag.settings import Settings
from lvbag.store import keys
from lvbag.suspicions import is_asked

SUSPICIOUS_LABEL = "suspicious_label"


def suspicious_labels(tables: NightTables, settings: Settings) -> Iterator[Item]:
    """The most suspicious labels of the night's snapshot; none where looking for them is switched off."""
    if not settings.suspicions.enabled:
        return
    for row in tables.suspicions.filter(is_asked(settings.suspicions)).iter_rows(named=True):
        yield _item(row)


def labels_judged_anew(tables: NightTables) -> Iterator[str]:
    """Every picture of the night's snapshot: what was thought of its label before counts no more."""
    for sha256 in tables.suspicions["sha256"]:
        yield str(ItemId(SUSPICIOUS_LABEL, sha256=sha256))


def _item(row: dict[str, Any]) -> Item:
    own, other = row["style_code"], row["predicted"]
    said = f"networks that have not seen it name {other} ({row['probability']:.0%}; {own} {row['own_probability']:.0%})"
    return Item(
        id=ItemId(SUSPICIOUS_LABEL, sha256=row["sha256"]),
        night=row["night"],
        machine=KEPT,
        why=f"labelled {own}, while {said}",
        uncertainty=round(1.0 - row["quality"], 4),
        numbers={name: round(row[name], 4) for name in ("quality", "probability", "own_probability")},
        picture=None if row["format"] is None else keys.raw_image(row["sha256"], row["format"]),
        style_code=own,
    )
