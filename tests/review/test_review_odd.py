"""Odd pictures in the queue: which are asked about, and for how long."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl
from review_frames import AT, NIGHT, decision, judged, sha, write_images

from lvbag import schemas
from lvbag.outliers import MODEL, SCORES
from lvbag.review import list_entries
from lvbag.review.ledger import write_decision
from lvbag.settings import Settings
from lvbag.store import Store, keys
from lvbag.store.tables import write_table
from lvbag.tombstones import Tombstone, Tombstones, write_tombstone

LATER = NIGHT + dt.timedelta(days=1)


def write_outliers(store: Store, rows: Sequence[tuple[int, float, int]], night: dt.date = NIGHT) -> None:
    """Scores of a night's pictures: number, score, rank; `NIGHT` is the night that kept them all."""
    frame = pl.DataFrame(
        [
            {
                **{name: judged(number, 0.9)[name] for name in ("source", "listing_id", "image_url", "format")},
                "night": NIGHT,
                "sha256": sha(number),
                "style_code": "M41108",
                "detector": "0001",
                "score": score,
                "rank": rank,
                "distance_z": score,
                "reconstruction_z": 0.0,
            }
            for number, score, rank in rows
        ],
        schema=schemas.OUTLIERS,
    )
    write_images(store, [judged(number, 0.9) for number, _, _ in rows], night)
    write_table(store, keys.outliers(night, SCORES), frame, schemas.OUTLIERS)
    store.put_json(keys.outliers(night, MODEL), {"key": "k", "night": night.isoformat()})


def names(store: Store, settings: Settings, **asked: object) -> list[str]:
    return [str(entry.item.id) for entry in list_entries(store, settings, **asked)]  # type: ignore[arg-type]


def test_the_oddest_beyond_the_threshold_are_asked_about_first(store: Store, settings: Settings) -> None:
    write_outliers(store, [(1, 2.6, 3), (2, 9.0, 1), (3, 4.0, 2), (4, 2.4, 4)])
    entries = list_entries(store, settings, kind="outlier")
    assert [str(entry.item.id) for entry in entries] == [f"outlier:{sha(n)}" for n in (2, 3, 1)]
    item = entries[1].item
    assert (item.machine, item.style_code, item.night) == ("kept", "M41108", NIGHT)
    assert item.numbers == {"score": 4.0, "distance_z": 4.0, "reconstruction_z": 0.0, "outliers.threshold": 2.5}
    assert item.uncertainty == 0.8
    assert entries[0].item.uncertainty == 1
    assert item.picture == keys.raw_image(sha(3), "jpg")

    strict = settings.model_copy(
        update={"outliers": settings.outliers.model_copy(update={"threshold": 2.0, "max_per_product": 1})}
    )
    assert names(store, strict) == [f"outlier:{sha(2)}"]
    off = settings.model_copy(update={"outliers": settings.outliers.model_copy(update={"enabled": False})})
    assert names(store, off) == []


def test_what_a_later_night_thinks_counts_also_that_a_picture_is_odd_no_more(store: Store, settings: Settings) -> None:
    write_outliers(store, [(1, 3.0, 1), (2, 2.8, 2)])
    write_outliers(store, [(1, 1.0, 2), (2, 5.0, 1)], LATER)
    (entry,) = list_entries(store, settings)
    assert (str(entry.item.id), entry.item.numbers["score"]) == (f"outlier:{sha(2)}", 5.0)


def test_scores_that_were_not_finished_ask_nothing(store: Store, settings: Settings) -> None:
    write_outliers(store, [(1, 3.0, 1)])
    store.delete(keys.outliers(NIGHT, MODEL))
    assert names(store, settings) == []


def test_what_is_decided_stays_decided_on_later_nights_and_what_was_taken_down_is_gone(
    store: Store, settings: Settings
) -> None:
    write_outliers(store, [(1, 3.0, 1), (2, 2.8, 2)])
    said = decision(f"outlier:{sha(1)}", "keep")
    write_decision(store, said)
    write_outliers(store, [(1, 3.0, 0), (2, 2.8, 1)], LATER)
    entries = {str(entry.item.id): entry.decision for entry in list_entries(store, settings)}
    assert entries == {f"outlier:{sha(1)}": said, f"outlier:{sha(2)}": None}
    everything = Tombstones(images=frozenset({sha(2)}))
    write_tombstone(store, Tombstone("image", sha(2), everything, "asked to", "a test", AT))
    assert names(store, settings) == [f"outlier:{sha(1)}"]
