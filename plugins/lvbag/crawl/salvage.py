"""What a shard that never ended has left: its journal, made into tables of their own, so that the night has its rows.

The tables stand beside the shard's own under `<shard>.partial`. The journal stays: tried again, the shard goes on where
it stopped, and the next closing of the night takes these tables away.
"""

from __future__ import annotations

import datetime as dt
import logging

import polars as pl

from lvbag import schemas
from lvbag.crawl.fetching.leases import read_hosts, source_lease
from lvbag.crawl.journal import LISTING, PICTURE, open_journal
from lvbag.crawl.plan import PlannedShard
from lvbag.crawl.rows import frame_of
from lvbag.crawl.taken_down import strike_listings, strike_pictures
from lvbag.store import Store, keys
from lvbag.store.tables import write_table
from lvbag.tombstones import read_tombstones

log = logging.getLogger(__name__)


def partial_name(shard: str) -> str:
    """The name under which a shard's salvaged tables stand."""
    return f"{shard}.partial"


def salvage(store: Store, night: dt.date, planned: PlannedShard) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Write the listings and fetches that a dead shard's journal holds; None when it has none, or is still at work."""
    now = dt.datetime.now(dt.UTC)
    for record in read_hosts(store, night):
        if record.name == source_lease(planned.source) and record.until is not None and record.until > now:
            return None
    struck = read_tombstones(store)
    with open_journal(store, night, planned.source, planned.name) as journal:
        listings = frame_of(strike_listings(struck, journal.unmet(LISTING)), schemas.LISTINGS)
        fetches = frame_of(strike_pictures(struck, journal.unmet(PICTURE)), schemas.FETCHES)
    if listings.is_empty() and fetches.is_empty():
        return None
    name = partial_name(planned.name)
    write_table(store, keys.listings(night, planned.source, name), listings, schemas.LISTINGS)
    write_table(store, keys.fetches(night, planned.source, name), fetches, schemas.FETCHES)
    log.warning("crawl.shard salvaged shard=%s listings=%d fetches=%d", planned.name, listings.height, fetches.height)
    return listings, fetches


def forget_salvaged(store: Store, night: dt.date, planned: PlannedShard) -> None:
    """The shard's own tables stand: take the salvaged ones away."""
    name = partial_name(planned.name)
    store.delete(keys.fetches(night, planned.source, name))
    store.delete(keys.listings(night, planned.source, name))
