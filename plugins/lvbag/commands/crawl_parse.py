"""`lvbag crawl parse`: what the parser of a source sees in saved pages."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lvbag.commands.common import emit
from lvbag.errors import LvbagError
from lvbag.settings import Settings, SettingsError, load_settings
from lvbag.terminal import console


def parse(
    files: Annotated[list[Path], typer.Argument(help="saved pages; .gz and .zst are unpacked")],
    source: Annotated[str, typer.Option(help="a kind, such as ebay_html, or a name under crawl.sources")],
    url: Annotated[str, typer.Option(help="where the page came from; else what the page says of itself")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Print what the parser sees: how many results are announced, the listings, and what was dropped and why."""
    from lvbag.crawl import parse_page, source_named

    parser = source_named(_settings(), source)
    for path in files:
        page = parse_page(parser, _read(path), url)
        row: dict[str, Any] = {"file": str(path), "announced": page.announced, "challenge": page.challenge is not None}
        row |= {"why": page.challenge or page.refused, "listings": [asdict(listing) for listing in page.listings]}
        row |= {"links": page.links, "next_url": page.next_url, "dropped": page.dropped}
        if as_json:
            emit(row, as_json)
            continue
        console.print(
            f"[bold]{escape(str(path))}[/bold]  announced {page.announced}, found {len(page.listings)}", soft_wrap=True
        )
        for name in ("why", "dropped", "next_url"):
            if row[name]:
                console.print(f"  [dim]{name}[/dim]  {escape(str(row[name]))}", soft_wrap=True)
        for listing in page.listings:
            price = f"{listing.price:,.2f} {listing.currency or ''}" if listing.price is not None else "no price"
            said = f"{price}, {len(listing.image_urls)} pictures"
            console.print(f"  {listing.listing_id}  {escape(listing.title)}  [dim]{said}[/dim]", soft_wrap=True)
        for link in page.links:
            console.print(f"  [dim]item page[/dim]  {escape(link)}", soft_wrap=True)


def _settings() -> Settings | None:
    """A parser can be tried without any configuration."""
    try:
        return load_settings()
    except SettingsError:
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LvbagError(f"{path} cannot be read: {error.strerror}") from None
