"""`lvbag curate` and `lvbag night`: curation by hand, as the DAGs do it, and a night's funnel."""

from __future__ import annotations

import datetime as dt
import json
import logging
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


@curate_app.command("reclean")
def reclean(
    nights: Annotated[
        list[str] | None, typer.Option("--night", help="a night to judge again; all when left out")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="all that another detector decided, not only what it decided narrowly")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say how many pictures would be judged")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Judge and cut again what an earlier detector decided narrowly, with the one in use; build the newest snapshot."""
    from lvbag.curate import plan_recleaning, reclean_all

    session = open_session()
    days = [night_value(text) for text in nights or []]
    if dry_run:
        plan = plan_recleaning(session.store, session.settings, days, everything)
        for job in plan.jobs:
            emit(job, as_json)
        return
    steps = 0
    for result in reclean_all(session.store, session.settings, days, everything):
        steps += 1
        emit(result, as_json)
    if not steps and not as_json:
        console.print("Nothing to judge again: the detector in use decided all that an earlier one decided narrowly.")


@curate_app.command("outliers")
def outliers(
    night: Annotated[str | None, typer.Option(help="the night to look at; today when left out")] = None,
    again: Annotated[bool, typer.Option("--again", help="also where the same pictures were judged already")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Find pictures that are unlike the others of their product; they go to review, and into the night's report."""
    from lvbag.curate import report_night
    from lvbag.learn import find_outliers

    session = open_session()
    if not as_json:
        logging.getLogger("lvbag.learn").setLevel(logging.INFO)  # a training: its lines are what one waits by
    day = night_value(night)
    result = find_outliers(session.store, session.settings, day, again)
    if result.uri:
        report_night(session.store, session.settings, day)
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
