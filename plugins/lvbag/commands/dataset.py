"""`lvbag dataset`: the snapshots, and `lvbag diff`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import open_session
from lvbag.commands.dataset_suspicious import suspicious
from lvbag.errors import LvbagError
from lvbag.store import ObjectMissing
from lvbag.store import keys as object_keys
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.curate.snapshots.diff import SnapshotDiff

dataset_app = typer.Typer(help="Look at the snapshots.", no_args_is_help=True)
dataset_app.command("suspicious")(suspicious)

_SHOWN = 10
"""Images named in a diff for people; --json names all."""


@dataset_app.command("list")
def list_all(as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False) -> None:
    """One line a snapshot: counts, size, the night after which it stood last, and what was trained on it."""
    from lvbag.curate.snapshots.shelf import list_snapshots

    rows = list_snapshots(open_session().store)
    if as_json:
        for row in rows:
            print(json.dumps(asdict(row)))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("snapshot", overflow="fold", min_width=23)
    table.add_column("night", no_wrap=True)
    for name in ("products", "images", "train", "val", "test", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        notes = [
            *(["newest"] if row.newest else []),
            *([f"champion {row.champion:04d} was trained on it"] if row.champion is not None else []),
            *([f"{row.taken_down} images taken down"] if row.taken_down else []),
        ]
        name = row.snapshot + (f"\n  [dim]{', '.join(notes)}[/dim]" if notes else "")
        counts = (row.products, row.images, row.train, row.val, row.test)
        table.add_row(name, row.night or "-", *(f"{n:,}" for n in counts), f"{row.bytes / 1e6:,.1f}")
    console.print(table)


@dataset_app.command("show")
def show(
    snapshot: Annotated[str | None, typer.Argument(help="its id; the newest when left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the statistics as JSON")] = False,
) -> None:
    """Print a snapshot's card, or its statistics."""
    from lvbag.curate import newest_snapshot
    from lvbag.curate.snapshots.stats import read_stats
    from lvbag.tombstones import read_holes

    store = open_session().store
    name = snapshot or newest_snapshot(store)
    if name is None:
        raise LvbagError("there is no snapshot yet; a night with enough pictures makes the first")
    try:
        stats = read_stats(store, name)
        gone = len(read_holes(store, name))
        if as_json:
            print(json.dumps({**stats.model_dump(mode="json"), "taken_down": gone}, ensure_ascii=False))
            return
        console.print(store.get(object_keys.snapshot(name, "card.md")).decode(), markup=False, soft_wrap=True)
    except ObjectMissing:
        raise LvbagError(f"there is no snapshot {name}; `lvbag dataset list` names them") from None
    if gone:
        console.print(f"{gone} images were taken down since: they stand in the manifest, but in no shard any more.")


@dataset_app.command("diff")
def diff(
    a: Annotated[str, typer.Argument(help="a snapshot's id")],
    b: Annotated[str, typer.Argument(help="another one's; what changed from a to b is shown")],
    as_json: Annotated[bool, typer.Option("--json", help="everything as one JSON object")] = False,
) -> None:
    """Tell two snapshots apart: images that came, left, or changed their label, products, splits, and drift."""
    from lvbag.curate.snapshots.diff import diff_snapshots

    found = diff_snapshots(open_session().store, a, b)
    if as_json:
        print(json.dumps(found.model_dump(mode="json"), ensure_ascii=False))
        return
    _print_diff(found)


def _print_diff(found: SnapshotDiff) -> None:
    console.print(f"[bold]{escape(found.a)}[/bold] to [bold]{escape(found.b)}[/bold]")
    counts = Table(box=None, pad_edge=False)
    for name in ("images", "before", "now", "added", "removed", "replaced", "relabelled", "cropped anew", "moved"):
        counts.add_column(name, justify="left" if name == "images" else "right")
    for change in found.drift.changes:
        numbers = (*found.splits[change.split], *list(change.model_dump(exclude={"split"}).values()))
        counts.add_row(change.split, *(f"{number:,}" for number in numbers))
    console.print(counts)
    for word, products in (("entered", found.drift.entered), ("left", found.drift.left)):
        if products:
            console.print(f"products that {word}: {escape(', '.join(products))}", soft_wrap=True)
    for verdict in found.drift.verdicts:
        console.print(escape(verdict), soft_wrap=True)
    for measure in found.drift.measures:
        medians = " -> ".join("-" if n is None else f"{n:.4g}" for n in (measure.before, measure.now))
        console.print(f"  [dim]{measure.measure}[/dim]  {medians}  {escape(measure.verdict)}", soft_wrap=True)
    for word, changed in (("MOVED", found.moved), ("relabelled", found.relabelled)):
        for one in changed[:_SHOWN]:
            console.print(f"  {word}  {one.sha256}  {escape(one.before)} -> {escape(one.now)}", soft_wrap=True)
        if len(changed) > _SHOWN:
            console.print(f"  {word}  and {len(changed) - _SHOWN} more; --json names all")
