"""`lvbag curate` and `lvbag night`: a night's curation by hand, the same as the DAG `lvbag_curate`, and its funnel."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated

import typer

from lvbag.commands.common import Session, emit, night_value, open_session
from lvbag.commands.curate_duplicates import duplicates
from lvbag.errors import LvbagError
from lvbag.nights import parse_night
from lvbag.store import Bucket
from lvbag.store import keys as object_keys
from lvbag.terminal import console, funnel_table

curate_app = typer.Typer(help="Turn a night's pictures into a snapshot; find copies.", no_args_is_help=True)
curate_app.command("duplicates")(duplicates)


@curate_app.command("run")
def run(
    night: Annotated[str | None, typer.Option(help="the night to curate; today when left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Mark duplicates, validate, clean, build the snapshot and write the report."""
    from lvbag.curate import curate_night

    session = open_session()
    for result in curate_night(session.store, session.settings, night_value(night)):
        emit(result, as_json)


def night(
    nights: Annotated[list[str] | None, typer.Argument(help="the nights to show; the newest when left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Show what nights crawled, refused and kept."""
    from lvbag.curate import load_funnel

    session = open_session()
    days = [night_value(text) for text in nights] if nights else [_newest_report(session)]
    funnels = {day.isoformat(): load_funnel(session.store, day) for day in days}
    if as_json:
        for name, funnel in funnels.items():
            print(json.dumps({"night": name, "funnel": funnel}))
    else:
        console.print(funnel_table("What the nights crawled, refused and kept", funnels))


def _newest_report(session: Session) -> dt.date:
    names = [
        item.ref.key.split("/")[1]
        for item in session.store.list_objects(Bucket.REPORTS, object_keys.night_report_prefix())
        if item.ref.key.endswith("/funnel.json")
    ]
    if not names:
        raise LvbagError("no night has a report yet; crawl and curate one first")
    return parse_night(names[-1])
