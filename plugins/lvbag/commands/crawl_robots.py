"""`lvbag crawl robots`: what a saved robots.txt allows an agent; nothing is fetched."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lvbag.crawl.errors import CrawlError
from lvbag.crawl.fetching.robots import AGENT, MAX_BYTES, Verdict, read_rules
from lvbag.terminal import console

_STDIN = "-"


def robots(
    urls: Annotated[list[str], typer.Argument(metavar="URL…", help="addresses or paths", show_default=False)],
    file: Annotated[str, typer.Option("--robots", metavar="FILE", help="a robots.txt; - reads it from stdin")],
    agent: Annotated[str, typer.Option(help="the crawler, by its product token or its whole User-Agent")] = AGENT,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Say for each URL whether a robots.txt allows it, by which rule, and how long to wait between two requests."""
    rules = read_rules(200, _read(file))
    for url in urls:
        verdict = rules.verdict(url, agent)
        if as_json:
            typer.echo(json.dumps(verdict_row(url, verdict)))
        else:
            _show(url, verdict)


def verdict_row(url: str, verdict: Verdict) -> dict[str, object]:
    """A verdict as one JSON line."""
    return {"url": url, "allowed": verdict.allowed, "rule": verdict.rule, "crawl_delay": verdict.crawl_delay}


def _read(file: str) -> bytes:
    """The beginning of the file, as much of it as a crawl reads."""
    try:
        if file == _STDIN:
            return sys.stdin.buffer.read(MAX_BYTES)
        with Path(file).open("rb") as stream:
            return stream.read(MAX_BYTES)
    except OSError as error:
        raise CrawlError(f"--robots {file}: {error.strerror}; name a robots.txt that can be read") from None


def _show(url: str, verdict: Verdict) -> None:
    word = "[green]allowed[/green]  " if verdict.allowed else "[red]forbidden[/red]"
    rule = escape(verdict.rule) if verdict.rule else "no rule matches"
    delay = "" if verdict.crawl_delay is None else f", crawl-delay {verdict.crawl_delay:g} s"
    console.print(f"{word} {escape(url)}  [dim]{rule}{delay}[/dim]", soft_wrap=True)
