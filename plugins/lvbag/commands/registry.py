"""`lvbag registry`: versions, the champion, its history, and the way back."""

from __future__ import annotations

import datetime as dt
import getpass
import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import open_session
from lvbag.commands.registry_care import export, gc, verify
from lvbag.commands.registry_compare import compare
from lvbag.commands.versions import AsJson, Kind, Version, version_number
from lvbag.registry import champion, list_history, list_versions, load_version
from lvbag.registry.gate import PRIMARY_METRIC
from lvbag.registry.records import Champion, Event, VersionRecord
from lvbag.store import ModelKind
from lvbag.store.keys import version_name
from lvbag.terminal import console

registry_app = typer.Typer(help="Versions of the models, the champion and its history.", no_args_is_help=True)

registry_app.command("compare")(compare)
registry_app.command("verify")(verify)
registry_app.command("gc")(gc)
registry_app.command("export")(export)


@registry_app.command("list")
def list_command(
    kind: Annotated[ModelKind | None, typer.Option("--kind", help="which model; both when left out")] = None,
    as_json: AsJson = False,
) -> None:
    """List the versions with their figures; the champion is marked."""
    store = open_session().store
    for each in [kind] if kind else list(ModelKind):
        versions, current = list_versions(store, each), champion(store, each)
        if as_json:
            for record in versions:
                typer.echo(json.dumps(_row(record, current), ensure_ascii=False))
        else:
            console.print(_versions_table(each, versions, current))


@registry_app.command("show")
def show(version: Version, kind: Kind = ModelKind.CLASSIFIER, as_json: AsJson = False) -> None:
    """Show one version: what it was trained on, its figures and files."""
    store = open_session().store
    record, current = load_version(store, kind, version_number(store, kind, version)), champion(store, kind)
    if as_json:
        typer.echo(json.dumps(_row(record, current), ensure_ascii=False))
        return
    role = f", champion since {_time(current.since)}" if current and current.version == record.version else ""
    console.print(f"[bold]{kind} {version_name(record.version)}[/bold]{role}")
    console.print(_details_table(record))


@registry_app.command("history")
def history(kind: Kind = ModelKind.CLASSIFIER, as_json: AsJson = False) -> None:
    """Show every promotion, refusal and rollback, oldest first, each with its reason."""
    events = list_history(open_session().store, kind)
    if as_json:
        for event in events:
            typer.echo(json.dumps(event.model_dump(mode="json"), ensure_ascii=False))
    else:
        _print_history(events)


@registry_app.command("rollback")
def rollback(
    version: Annotated[str, typer.Argument(help="the version that becomes the champion again")],
    why: Annotated[str, typer.Option("--why", help="the reason, for the history")],
    kind: Kind = ModelKind.CLASSIFIER,
) -> None:
    """Make an old version the champion again; its files are checked and it must answer well first."""
    from lvbag.care import roll_back

    session = open_session()
    number = version_number(session.store, kind, version)
    now, who = dt.datetime.now(dt.UTC), getpass.getuser()
    trial = roll_back(session.store, session.settings, kind, number, now, who, why)
    console.print(f"{kind} {version_name(number)} is the champion; {escape(trial.said)}", soft_wrap=True)


def _row(record: VersionRecord, current: Champion | None) -> dict[str, object]:
    return {**record.model_dump(mode="json"), "champion": _is_champion(record, current)}


def _is_champion(record: VersionRecord, current: Champion | None) -> bool:
    return current is not None and current.version == record.version


def _versions_table(kind: ModelKind, versions: list[VersionRecord], current: Champion | None) -> Table:
    table = Table(title=f"{kind.capitalize()}s", title_justify="left")
    metric = PRIMARY_METRIC[kind]
    for name in ("version", "", "trained", "recipe", "data"):
        table.add_column(name)
    table.add_column(metric, justify="right")
    for record in versions:
        figure = record.metrics.get(metric)
        table.add_row(
            version_name(record.version),
            "[green]champion[/green]" if _is_champion(record, current) else "",
            _time(record.created_at),
            escape(record.recipe),
            escape(record.data),
            "" if figure is None else f"{figure:.3f}",
        )
    if not versions:
        table.caption = "none yet"
    return table


def _details_table(record: VersionRecord) -> Table:
    table = Table(show_header=False)
    rows = {
        "trained": _time(record.created_at),
        "data": record.data,
        "recipe": f"{record.recipe} (sha256 {record.recipe_sha256[:12]}), seed {record.seed}",
        "network": f"{record.model.architecture}, {record.model.image_side_px} px, {len(record.model.classes)} classes",
        "parent": version_name(record.parent) if record.parent is not None else "none",
        "detector": record.detector or "none",
        "code": record.code_version,
        **{name: f"{value:.4f}" for name, value in sorted(record.metrics.items())},
        **{f"file {name}": f"sha256 {digest[:12]}" for name, digest in sorted(record.files.items())},
    }
    for name, value in rows.items():
        table.add_row(f"[dim]{escape(name)}[/dim]", escape(value))
    return table


def _print_history(events: list[Event]) -> None:
    """One line an event and its reason below it: reasons are sentences, too long for a table's column."""
    for event in events:
        before = version_name(event.previous) if event.previous is not None else "none"
        what = f"{event.event.replace('_', ' '):<11} {version_name(event.version)}"
        console.print(f"{_time(event.at)}  {what}   champion before: {before}   by {escape(event.by)}", soft_wrap=True)
        console.print(f"    {escape(event.why)}", style="dim", soft_wrap=True)
    if not events:
        console.print("nothing yet")


def _time(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
