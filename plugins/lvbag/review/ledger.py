"""Decisions in the store: one object each, written once. Nothing is edited, nothing is deleted."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from lvbag.review.decisions import NAME, Decision, History, Verdict, history_of, standing
from lvbag.review.errors import ReviewError
from lvbag.review.items import ItemId
from lvbag.store import Bucket, CorruptObject, Ref, Store, keys
from lvbag.store.remedies import remedy

log = logging.getLogger(__name__)

_WORKERS = 8
_TICK = dt.timedelta(microseconds=1)


def read_history(store: Store) -> History:
    """Everything that people decided; raises `CorruptObject` naming an object that is no decision."""
    return _read(store, keys.review_decisions_prefix())


def read_item(store: Store, item: ItemId) -> tuple[Decision, ...]:
    """All decisions of one item, oldest first."""
    folder = keys.review_decision(item.key, "x").key.rsplit("/", 1)[0]
    return _read(store, f"{folder}/").get(str(item), ())


def decide(  # noqa: PLR0917 - what is decided, and by whom
    store: Store, item: ItemId, verdict: Verdict, style_code: str | None, who: str, at: dt.datetime, why: str
) -> Decision:
    """Write a decision; it counts from now on, also where this machine's clock is behind that of the one before.

    Raises `ReviewError` for one that is not complete.
    """
    before = read_item(store, item)
    current = standing(before)
    decision = make_decision(item, verdict, style_code, who, _after(at, before), why, current.name if current else None)
    write_decision(store, decision)
    return decision


def undo(store: Store, item: ItemId, who: str, at: dt.datetime, why: str) -> tuple[Decision, Decision | None]:
    """Take the decision of an item that counts back; returns it, and the one that counts now (None: the machine's).

    Raises `ReviewError` where nothing is decided.
    """
    before = read_item(store, item)
    current = standing(before)
    if current is None:
        raise ReviewError(f"nothing is decided about {item}, so there is nothing to undo")
    taken_back = make_decision(item, Verdict.UNDO, None, who, _after(at, before), why, current.name)
    write_decision(store, taken_back)
    return current, standing([*before, taken_back])


def make_decision(  # noqa: PLR0917 - the fields of a decision
    item: ItemId, verdict: Verdict, style_code: str | None, who: str, at: dt.datetime, why: str, replaces: str | None
) -> Decision:
    """A decision that is complete; raises `ReviewError` where it is not. Nothing is written."""
    try:
        return Decision(
            item=str(item), verdict=verdict, style_code=style_code, who=who.strip(), at=at, why=why.strip(),
            replaces=replaces,
        )  # fmt: skip
    except ValidationError as error:
        raise ReviewError(f"{item} cannot be decided so: {first_fault(error)}") from None


def write_decision(store: Store, decision: Decision) -> Ref:
    """Write a decision where none of its name stands; the same one again is no error."""
    ref = keys.review_decision(decision.id.key, decision.name)
    if not store.put_if_absent(ref, decision.data, "application/json") and store.get(ref) != decision.data:
        raise ReviewError(f"{store.uri(ref)} is another decision of the same time; decide again")
    log.info("review.decided item=%s verdict=%s who=%s", decision.item, decision.verdict.value, decision.who)
    return ref


def _after(at: dt.datetime, before: Iterable[Decision]) -> dt.datetime:
    """The time of a new decision: later than all that its author has seen, whatever the clocks say."""
    return max([at, *(one.at + _TICK for one in before)])


# ------------------------------------------------------------------ reading


def _read(store: Store, prefix: str) -> History:
    refs = [item.ref for item in store.list_objects(Bucket.CURATED, prefix)]
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="review") as pool:
        return history_of(pool.map(lambda ref: _decision(store, ref), refs))


def _decision(store: Store, ref: Ref) -> Decision:
    """One object as a decision that stands where it belongs and is what was written."""
    name = ref.key.rsplit("/", 1)[-1].removesuffix(".json")
    if not NAME.fullmatch(name):
        raise CorruptObject(f"{store.uri(ref)} is no decision of a review; remove it")
    data = store.get_sound(ref)
    try:
        decision = Decision.model_validate_json(data)
    except ValidationError as error:
        raise CorruptObject(f"{store.uri(ref)} is no decision: {first_fault(error)}; {remedy(ref)}") from None
    if keys.review_decision(decision.id.key, decision.name) != ref:
        raise CorruptObject(
            f"{store.uri(ref)} is not the decision that was written there: its content was changed, or it was copied; "
            f"{remedy(ref)}"
        )
    return decision


def first_fault(error: ValidationError) -> str:
    """The first field at fault and what is wrong with it."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
