"""`lvbag crawl`: nights and shards by hand, and tools that say what a page, a robots.txt or a title means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from lvbag.commands.common import emit, night_value, open_session
from lvbag.commands.crawl_match import match
from lvbag.commands.crawl_parse import parse
from lvbag.commands.crawl_robots import robots
from lvbag.errors import LvbagError
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.crawl import Progress as Done

crawl_app = typer.Typer(help="Crawl listings and pictures.", no_args_is_help=True)
crawl_app.command("parse")(parse)
crawl_app.command("match")(match)
crawl_app.command("robots")(robots)

_NIGHT = typer.Option(help="the day the night is named after; today (UTC) when left out")
_PRODUCT = typer.Option(help="only this product of the catalog; may be given several times")
_AGAIN = typer.Option(help="crawl again what this night has crawled already")
_JSON = typer.Option("--json", help="one JSON object a line")


@crawl_app.command("run")
def run(  # noqa: PLR0917 - the options of the command
    source: Annotated[str, typer.Option(help="a name under crawl.sources")],
    product: Annotated[list[str] | None, _PRODUCT] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="listings at most")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the requests it would make, and make none")] = False,
    night: Annotated[str | None, _NIGHT] = None,
    again: Annotated[bool, _AGAIN] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Crawl one shard by hand, as part of the night: some products at one source. Said twice, it goes on or is done."""
    from lvbag.catalog import load_catalog
    from lvbag.crawl import crawl_shard, plan_by_hand, rehearse
    from lvbag.settings import config_dir

    session = open_session()
    catalog = load_catalog(config_dir())
    products = tuple(product or ())
    if dry_run:
        for request in rehearse(session.settings, catalog, source, products):
            emit(request, as_json) if as_json else console.print(
                f"{request.url}  [dim]{request.why}[/dim]", soft_wrap=True
            )
        return
    day = night_value(night)
    shard = plan_by_hand(session.store, session.settings, catalog, day, source, products, limit)
    with _progress(shard, limit, as_json) as progress:
        result = crawl_shard(session.store, session.settings, catalog, day, shard, again, progress)
    emit(result, as_json)
    if not as_json:
        console.print(f"  [dim]it counts in the night once that is closed: lvbag crawl close --night {day}[/dim]")


@crawl_app.command("night")
def whole_night(
    night: Annotated[str | None, _NIGHT] = None,
    product: Annotated[list[str] | None, _PRODUCT] = None,
    again: Annotated[bool, _AGAIN] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Plan a night, crawl its shards one after the other, and close it: the same as the DAG `lvbag_crawl`."""
    from lvbag.catalog import load_catalog
    from lvbag.crawl import CrawlError, close_night, crawl_shard, plan_night
    from lvbag.settings import config_dir

    session = open_session()
    catalog = load_catalog(config_dir())
    day = night_value(night)
    plan = plan_night(session.store, session.settings, catalog, day, tuple(product or ()))
    if not plan.shards:
        raise LvbagError("there is nothing to crawl: every product has crawl.target_images already")
    failed = 0
    for shard in plan.shards:
        try:
            with _progress(shard, None, as_json) as progress:
                result = crawl_shard(session.store, session.settings, catalog, day, shard, again, progress)
            emit(result, as_json)
        except CrawlError as error:  # a failed shard hurts no other
            failed += 1
            emit({"shard": shard, "failed": str(error)}, as_json)
    emit(close_night(session.store, session.settings, day), as_json)
    if failed:
        raise LvbagError(f"{failed} of {len(plan.shards)} shards of night {day} failed; the rest counts")


@crawl_app.command("close")
def close(night: Annotated[str | None, _NIGHT] = None, as_json: Annotated[bool, _JSON] = False) -> None:
    """Close a night: write what was seen, and the manifest with which curation begins."""
    from lvbag.crawl import close_night

    session = open_session()
    emit(close_night(session.store, session.settings, night_value(night)), as_json)


@crawl_app.command("hosts")
def hosts(
    night: Annotated[str | None, _NIGHT] = None,
    forgive: Annotated[str | None, typer.Option(help="let this host be asked again tonight")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Show how the hosts of a night fared: requests, pace, who holds them, and why one was given up."""
    from lvbag.crawl import forgive_host, read_hosts

    session = open_session()
    day = night_value(night)
    if forgive is not None and not forgive_host(session.store, day, forgive):
        raise LvbagError(
            f"no host {forgive!r} was crawled in night {day}; `lvbag crawl hosts --night {day}` names them"
        )
    records = read_hosts(session.store, day)
    if as_json:
        for record in records:
            emit(record.model_dump(mode="json", exclude={"token", "nonce"}), as_json)
        return
    table = Table(
        "host", "requests", "delay", "held by", "given up", title=f"Hosts of night {day}", title_justify="left"
    )
    for record in records:
        table.add_row(
            record.name, f"{record.requests:,}", f"{record.delay_s:.1f} s", record.holder, record.given_up or ""
        )
    console.print(table)


@contextmanager
def _progress(shard: str, limit: int | None, quiet: bool) -> Iterator[Callable[[Done], None]]:
    """A bar that a person watches; what a shard will find is not known before, so it is a bar only with a limit."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=quiet) as bars:
        bar = bars.add_task(f"crawling {shard}", total=limit, counts="")

        def show(done: Done) -> None:
            counts = f"{done.listings} listings, {done.pictures} pictures, {done.requests} requests"
            bars.update(bar, completed=done.listings, counts=counts)

        yield show
