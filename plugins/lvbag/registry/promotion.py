"""Changing the champion, and the history of every change and refusal.

A change is three writes: `flips/<event>.json` says what is about to happen, `champion.json` is swapped if it still is
what was read, and `history/<event>.json` records it; then the first is removed. The alias alone is the truth. A crash
leaves either a note of a flip that did not happen, which nobody reads, or a champion whose event is not yet in the
history, which the next change (or the same call again) copies there from the note before it does anything else. All
bytes follow from the arguments, so a second call leaves the same objects; a decision that is in the history is never
carried out again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from typing import Literal

from lvbag.registry.errors import RegistryError
from lvbag.registry.files import verify_model
from lvbag.registry.reading import event_names, read_champion, read_event, record_bytes
from lvbag.registry.records import Champion, Decision, Event
from lvbag.store import ModelKind, ObjectMissing, PreconditionFailed, Store, keys

log = logging.getLogger(__name__)

_JSON = "application/json"
_ATTEMPTS = 20
"""Flips that others may win before a rollback gives up; promotions and rollbacks are minutes apart."""


def promote(store: Store, kind: ModelKind, decision: Decision, at: dt.datetime, by: str) -> bool:
    """Carry out a decision: flip the alias, or record the refusal; True when the challenger was made champion.

    The champion must still be the one that the challenger was measured against, else the promotion is recorded as
    refused. `at` names the event, so give the same time when the call is repeated; a decision that was carried out at
    another time is found in the history and only its outcome returned. Raises `RegistryError` (no such version, other
    kind, a time without zone) and `CorruptObject` (its model files are not what was published).
    """
    if decision.kind != kind:
        raise RegistryError(f"a decision about {decision.kind} {decision.challenger} cannot change the {kind} champion")
    for _ in range(_ATTEMPTS):
        current, etag = read_champion(store, kind)
        _complete_history(store, kind, current)
        standing = recorded_event(store, kind, decision.challenger, decision.evaluation)
        if standing is not None:
            log.info("registry.promote reused kind=%s version=%d: %s", kind, standing.version, standing.event)
            return standing.event == "promoted"
        version = current.version if current else None
        if not decision.promoted:
            return _refuse(store, decision, at, by, previous=version, why=decision.summary)
        if version != decision.champion:
            _forget_note(store, kind, event_name(at, "promoted", decision.challenger))  # of an earlier try that stopped
            return _refuse(store, decision, at, by, previous=version, why=_changed_meanwhile(decision, version))
        verify_model(store, kind, decision.challenger)
        event = Event(
            kind=kind, event="promoted", at=_utc(at), by=by, version=decision.challenger, previous=version,
            decision=decision, why=decision.summary,
        )  # fmt: skip
        if _flip(store, event, etag):
            return True
    raise _too_busy(kind, decision.challenger)


def rollback(  # noqa: PLR0917 — the contract's order, the same as promote's
    store: Store, kind: ModelKind, number: int, at: dt.datetime, by: str, why: str
) -> None:
    """Make an old version the champion again, after checking that its model files are what was published.

    Nothing happens when it is the champion already. Raises `RegistryError` (missing or incomplete version, no reason
    given) and `CorruptObject`; the alias is untouched then.
    """
    if not why.strip():
        raise RegistryError(f"say why {kind} version {keys.version_name(number)} comes back: the history keeps it")
    verify_model(store, kind, number)
    for _ in range(_ATTEMPTS):
        current, etag = read_champion(store, kind)
        _complete_history(store, kind, current)
        if current is not None and current.version == number:
            log.info("registry.rollback reused kind=%s version=%d: it is the champion", kind, number)
            return
        name = event_name(at, "rolled_back", number)
        if store.exists(keys.history(kind, name)):
            log.info("registry.rollback reused kind=%s version=%d: %s is recorded", kind, number, name)
            return
        previous = current.version if current else None
        event = Event(
            kind=kind, event="rolled_back", at=_utc(at), by=by, version=number, previous=previous, why=why.strip()
        )
        if _flip(store, event, etag):
            return
    raise _too_busy(kind, number)


def recorded_event(store: Store, kind: ModelKind, version: int, evaluation_key: str) -> Event | None:
    """The event that tells what became of a challenger after an evaluation, or None when it was not carried out yet."""
    endings = tuple(f"-{event}-{keys.version_name(version)}" for event in ("promoted", "refused"))
    for name in event_names(store, kind):
        if name.endswith(endings):
            event = read_event(store, kind, name)
            if event is not None and event.decision is not None and event.decision.evaluation == evaluation_key:
                return event
    return None


def event_name(at: dt.datetime, event: Literal["promoted", "refused", "rolled_back"], version: int) -> str:
    """`20261123T020000Z-promoted-0007`: sorts by time."""
    return f"{_utc(at):%Y%m%dT%H%M%SZ}-{event}-{keys.version_name(version)}"


def _flip(store: Store, event: Event, etag: str | None) -> bool:
    """Note, swap, record; False when somebody else changed the champion first (nothing is changed then)."""
    name = event_name(event.at, event.event, event.version)
    _check_free(store, event, name)
    data = record_bytes(event, name)
    note = keys.flip(event.kind, name)
    store.put(note, data, _JSON)
    # The nonce follows from the event: the same call again, or at the same time elsewhere, is the same flip.
    alias = Champion(version=event.version, since=event.at, event=name, nonce=hashlib.sha256(data).hexdigest()[:32])
    try:
        store.compare_and_swap(keys.champion(event.kind), record_bytes(alias, name), etag)
    except PreconditionFailed:
        _forget_note(store, event.kind, name)
        return False
    _complete_history(store, event.kind, alias)
    log.info(
        "registry.%s done kind=%s version=%d previous=%s by=%s", event.event, event.kind, event.version,
        event.previous, event.by,
    )  # fmt: skip
    return True


def _complete_history(store: Store, kind: ModelKind, current: Champion | None) -> None:
    """Bring the champion's own event into the history, where the flip that made it champion did not get so far."""
    if current is None:
        return
    target, note = keys.history(kind, current.event), keys.flip(kind, current.event)
    if not store.exists(target):
        try:
            data = store.get(note)
        except ObjectMissing:
            # Somebody else completed it between the two looks, or somebody removed it by hand.
            if not store.exists(target):
                log.warning("registry.history incomplete kind=%s event=%s: removed by hand?", kind, current.event)
            return
        store.put_if_absent(target, data, _JSON)
    if store.exists(note):  # in a versioned bucket a needless delete leaves a marker each time
        store.delete(note)


def _forget_note(store: Store, kind: ModelKind, name: str) -> None:
    """Remove the note of a flip that was lost, unless the champion stands on it (the same call won elsewhere)."""
    current, _ = read_champion(store, kind)
    if current is None or current.event != name:
        store.delete(keys.flip(kind, name))


def _refuse(store: Store, decision: Decision, at: dt.datetime, by: str, *, previous: int | None, why: str) -> bool:
    event = Event(
        kind=decision.kind, event="refused", at=_utc(at), by=by, version=decision.challenger, previous=previous,
        decision=decision, why=why,
    )  # fmt: skip
    name = event_name(at, "refused", decision.challenger)
    _check_free(store, event, name)
    store.put_if_absent(keys.history(decision.kind, name), record_bytes(event, name), _JSON)
    log.info("registry.refused done kind=%s version=%d by=%s: %s", decision.kind, decision.challenger, by, why)
    return False


def _check_free(store: Store, event: Event, name: str) -> None:
    """A name is a second; two evaluations of one version carried out in the same second would share it."""
    standing = read_event(store, event.kind, name)
    if standing is not None and standing.decision != event.decision:
        raise RegistryError(
            f"{store.uri(keys.history(event.kind, name))} stands already for another evaluation; give another time"
        )


def _changed_meanwhile(decision: Decision, now: int | None) -> str:
    before, after = (keys.version_name(number) if number is not None else "none" for number in (decision.champion, now))
    return f"champion changed meanwhile from {before} to {after}; evaluate again"


def _too_busy(kind: ModelKind, number: int) -> RegistryError:
    return RegistryError(
        f"{kind} version {keys.version_name(number)} did not become champion: others changed the champion "
        f"{_ATTEMPTS} times meanwhile; look at `lvbag registry history --kind {kind}` and try again"
    )


def _utc(at: dt.datetime) -> dt.datetime:
    if at.tzinfo is None:
        raise RegistryError(f"the time {at.isoformat()} has no time zone; give it in UTC")
    return at.astimezone(dt.UTC)
