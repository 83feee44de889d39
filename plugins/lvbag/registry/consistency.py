"""Whether the history and the alias tell the same story. Reads only.

Events carry the time of their run, and runs overlap, so the order of times is not the order of flips. What must hold in
any order: every flip left the version that it came from, so each version was entered as often as it was left, and the
champion once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lvbag.registry.errors import RegistryError
from lvbag.registry.reading import champion, event_names, read_record
from lvbag.registry.records import Champion, Event
from lvbag.store import ModelKind, ObjectMissing, Ref, Store, keys
from lvbag.store.keys import version_name


@dataclass(frozen=True)
class Fault:
    """Something that does not fit: `kind` names the rule, `ref` the object, `problem` says it."""

    kind: str
    ref: Ref
    problem: str


def history_faults(store: Store, kind: ModelKind) -> Iterator[Fault]:
    """Everything that is wrong with one kind's history; an alias that cannot be read is no fault of the history."""
    events: dict[str, Event] = {}
    broken = False
    for name in event_names(store, kind):
        try:
            events[name] = read_record(store, keys.history(kind, name), Event)
        except (RegistryError, ObjectMissing, keys.KeyNameError) as error:
            broken = True
            yield Fault("history_unreadable", _ref(kind, name), str(error))
    try:
        current = champion(store, kind)
    except RegistryError:
        return
    if current is not None and current.event not in events:
        try:  # a flip that crashed before it was recorded: the next one completes it from here
            events[current.event] = read_record(store, keys.flip(kind, current.event), Event)
        except (RegistryError, ObjectMissing, keys.KeyNameError):
            problem = f"the event {current.event} that made {version_name(current.version)} champion is not recorded"
            yield Fault("history_incomplete", keys.champion(kind), problem)
            return
    if not broken:  # else the count would only repeat it
        yield from (
            Fault("history_inconsistent", keys.champion(kind), problem) for problem in chain_faults(events, current)
        )


def chain_faults(events: dict[str, Event], current: Champion | None) -> Iterator[str]:
    """What does not add up between the champion and the events by name, in words; pure."""
    if current is not None and current.event in events and events[current.event].version != current.version:
        event = events[current.event]
        yield (
            f"the champion is {version_name(current.version)} by {current.event}, which made "
            f"{version_name(event.version)} champion"
        )
        return
    flips = [event for event in events.values() if event.event != "refused"]
    balance = _balance(flips)
    expected = Counter({current.version: 1}) if current is not None else Counter[int]()
    for version in sorted({*balance, *expected}):
        if balance[version] != expected[version]:
            entered = sum(event.version == version for event in flips)
            left = sum(event.previous == version for event in flips)
            role = "is" if expected[version] else "is not"
            name = version_name(version)
            yield f"{name} became champion {entered} times and was left {left} times, and {role} champion now"


def _balance(flips: Iterable[Event]) -> Counter[int]:
    """How often each version was entered more than it was left."""
    balance: Counter[int] = Counter()
    for event in flips:
        balance[event.version] += 1
        if event.previous is not None:
            balance[event.previous] -= 1
    return balance


def _ref(kind: ModelKind, name: str) -> Ref:
    try:
        return keys.history(kind, name)
    except keys.KeyNameError:  # whatever somebody put there
        return Ref(keys.champion(kind).bucket, f"{keys.history_prefix(kind)}{name}.json")
