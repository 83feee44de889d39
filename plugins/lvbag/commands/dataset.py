"""`lvbag dataset`: the snapshots."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from lvbag.commands.common import Session, open_session
from lvbag.errors import LvbagError
from lvbag.store import Bucket, ObjectMissing
from lvbag.store import keys as object_keys
from lvbag.terminal import console

dataset_app = typer.Typer(help="Look at the snapshots.", no_args_is_help=True)


@dataset_app.command("list")
def list_snapshots(as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False) -> None:
    """One line a night: which snapshot stood after it."""
    session = open_session()
    rows = _night_pointers(session)
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table("night", "snapshot")
    for row in rows:
        table.add_row(row["night"], row["snapshot"])
    console.print(table)


@dataset_app.command("show")
def show(
    snapshot: Annotated[str | None, typer.Argument(help="its id; the newest when left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the statistics as JSON")] = False,
) -> None:
    """Print a snapshot's card, or its statistics."""
    from lvbag.curate import newest_snapshot

    session = open_session()
    name = snapshot or newest_snapshot(session.store)
    if name is None:
        raise LvbagError("there is no snapshot yet; a night with enough pictures makes the first")
    try:
        if as_json:
            print(json.dumps({"snapshot": name, **session.store.get_json(object_keys.snapshot(name, "stats.json"))}))
        else:
            console.print(session.store.get(object_keys.snapshot(name, "card.md")).decode(), markup=False)
    except ObjectMissing:
        raise LvbagError(f"there is no snapshot {name}; `lvbag dataset list` names them") from None


def _night_pointers(session: Session) -> list[dict[str, Any]]:
    rows = []
    for item in session.store.list_objects(Bucket.DATASETS, object_keys.snapshot_of_night_prefix()):
        night = item.ref.key.rsplit("/", 1)[-1].removesuffix(".json")
        rows.append({"night": night, "snapshot": session.store.get_json(item.ref)["snapshot"]})
    return rows
