"""How findings and garbage are shown, and a bar for what takes long: what `lvbag verify`, `lvbag gc` and those of the
registry share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

from lvbag.commands.common import Session
from lvbag.store import Store
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.care.checks import Finding
    from lvbag.care.garbage import GarbagePlan

_SHOWN = 3
"""Examples of each kind for people; --json names all."""

Hears = Callable[[str, int, int], None]
"""Hears what is done, how much of it, and of how much."""


def show_finding(finding: Finding, as_json: bool) -> None:
    """One finding: what, where, and what to do."""
    if as_json:
        names = ("kind", "uri", "problem", "remedy")
        print(json.dumps({name: getattr(finding, name) for name in names}, ensure_ascii=False))
        return
    console.print(f"[red]{finding.kind}[/red] {escape(finding.uri)}", soft_wrap=True)
    console.print(f"  {escape(finding.problem)}\n  [dim]{escape(finding.remedy)}[/dim]", soft_wrap=True)


def collect_shown(session: Session, plan: GarbagePlan, yes: bool, as_json: bool) -> None:
    """Show what a plan removes and, with `yes`, remove it."""
    from lvbag.care import collect

    _show_garbage(session.store, plan, as_json, dry_run=not yes)
    if not yes:
        return
    with progress(as_json) as hears:
        removed = collect(session.store, session.settings, plan, lambda done, total: hears("collecting", done, total))
    if as_json:
        print(json.dumps({"removed": removed}))
    else:
        console.print(f"{sum(removed.values()):,} of {plan.objects:,} objects were removed")


def _show_garbage(store: Store, plan: GarbagePlan, as_json: bool, dry_run: bool) -> None:
    if as_json:
        for kind in plan.kinds:
            for item in kind.objects:
                print(json.dumps({"kind": kind.kind, "uri": store.uri(item.ref), "bytes": item.size}))
        for kind in plan.kinds:
            row = {"kind": kind.kind, "objects": len(kind.objects), "bytes": kind.bytes}
            print(json.dumps({**row, "why": kind.why, "protects": kind.protects, "dry_run": dry_run}))
        print(json.dumps({"kept_snapshots": plan.kept_snapshots}))
        return
    for kind in plan.kinds:
        console.print(f"[bold]{kind.kind}[/bold]: {len(kind.objects):,} objects, {kind.bytes / 1e6:,.1f} MB")
        console.print(f"  [dim]garbage: {escape(kind.why)}\n  stays:   {escape(kind.protects)}[/dim]", soft_wrap=True)
        for item in kind.objects[:_SHOWN]:
            console.print(f"  {escape(store.uri(item.ref))}", soft_wrap=True)
        if len(kind.objects) > _SHOWN:
            console.print(f"  … and {len(kind.objects) - _SHOWN:,} more")
    for name, why in plan.kept_snapshots.items():
        console.print(f"snapshot {escape(name)} stays: {escape(why)}", soft_wrap=True)
    total = f"{plan.objects:,} objects, {plan.bytes / 1e6:,.1f} MB"
    console.print(
        f"{total} would go. Nothing was changed; give --yes to remove them." if dry_run else f"removing {total}"
    )


@contextmanager
def progress(as_json: bool) -> Iterator[Hears]:
    """A bar in a terminal; nothing for machines."""
    if as_json or not console.is_terminal:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, object] = {}

        def hears(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield hears
