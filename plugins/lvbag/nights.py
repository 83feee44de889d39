"""What a night is called: the calendar day (UTC) on which its crawl starts, written `2026-11-23`.

A night names object keys, table rows and reports, so that every task can compute its keys again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from contextlib import suppress

from lvbag.errors import LvbagError


class NightError(LvbagError):
    """A text that names no night."""


def parse_night(text: str) -> dt.date:
    """Read `YYYY-MM-DD`; anything else raises `NightError`."""
    try:
        night = dt.date.fromisoformat(text)
    except ValueError:
        night = None
    if night is None or night.isoformat() != text:
        raise NightError(f"night {text!r} is not a day written YYYY-MM-DD, such as 2026-11-23")
    return night


def nights_in(names: Iterable[str]) -> list[dt.date]:
    """The nights that folders are named after (`2026-11-23`, `night=2026-11-23`), in order, without all other names."""
    found = set()
    for name in names:
        with suppress(NightError):
            found.add(parse_night(name.removeprefix("night=")))
    return sorted(found)


def night_of(snapshot: str) -> dt.date | None:
    """The night that a snapshot's name begins with; None for a name of another form."""
    return next(iter(nights_in([snapshot[:10]])), None)


def today() -> dt.date:
    """The night that is running now (UTC)."""
    return dt.datetime.now(dt.UTC).date()
