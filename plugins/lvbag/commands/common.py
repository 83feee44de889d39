"""What several commands share: settings and store in one step, nights, results as lines or JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import typer

from lvbag.nights import NightError, parse_night, today
from lvbag.settings import Settings, load_settings
from lvbag.store import Store, open_store


@dataclass(frozen=True)
class Session:
    """What a command works with."""

    settings: Settings
    store: Store


def open_session() -> Session:
    """Read the settings and name the store; nothing is sent yet."""
    settings = load_settings()
    return Session(settings, open_store(settings))


def night_value(text: str | None) -> dt.date:
    """`--night`: a day, or today (UTC) when it is left out."""
    if text is None:
        return today()
    try:
        return parse_night(text)
    except NightError as error:
        raise typer.BadParameter(str(error)) from None


def emit(value: Any, as_json: bool) -> None:
    """Print a result: one JSON object a line for machines, `name: value` lines for people."""
    row = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    if as_json:
        print(json.dumps(row, default=str, ensure_ascii=False))
        return
    from lvbag.terminal import console  # rich is for people; a machine does not wait for its import

    if not isinstance(row, Mapping):
        console.print(row)
        return
    for name, item in row.items():
        console.print(f"  [dim]{name}[/dim]  {item}")
