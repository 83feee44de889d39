"""`lvbag registry compare`: two versions side by side."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import open_session
from lvbag.commands.versions import AsJson, Kind, version_number
from lvbag.store import ModelKind
from lvbag.store.keys import version_name
from lvbag.terminal import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lvbag.registry.comparing import Comparison, Figure, Together

_SHOWN = 10
"""Products for people, of those that lost most and of those that gained most; --json names all."""


def compare(
    a: Annotated[str, typer.Argument(help="a version's number, or `champion`")],
    b: Annotated[str, typer.Argument(help="another one's; changes are from a to b")],
    kind: Kind = ModelKind.CLASSIFIER,
    as_json: AsJson = False,
) -> None:
    """Set two versions side by side: what they were made of, their figures, and how both did on one test set."""
    from lvbag.registry import compare_versions

    store = open_session().store
    found = compare_versions(store, kind, version_number(store, kind, a), version_number(store, kind, b))
    if as_json:
        typer.echo(json.dumps(_as_json(found), ensure_ascii=False))
    else:
        _show(found)


def _as_json(found: Comparison) -> dict[str, object]:
    row = asdict(found) | {"figures": _rows(found.figures)}
    if found.together is not None:
        row["together"] = asdict(found.together) | {"figures": _rows(found.together.figures)}
    return row


def _rows(figures: Sequence[Figure]) -> dict[str, dict[str, float | None]]:
    return {figure.name: {"a": figure.a, "b": figure.b, "change": figure.change} for figure in figures}


def _show(found: Comparison) -> None:
    names = (version_name(found.a), version_name(found.b))
    console.print(f"[bold]{found.kind} {names[0]} and {names[1]}[/bold]")
    if found.differences:
        table = Table(box=None, pad_edge=False)
        for title in ("made of", *names):
            table.add_column(title, overflow="fold")
        for item in found.differences:
            table.add_row(item.name, escape(item.a), escape(item.b))
        console.print(table)
    else:
        console.print("made of the same data, recipe, seed and code")
    if found.together is not None:
        _show_together(found.together, names)
    else:
        console.print("\nno evaluation measured both on one test set")
    console.print("\n[bold]Figures of each training, on its own data[/bold]")
    console.print(_figures_table(found.figures, names))


def _show_together(both: Together, names: tuple[str, str]) -> None:
    console.print(f"\n[bold]Both on the same {both.test_images} test images of {escape(both.data)}[/bold]")
    console.print(f"[dim]evaluation {both.key}[/dim]")
    console.print(_figures_table(both.figures, names))
    if not both.products:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("product", "test images", f"right by {names[0]}", f"right by {names[1]}", "change"):
        table.add_column(title, justify="left" if title == "product" else "right")
    losses = [item for item in both.products if item.b < item.a][:_SHOWN]
    gains = [item for item in both.products if item.b > item.a][-_SHOWN:]
    for item in (*losses, *gains):
        table.add_row(item.style_code, str(item.images), str(item.a), str(item.b), f"{item.b - item.a:+d}")
    console.print(table)
    if (more := len(both.products) - len(losses) - len(gains)) > 0:
        console.print(f"and {more} products more that changed; --json names all")


def _figures_table(figures: Sequence[Figure], names: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("figure", *names, "change"):
        table.add_column(title, justify="left" if title == "figure" else "right")
    for figure in figures:
        a, b = ("-" if value is None else f"{value:.4g}" for value in (figure.a, figure.b))
        table.add_row(escape(figure.name), a, b, "" if figure.change is None else f"{figure.change:+.4g}")
    return table
