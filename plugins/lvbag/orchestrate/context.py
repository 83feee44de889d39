"""What a task learns from its run: the night, the time to write into records, the objects to work with.

The functions that decide take plain values, so that tests call them; `current()` gathers those values from Airflow.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lvbag.errors import LvbagError
from lvbag.nights import parse_night
from lvbag.store_roles import StoreRole

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from lvbag.settings import Settings
    from lvbag.store import Store

log = logging.getLogger(__name__)


class RunError(LvbagError):
    """A run's parameters and events do not say what to work on."""


@dataclass(frozen=True)
class TaskRun:
    """A run as its tasks see it. `at` is the same however often a task is tried: the logical date, else run_after."""

    run_id: str
    at: dt.datetime
    params: Mapping[str, Any]
    events: Mapping[str, tuple[Mapping[str, Any], ...]]  # by asset name, oldest first: what the events carried
    try_number: int = 1  # of the task

    @property
    def by(self) -> str:
        """Who acts, for the registry's history."""
        return f"airflow:{self.run_id}"


def current() -> TaskRun:
    """The run of the task that is being executed."""
    from airflow.sdk import get_current_context

    return run_of(get_current_context())


def run_of(context: Mapping[str, Any]) -> TaskRun:
    """The run of a task's context, which callbacks are given."""
    run = context["dag_run"]
    triggering: Mapping[Asset, Iterable[Any]] = context["triggering_asset_events"]
    events = {
        asset.name: tuple(dict(event.extra or {}) for event in sorted(found, key=lambda event: event.timestamp))
        for asset, found in triggering.items()
    }
    try_number = context["ti"].try_number
    return TaskRun(run.run_id, run.logical_date or run.run_after, dict(context["params"]), events, try_number)


def open_store(role: StoreRole) -> tuple[Store, Settings]:
    """The store as this role may use it, and the settings of this process without other roles' keys."""
    from lvbag.store import open_store as open_

    settings = read_settings().as_role(role)
    return open_(settings), settings


def read_settings() -> Settings:
    """The settings of this process, with the keys of every role that it has; from here on Airflow masks them all."""
    from lvbag.orchestrate.masking import mask_secrets
    from lvbag.settings import load_settings

    settings = load_settings()
    mask_secrets(settings)
    return settings


def one_night(run: TaskRun) -> dt.date:
    """The night of a crawl: the parameter `night`, else the day (UTC) of the run."""
    chosen = run.params.get("night")
    return parse_night(chosen) if chosen else run.at.astimezone(dt.UTC).date()


def nights_of(run: TaskRun, asset: str, newest: dt.date | None) -> list[dt.date]:
    """The nights to curate, in order: the parameter, else all nights of the events that started the run (several
    events may have merged into one run), else the newest night that was crawled."""
    if chosen := run.params.get("night"):
        return [parse_night(chosen)]
    named = {parse_night(str(extra["night"])) for extra in run.events.get(asset, ()) if "night" in extra}
    if named:
        return sorted(named)
    if newest is None:
        raise RunError("no night has been crawled yet; run lvbag_crawl first or name one in the parameter `night`")
    return [newest]


def name_of(run: TaskRun, parameter: str, asset: str, newest: str | None, remedy: str) -> str:
    """A snapshot or label set: the parameter, else what the last event names, else the newest there is."""
    if chosen := run.params.get(parameter):
        return str(chosen)
    named = [str(extra[parameter]) for extra in run.events.get(asset, ()) if parameter in extra]
    found = named[-1] if named else newest
    if found is None:
        raise RunError(f"there is no {parameter} yet; {remedy}")
    return found


def newest_crawled(store: Store) -> dt.date | None:
    """The last night that was closed."""
    from lvbag import curate

    return max(curate.closed_nights(store), default=None)


def plain(value: Any) -> Any:
    """A result as JSON values, for XCom: dataclasses become objects, days and times text, tuples lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else value
