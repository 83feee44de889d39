"""Nights that were crawled and that nobody curated: Airflow keeps no asset events for a DAG while it is paused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from lvbag.nights import nights_in
from lvbag.store import Bucket, Store, keys


def closed_nights(store: Store) -> list[dt.date]:
    """Every night whose crawl has ended, in order."""
    prefix = keys.night_manifest_prefix()
    names = (info.ref.key.removeprefix(prefix) for info in store.list_objects(Bucket.RAW, prefix))
    return nights_in(name.split("/", 1)[0] for name in names)


def with_waiting(store: Store, nights: Collection[dt.date]) -> list[dt.date]:
    """These nights and those that wait before the last of them, in order.

    A night waits when its crawl found something new, curation has never begun with it, and it is later than the last
    one before `nights` that curation has begun with: what was once left out stays out.
    """
    found = set(nights)
    for night in reversed([one for one in closed_nights(store) if one < max(nights)]):
        if _has_begun(store, night):
            if night < min(nights):
                break
        elif _has_news(store, night):
            found.add(night)
    return sorted(found)


def _has_begun(store: Store, night: dt.date) -> bool:
    return next(iter(store.list_objects(Bucket.CURATED, keys.stages_prefix(night))), None) is not None


def _has_news(store: Store, night: dt.date) -> bool:
    manifest = store.get_json(keys.night_manifest(night))
    return isinstance(manifest, dict) and bool(manifest.get("changed"))
