"""Nights' reports after a takedown: they show small pictures of what was refused."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Collection, Iterable
from html import escape

from lvbag.care.finding import Place
from lvbag.curate import report_night
from lvbag.nights import nights_in
from lvbag.settings import Settings
from lvbag.store import Bucket, ObjectMissing, Store, keys

log = logging.getLogger(__name__)

STEPS = ("exact", "near", "validate")
_PICTURE = re.compile(r'<img [^>]*src="data:image/[^>]*>')


def reports_with(store: Store, nights: Iterable[dt.date], shown_at: Collection[Place]) -> list[dt.date]:
    """The nights whose page has pictures and speaks of one of the listings, from the first of some nights on.

    Maps of products show pictures of earlier nights.
    """
    names = [escape(f"{source}/{listing_id}") for source, listing_id in shown_at]
    found = []
    for night in _reported_since(store, nights):
        page = _page(store, night)
        if _PICTURE.search(page) and any(name in page for name in names):
            found.append(night)
    return found


def renew_report(store: Store, settings: Settings, night: dt.date) -> None:
    """Write a night's page again, so that it shows only what still stands, and forget the page before.

    Where the tables of its steps were collected as garbage the page cannot be made again: it loses all its pictures.
    """
    ref = keys.night_report(night)
    if _can_be_made(store, night):
        report_night(store, settings, night)
    else:
        store.put(ref, without_pictures(_page(store, night)).encode(), "text/html; charset=utf-8")
        log.info("care.report without pictures night=%s", night)
    store.purge(ref, keep_newest=True)


def without_pictures(page: str) -> str:
    """A page with nothing in place of its small pictures."""
    return _PICTURE.sub("", page)


def _reported_since(store: Store, nights: Iterable[dt.date]) -> list[dt.date]:
    """Every night from the first of these on that has a report."""
    first = min(nights, default=None)
    if first is None:
        return []
    reported = nights_in(store.list_folders(Bucket.REPORTS, keys.night_report_prefix()))
    return [night for night in reported if night >= first]


def _can_be_made(store: Store, night: dt.date) -> bool:
    pointer = keys.snapshot_of_night(night)
    if store.exists(pointer):
        name = str(store.get_json(pointer)["snapshot"])
        if not store.exists(keys.snapshot(name, "manifest.parquet")):
            return False
    return all(store.exists(keys.stage(night, step)) for step in STEPS)


def _page(store: Store, night: dt.date) -> str:
    try:
        return store.get(keys.night_report(night)).decode(errors="replace")
    except ObjectMissing:
        return ""
