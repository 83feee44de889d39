"""Scores of a snapshot's labels, as learning leaves them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from lvbag import schemas
from lvbag.store import Store, keys
from lvbag.store.tables import write_table
from lvbag.suspicions import RUN, SCORES, with_ranks
from review.review_frames import NIGHT, judged, sha, write_images

SNAPSHOT = f"{NIGHT}-0123456789ab"


def write_suspicions(
    store: Store, rows: Sequence[tuple[int, float, bool]], snapshot: str = SNAPSHOT, decided: Sequence[str] = ()
) -> None:
    """Scores of a snapshot: number, quality, whether it is suspicious."""
    frame = pl.DataFrame(
        [
            {
                **{name: judged(number, 0.9)[name] for name in ("source", "listing_id", "image_url", "format")},
                "night": NIGHT,
                "sha256": sha(number),
                "style_code": "M41108",
                "predicted": "M40156",
                "probability": 0.75,
                "own_probability": 0.125,
                "quality": quality,
                "suspicious": suspicious,
                "rank": 0,
            }
            for number, quality, suspicious in rows
        ],
        schema=schemas.SUSPICIONS,
    )
    write_images(store, [judged(number, 0.9) for number, _, _ in rows], dt.date.fromisoformat(snapshot[:10]))
    write_table(store, keys.suspicions(snapshot, SCORES), with_ranks(frame, decided), schemas.SUSPICIONS)
    store.put_json(keys.suspicions(snapshot, RUN), {})
