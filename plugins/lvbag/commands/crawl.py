"""`lvbag crawl`: a night's crawl by hand, the same as the DAG `lvbag_crawl`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress

from lvbag.commands.common import emit, night_value, open_session
from lvbag.terminal import console

crawl_app = typer.Typer(help="Crawl listings and pictures.", no_args_is_help=True)


@crawl_app.command("run")
def run(
    night: Annotated[str | None, typer.Option(help="the day the night is named after; today when left out")] = None,
    product: Annotated[list[str] | None, typer.Option(help="only this style code; may be given several times")] = None,
    again: Annotated[bool, typer.Option(help="crawl again what this night has crawled already")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Plan a night, crawl its shards one after the other, and close it."""
    from lvbag.catalog import load_catalog
    from lvbag.crawl import close_night, crawl_shard, plan_night
    from lvbag.settings import config_dir

    session = open_session()
    catalog = load_catalog(config_dir())
    day = night_value(night)
    plan = plan_night(session.store, session.settings, catalog, day, tuple(product or ()))
    with Progress(console=console, disable=as_json) as progress:
        bar = progress.add_task(f"crawling {day}", total=len(plan.shards))
        for shard in plan.shards:
            result = crawl_shard(session.store, session.settings, catalog, day, shard, again=again)
            emit(result, as_json)
            progress.advance(bar)
    emit(close_night(session.store, session.settings, day), as_json)
