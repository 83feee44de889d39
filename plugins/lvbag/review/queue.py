"""The queue: every item of a night or of all nights with what people decided about it, most uncertain first.

Nothing of it is stored: it follows from the tables, today's settings and the decisions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from lvbag.review.borders import KEPT, PICTURE
from lvbag.review.decisions import Decision, standing
from lvbag.review.errors import ReviewError
from lvbag.review.items import Item, ItemId
from lvbag.review.kinds import KINDS, Kind, kind_named
from lvbag.review.ledger import read_history
from lvbag.review.night_tables import NightTables, nights_with_tables
from lvbag.settings import Settings
from lvbag.store import Store
from lvbag.tombstones import read_tombstones


@dataclass(frozen=True)
class Entry:
    """An item, all that was decided about it, oldest first, and which of it counts (None: it is open)."""

    item: Item
    decisions: tuple[Decision, ...]
    decision: Decision | None


def list_entries(
    store: Store,
    settings: Settings,
    night: dt.date | None = None,
    kind: str | None = None,
    by_hand: Collection[str] = (),
) -> list[Entry]:
    """The queue of a night, or of all; of one kind, or of all. `by_hand`: pictures (sha256) to ask about as well.

    Raises `ReviewError` for a kind or a night that there is not, `CorruptObject` for a decision that cannot be read.
    """
    kinds = list(KINDS.values()) if kind is None else [kind_named(kind)]
    history = read_history(store)
    named = {decisions[0].id.sha256 for decisions in history.values() if decisions[0].id.kind == PICTURE}
    wanted = frozenset(by_hand) | {sha256 for sha256 in named if sha256 is not None}
    tombstones = read_tombstones(store)
    tables = (NightTables(store, one, tombstones, wanted) for one in _nights(store, night))
    found = find_items(tables, kinds, settings)
    return [_entry(item, history.get(str(item.id), ())) for item in found]


def find_items(nights: Iterable[NightTables], kinds: Sequence[Kind], settings: Settings) -> list[Item]:
    """The items of nights in order, most uncertain first; what a later night says of the same item counts."""
    found: dict[str, Item] = {}
    for tables in nights:
        for kind in kinds:
            for settled in kind.settled(tables):
                found.pop(settled, None)
            for item in kind.find(tables, settings):
                before = found.get(str(item.id))
                if before is None or item.machine == KEPT or before.machine != KEPT:
                    found[str(item.id)] = item
    return sorted(found.values(), key=lambda item: (-item.uncertainty, -item.night.toordinal(), str(item.id)))


def find_entry(store: Store, settings: Settings, item: ItemId) -> Entry:
    """One item, also `picture:<sha256>` of any picture that was curated; raises `ReviewError` where there is none."""
    by_hand = [item.sha256] if item.kind == PICTURE and item.sha256 is not None else []
    for entry in list_entries(store, settings, kind=item.kind, by_hand=by_hand):
        if entry.item.id == item:
            return entry
    raise ReviewError(missing(str(item)))


def missing(item: str) -> str:
    """What to say of an item that is in no queue."""
    return (
        f"there is no item {item} (any more); `lvbag review list --all` names them, and picture:SHA256 is any picture "
        "that was curated"
    )


def _nights(store: Store, night: dt.date | None) -> list[dt.date]:
    nights = nights_with_tables(store)
    if night is None:
        return nights
    if night not in nights:
        raise ReviewError(f"night {night} was neither crawled nor curated, so there is nothing to review in it")
    return [night]


def _entry(item: Item, decisions: tuple[Decision, ...]) -> Entry:
    return Entry(item, decisions, standing(decisions))
