"""`lvbag dataset suspicious`: labels that are likely wrong."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from lvbag.commands.common import open_session
from lvbag.errors import LvbagError
from lvbag.terminal import console

if TYPE_CHECKING:
    import polars as pl

    from lvbag.learn import SuspicionResult


def suspicious(
    snapshot: Annotated[str | None, typer.Argument(help="its id; the newest when left out")] = None,
    limit: Annotated[int, typer.Option(min=0, help="labels that are shown, the most suspicious first")] = 20,
    again: Annotated[bool, typer.Option("--again", help="also where the same labels were judged so already")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, the summary last")] = False,
) -> None:
    """Judge a snapshot's labels by networks that have not seen them; the most suspicious go to `lvbag review`."""
    from lvbag.curate import newest_snapshot
    from lvbag.learn import find_suspicions
    from lvbag.suspicions import read_suspicions

    session = open_session()
    name = snapshot or newest_snapshot(session.store)
    if name is None:
        raise LvbagError("there is no snapshot yet; a night with enough pictures makes the first")
    result = find_suspicions(session.store, session.settings, name, again)
    scores = read_suspicions(session.store, name)
    rows = [] if scores is None else _first(scores, limit)
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        print(json.dumps(asdict(result), ensure_ascii=False))
        return
    _show(rows, result)


def _first(scores: pl.DataFrame, limit: int) -> list[dict[str, object]]:
    names = ("rank", "sha256", "style_code", "own_probability", "predicted", "probability", "quality", "split")
    return scores.filter(scores["rank"] > 0).sort("rank").head(limit).select(names).to_dicts()


def _show(rows: list[dict[str, object]], result: SuspicionResult) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", "picture", "labelled", "looks like", "sure"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(
            str(row["rank"]),
            str(row["sha256"]),
            str(row["style_code"]),
            str(row["predicted"]),
            f"{row['probability']:.0%}",
        )
    if rows:
        console.print(table)
    if result.note:
        console.print(result.note)
    top1 = "" if result.top1 is None else f"; the networks name {result.top1:.1%} as labelled"
    console.print(
        f"{result.suspicious} of {result.judged} judged labels of {result.snapshot} look wrong{top1}. "
        f"`lvbag review list --kind suspicious_label` asks about {result.asked}; nothing is changed by itself.",
        soft_wrap=True,
    )
