"""What a shard did besides its rows, and the watermarks that follow from it: up to when a query has been searched.

A query that was read to its end, and of which nothing is left to be fetched, need not be read that far back again:
sources that can ask for what is new since a time do so the next night.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from lvbag.crawl.earlier import newest_before
from lvbag.store import CorruptObject, ObjectMissing, Store, keys

OVERLAP = dt.timedelta(hours=6)
"""A place's clock and its index may lag: the next night asks for a little more than is new."""


class ShardSummary(BaseModel):
    """`keys.shard_summary`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    shard: str
    requests: int
    pages: int  # of results that were read
    pages_failed: int  # that could not be fetched or understood
    items: int  # item pages that were read
    items_not_understood: int
    dropped: dict[str, int]  # cards that are no results, by reason
    given_up: dict[str, str]  # hosts that were left alone for the night, with the reason
    completed: dict[str, dt.datetime]  # queries that were read to their end, and when that began
    failure: str | None  # why the shard counts as failed


def read_summary(store: Store, night: dt.date, source: str, shard: str) -> ShardSummary | None:
    """A shard's summary, or None where there is none."""
    ref = keys.shard_summary(night, source, shard)
    try:
        return ShardSummary.model_validate(store.get_json(ref))
    except ObjectMissing:
        return None
    except ValidationError as error:
        raise CorruptObject(f"{store.uri(ref)} is no summary ({error.error_count()} wrong fields)") from None


def read_watermarks(store: Store, source: str, night: dt.date) -> dict[str, dt.datetime]:
    """Up to when each query had been searched before this night."""
    newest = newest_before(store, night, keys.watermarks_prefix(), lambda day: keys.watermarks(day, source))
    if newest is None:
        return {}
    values = store.get_json(newest)
    return {query: dt.datetime.fromisoformat(at) for query, at in values.items()}


def write_watermarks(store: Store, night: dt.date, source: str, summaries: Iterable[ShardSummary]) -> None:
    """The watermarks of the nights before, moved forward by what this night's shards have completed."""
    marks = read_watermarks(store, source, night)
    for summary in summaries:
        marks |= summary.completed
    store.put_json(keys.watermarks(night, source), {query: at.isoformat() for query, at in marks.items()})
