"""What trainings may start from, as `lvbag detector weights list` and `lvbag classifier weights list` show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import emit
from lvbag.registry.weights import ClassifierWeights, Weights
from lvbag.terminal import console

Kept = TypeVar("Kept", Weights, ClassifierWeights)


def show_weights(kept: Iterable[Kept], column: str, count: Callable[[Kept], int], as_json: bool) -> None:
    """A row each; `column` names what is counted of each."""
    table = Table("network", "sha256", column, "from", "added")
    for one in kept:
        if as_json:
            emit(one.model_dump(mode="json"), as_json)
            continue
        added = f"{one.added_at:%Y-%m-%d %H:%M}"
        table.add_row(one.network, one.sha256[:12], str(count(one)), escape(one.origin), added)
    if not as_json:
        console.print(table)
