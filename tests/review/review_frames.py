"""A night's tables as reviewing reads them: pictures that a detector judged, and decisions about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from lvbag import schemas
from lvbag.review import Decision, Verdict
from lvbag.store import Store, keys
from lvbag.store.tables import write_table

NIGHT = dt.date(2026, 11, 23)
AT = dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)


def sha(number: int) -> str:
    return f"{number:064x}"


def judged(
    number: int,
    confidence: float | None,
    reason: str | None = None,
    side: float = 0.5,
    *,
    night: dt.date = NIGHT,
    near: tuple[str, float] | None = None,
) -> dict[str, object]:
    """The row of a picture whose best box is a square of this side; kept unless there is a reason.

    `near`: the nearest rule, and its margin.
    """
    return {
        "night": night,
        "source": "shop",
        "listing_id": f"l{number}",
        "image_url": f"https://shop.test/l{number}/0.jpg",
        "sha256": sha(number),
        "format": "jpg",
        "style_code": "M41108",
        "verdict": "refused" if reason else "kept",
        "reason": reason,
        "cluster": sha(number),
        "detector": "0001",
        "box": None if confidence is None else [0.0, 0.0, side, side],
        "box_confidence": confidence,
        "nearest_rule": None if near is None else near[0],
        "rule_margin": None if near is None else near[1],
    }


def write_images(store: Store, rows: Sequence[dict[str, object]], night: dt.date = NIGHT) -> None:
    write_table(store, keys.curated_images(night, 0), pl.DataFrame(rows, schema=schemas.IMAGES), schemas.IMAGES)


def decision(
    item: str, verdict: str, minute: int = 0, *, style: str | None = None, who: str = "ana", replaces: str | None = None
) -> Decision:
    return Decision(
        item=item,
        verdict=Verdict(verdict),
        style_code=style,
        who=who,
        at=AT + dt.timedelta(minutes=minute),
        why="looked at it",
        replaces=replaces,
    )
