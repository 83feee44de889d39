"""Collecting garbage: what nothing refers to any more, shown first, removed in an order that leaves nothing dangling.

What was fetched and is named by a table is never garbage, nor is a published version, anything of quarantine, or what
people labelled. Whatever was written in the last days is left alone: a night may be at work. The objects are removed as
a person would do it, so a bucket that keeps versions keeps these.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lvbag.care.errors import CareError
from lvbag.care.garbage_kinds import Garbage, find_garbage
from lvbag.care.garbage_models import find_registry_garbage
from lvbag.care.kept_snapshots import Shelf, read_shelf
from lvbag.settings import Settings
from lvbag.store import ObjectInfo, Store

log = logging.getLogger(__name__)

_WORKERS = 8


@dataclass(frozen=True)
class Limits:
    """What is left alone: objects younger than `older_than_days`, the newest `keep_snapshots` snapshots."""

    older_than_days: int = 30
    keep_snapshots: int = 7


@dataclass(frozen=True)
class GarbagePlan:
    """What a collection removes, kind by kind in the order in which it goes, and the snapshots that stay with why."""

    limits: Limits
    now: dt.datetime
    kinds: tuple[Garbage, ...]
    kept_snapshots: dict[str, str]

    @property
    def objects(self) -> int:
        """How many objects go."""
        return sum(len(kind.objects) for kind in self.kinds)

    @property
    def bytes(self) -> int:
        """How much room they take."""
        return sum(kind.bytes for kind in self.kinds)


def plan_collection(store: Store, settings: Settings, limits: Limits, now: dt.datetime) -> GarbagePlan:
    """What is garbage; changes nothing. Raises `CareError` where something that could refer to it cannot be read."""
    before = _before(limits, now)
    shelf = read_shelf(store, settings, limits.keep_snapshots, now)
    kinds = [*find_garbage(store, shelf, before), *find_registry_garbage(store, before)]
    gone = {name for kind in kinds for name in kind.snapshots}
    kept = {name: why or "younger than the limit" for name, why in shelf.snapshots.items() if name not in gone}
    return GarbagePlan(limits, now, tuple(kinds), kept)


def plan_registry_collection(store: Store, limits: Limits, now: dt.datetime) -> GarbagePlan:
    """The same for the registry alone: what no version, champion or decision refers to."""
    return GarbagePlan(limits, now, tuple(find_registry_garbage(store, _before(limits, now))), {})


def collect(
    store: Store,
    settings: Settings,
    plan: GarbagePlan,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Remove what a plan names; returns how many objects of each kind went.

    Raises `CareError` where a snapshot of the plan has come into use since; what was written anew since stays.
    """
    if any(kind.snapshots for kind in plan.kinds):
        _check_still_unused(plan, read_shelf(store, settings, plan.limits.keep_snapshots, plan.now))
    done, removed = 0, {}
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="garbage") as pool:
        for kind in plan.kinds:
            removed[kind.kind] = 0
            for step in kind.steps():
                for gone in pool.map(lambda item: _remove(store, item), step):
                    done += 1
                    removed[kind.kind] += gone
                    if on_progress is not None:
                        on_progress(done, plan.objects)
            log.info("care.garbage kind=%s removed=%d of=%d", kind.kind, removed[kind.kind], len(kind.objects))
    return removed


def _before(limits: Limits, now: dt.datetime) -> dt.datetime:
    if limits.keep_snapshots < 1 or limits.older_than_days < 1:
        raise CareError("at least the newest snapshot and the last day stay: give 1 or more for both limits")
    return now - dt.timedelta(days=limits.older_than_days)


def _check_still_unused(plan: GarbagePlan, shelf: Shelf) -> None:
    gone: Iterable[str] = {name for kind in plan.kinds for name in kind.snapshots}
    for name in sorted(gone):
        why = shelf.snapshots.get(name)
        if why is not None:
            raise CareError(f"snapshot {name} has come into use since this was planned ({why}); plan again")


def _remove(store: Store, item: ObjectInfo) -> bool:
    """Remove an object unless it was written again since it was listed; False where it stays or was gone."""
    now = store.head(item.ref)
    if now is None or (now.modified and item.modified and now.modified > item.modified):
        return False
    store.delete(item.ref)
    return True
