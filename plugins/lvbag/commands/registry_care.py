"""`lvbag registry verify`, `gc` and `export`: checking versions, tidying up, and handing one out."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lvbag.commands.common import open_session
from lvbag.commands.found import collect_shown, show_finding
from lvbag.commands.versions import AsJson, Kind, Version, version_number
from lvbag.store import ModelKind
from lvbag.store.keys import version_name
from lvbag.terminal import console


def verify(
    version: Annotated[
        str | None, typer.Argument(help="a version's number, or `champion`; everything when left out")
    ] = None,
    kind: Annotated[ModelKind | None, typer.Option("--kind", help="which model; both when left out")] = None,
    as_json: AsJson = False,
) -> None:
    """Read versions back: digests, whether the network opens and answers, lineage, alias and history.

    Ends with status 1 when something is wrong.
    """
    from lvbag.care import verify_registry

    store = open_session().store
    kinds: tuple[ModelKind, ...] = tuple(ModelKind) if kind is None else (kind,)
    number = None
    if version is not None:
        kinds = (kind or ModelKind.CLASSIFIER,)
        number = version_number(store, kinds[0], version)
    result = verify_registry(store, kinds, number, lambda finding: show_finding(finding, as_json))
    if as_json:
        typer.echo(json.dumps({"checked": result.checked, "findings": len(result.findings)}))
    else:
        counts = ", ".join(f"{count:,} of {name}s" for name, count in result.checked.items())
        console.print(f"checks: {counts}; {len(result.findings)} findings")
    if result.findings:
        raise typer.Exit(1)


def gc(
    older_than: Annotated[int, typer.Option(min=1, help="days; what was written since is left alone")] = 30,
    yes: Annotated[bool, typer.Option("--yes", help="do it; without it nothing is changed")] = False,
    as_json: AsJson = False,
) -> None:
    """Show, and with --yes remove, what stopped trainings and undecided evaluations left. Versions never go."""
    from lvbag.care import Limits, plan_registry_collection

    session = open_session()
    plan = plan_registry_collection(session.store, Limits(older_than), dt.datetime.now(dt.UTC))
    collect_shown(session, plan, yes, as_json)


def export(
    version: Version,
    folder: Annotated[Path, typer.Argument(help="a new folder")],
    kind: Kind = ModelKind.CLASSIFIER,
) -> None:
    """Write a version into a folder that anybody can use with onnxruntime and without lvbag."""
    from lvbag.registry import export_version

    session = open_session()
    number = version_number(session.store, kind, version)
    written = export_version(session.store, session.settings, kind, number, folder)
    names = ", ".join(path.name for path in written)
    console.print(f"{kind} {version_name(number)} is in {escape(str(folder))}: {names}", soft_wrap=True)
