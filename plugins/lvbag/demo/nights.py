"""Which nights the demo has run: a small file in its home.

The first two nights are the market's first and second; every later `make demo` adds one night on which the market has
not changed, which shows how little such a night does.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

from lvbag.nights import parse_night, today

MARKET_NIGHTS = 2
"""The market grows between its first and its second night, and not after."""

FIRST_NIGHT_AGO = dt.timedelta(days=14)
"""The demo's nights lie in the past, so that the real nightly schedule never meets them."""


@dataclass(frozen=True)
class DemoNight:
    """A night to run: its day, and how far the market has grown by then (from 1)."""

    day: dt.date
    market_night: int


def nights_to_run(home: Path) -> tuple[DemoNight, ...]:
    """Both nights at the first time (or those that an interrupted demo still owes), one more at each later time."""
    done = finished_nights(home)
    first = done[0] if done else today() - FIRST_NIGHT_AGO
    start = len(done)
    end = max(MARKET_NIGHTS, start + 1)
    return tuple(
        DemoNight(first + dt.timedelta(days=number), min(number + 1, MARKET_NIGHTS)) for number in range(start, end)
    )


def finished_nights(home: Path) -> list[dt.date]:
    """The nights that ran to their end, oldest first."""
    path = _path(home)
    return [parse_night(text) for text in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []


def remember_night(home: Path, day: dt.date) -> None:
    """Note that a night ran to its end."""
    nights = [*finished_nights(home), day]
    _path(home).write_text(json.dumps([night.isoformat() for night in nights]), encoding="utf-8")


def _path(home: Path) -> Path:
    return home / "demo-nights.json"
