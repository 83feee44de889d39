"""Review: what machines are unsure of, what people decided about it, and what that changes.

Decisions are objects that are written once; tables are never edited. The functions below are what curation, pages and
the command line call; they are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.review.applying import Decided, apply_decisions, overruled, read_decided, with_products
    from lvbag.review.decisions import Decision, Verdict
    from lvbag.review.errors import ReviewError
    from lvbag.review.importing import import_decisions
    from lvbag.review.items import Item, ItemId, parse_id
    from lvbag.review.ledger import decide, read_history, undo
    from lvbag.review.queue import Entry, find_entry, list_entries
    from lvbag.review.sheets import export_entries

_HOMES = {
    "Decided": "applying",
    "Decision": "decisions",
    "Entry": "queue",
    "Item": "items",
    "ItemId": "items",
    "ReviewError": "errors",
    "Verdict": "decisions",
    "apply_decisions": "applying",
    "decide": "ledger",
    "export_entries": "sheets",
    "find_entry": "queue",
    "import_decisions": "importing",
    "list_entries": "queue",
    "overruled": "applying",
    "parse_id": "items",
    "read_decided": "applying",
    "read_history": "ledger",
    "undo": "ledger",
    "with_products": "applying",
}

__all__ = [
    "Decided",
    "Decision",
    "Entry",
    "Item",
    "ItemId",
    "ReviewError",
    "Verdict",
    "apply_decisions",
    "decide",
    "export_entries",
    "find_entry",
    "import_decisions",
    "list_entries",
    "overruled",
    "parse_id",
    "read_decided",
    "read_history",
    "undo",
    "with_products",
]

__getattr__ = lazy_exports(__name__, _HOMES)
