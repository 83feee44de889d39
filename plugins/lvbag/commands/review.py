"""`lvbag review`: what machines are unsure of, and what people decide about it."""

from __future__ import annotations

import datetime as dt
import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import emit, night_value, open_session
from lvbag.errors import LvbagError
from lvbag.settings import config_dir
from lvbag.store import Store
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.review import Decision, Entry

review_app = typer.Typer(help="Decide what machines are unsure of. The next snapshot applies it.", no_args_is_help=True)

_SHOWN = 20
_JSON = typer.Option("--json", help="one JSON object a line")
_BY = typer.Option("--by", help="who decides; the user of this machine when left out")
_ITEM = typer.Argument(help="KIND:SHA256 or KIND:SOURCE/LISTING, as `list` shows it; picture:SHA256 is any picture")


@review_app.command("list")
def list_all(
    night: Annotated[str | None, typer.Option(help="YYYY-MM-DD; all nights when left out")] = None,
    kind: Annotated[
        str | None, typer.Option(help="such as confidence, outlier or label_conflict; a wrong one lists all")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="items; 20 when left out, with --json all")] = None,
    everything: Annotated[bool, typer.Option("--all", help="also what is decided already")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Show what nobody has decided yet, most uncertain first."""
    from lvbag.review import list_entries

    session = open_session()
    chosen = night_value(night) if night is not None else None
    found = list_entries(session.store, session.settings, chosen, kind)
    entries = found if everything else [entry for entry in found if entry.decision is None]
    shown = entries[: limit or (len(entries) if as_json else _SHOWN)]
    if as_json:
        for entry in shown:
            print(json.dumps(_as_json(session.store, entry), ensure_ascii=False))
        return
    _print_entries(session.store, shown)
    decided = sum(entry.decision is not None for entry in found)
    more = f", {len(entries) - len(shown)} more not shown (--limit)" if len(entries) > len(shown) else ""
    console.print(f"{len(found) - decided} open, {decided} decided{more}")


@review_app.command("decide")
def decide(  # noqa: PLR0917 - the options of the command
    item: Annotated[str, _ITEM],
    verdict: Annotated[str, typer.Argument(help="keep, refuse or relabel")],
    why: Annotated[str, typer.Option(help="the reason, which is kept")],
    product: Annotated[str | None, typer.Option(help="with relabel: a style code of the catalog")] = None,
    by: Annotated[str | None, _BY] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Decide about one item. The newest decision counts; the one before stays on record."""
    from lvbag.catalog import load_catalog
    from lvbag.review import Verdict, find_entry, parse_id
    from lvbag.review import decide as write
    from lvbag.review.kinds import check_answer

    try:
        said = Verdict(verdict)
    except ValueError:
        raise typer.BadParameter(f"{verdict!r} is none of keep, refuse, relabel") from None
    if not why.strip():
        raise LvbagError("say why: the record keeps it (--why)")
    session, parsed = open_session(), parse_id(item)
    check_answer(parsed.kind, said, product, load_catalog(config_dir()))
    find_entry(session.store, session.settings, parsed)
    decision = write(session.store, parsed, said, product, _who(by), dt.datetime.now(dt.UTC), why)
    emit(_said(decision), as_json)
    if not as_json:
        console.print(_what_next(said))


@review_app.command("undo")
def undo(
    item: Annotated[str, _ITEM],
    why: Annotated[str, typer.Option(help="the reason, which is kept")] = "",
    by: Annotated[str | None, _BY] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Take the decision that counts back; what stood before it counts again. Nothing is deleted."""
    from lvbag.review import parse_id
    from lvbag.review import undo as take_back

    gone, now = take_back(open_session().store, parse_id(item), _who(by), dt.datetime.now(dt.UTC), why)
    if as_json:
        print(json.dumps({"undone": _said(gone), "now": _said(now) if now else None}, ensure_ascii=False))
        return
    console.print(f"undone: {escape(_line(gone))}")
    console.print(f"now counts: {escape(_line(now) if now else 'what the machine decided')}")


@review_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="FILE.csv or FILE.jsonl")],
    night: Annotated[str | None, typer.Option(help="YYYY-MM-DD; all nights when left out")] = None,
    kind: Annotated[str | None, typer.Option(help="items of this kind only")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file")] = False,
) -> None:
    """Write every item with its newest decision, one row each; fill in `verdict`, `product`, `why`, and import it."""
    from lvbag.review import export_entries, list_entries

    session = open_session()
    chosen = night_value(night) if night is not None else None
    entries = list_entries(session.store, session.settings, chosen, kind)
    count = export_entries(session.store, entries, file, overwrite)
    console.print(f"{count} items in {escape(str(file))}", soft_wrap=True)


@review_app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="an export with some verdicts filled in")],
    by: Annotated[str | None, _BY] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="write the good rows where others are bad")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Make a decision of every row with a verdict: of all rows or of none. The same file again adds nothing."""
    from lvbag.catalog import load_catalog
    from lvbag.review import import_decisions

    session = open_session()
    result = import_decisions(
        session.store,
        session.settings,
        load_catalog(config_dir()),
        file,
        _who(by),
        dt.datetime.now(dt.UTC),
        skip_bad,
    )
    if as_json:
        emit(result, as_json)
        return
    console.print(
        f"{result.added} decisions added, {result.unchanged} stood already, {result.rows - result.filled} rows without "
        "a verdict"
    )
    for row in result.bad:
        console.print(f"  [red]left out[/red] line {row.line}: {escape(row.why)}", soft_wrap=True)


# ------------------------------------------------------------------ showing


def _print_entries(store: Store, entries: Sequence[Entry]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("night", no_wrap=True)
    table.add_column("unsure", justify="right", no_wrap=True)
    table.add_column("item", overflow="fold")
    for entry in entries:
        item = entry.item
        numbers = ", ".join(f"{name} {value:g}" for name, value in item.numbers.items())
        lines = [
            escape(str(item.id)),
            f"  {item.machine}{f' as {escape(item.style_code)}' if item.style_code else ''}: {escape(item.why)}",
            *([f"  \u201c{escape(' '.join(item.title.split()))}\u201d"] if item.title else []),
            f"  [dim]{escape(numbers)}[/dim]",
            *([f"  [dim]{escape(store.uri(item.picture))}[/dim]"] if item.picture else []),
            *([f"  decided: {escape(_line(entry.decision))}"] if entry.decision else []),
        ]
        table.add_row(item.night.isoformat(), f"{item.uncertainty:.2f}", "\n".join(lines))
    console.print(table)


def _as_json(store: Store, entry: Entry) -> dict[str, Any]:
    from lvbag.review.sheets import item_row

    row = item_row(store, entry.item)
    row["why"] = row.pop("reason")
    return row | {"decision": None if entry.decision is None else _said(entry.decision)}


def _said(decision: Decision) -> dict[str, Any]:
    return {name: value for name, value in decision.model_dump(mode="json").items() if value not in (None, "")}


def _line(decision: Decision) -> str:
    product = f" as {decision.style_code}" if decision.style_code else ""
    why = f": {decision.why}" if decision.why else ""
    return f"{decision.verdict.value}{product} by {decision.who}, {decision.at:%Y-%m-%d %H:%M} UTC{why}"


def _what_next(verdict: object) -> str:
    if verdict == "keep":
        return "The next snapshot honours it; a picture that cleaning refused comes in when its night is cleaned again."
    return "The next snapshot honours it; `lvbag review undo` takes it back."


def _who(by: str | None) -> str:
    return by or getpass.getuser()
