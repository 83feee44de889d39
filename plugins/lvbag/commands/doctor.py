"""`lvbag doctor`: what is wrong and what cures it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Create missing buckets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines.")] = False,
) -> None:
    """Check settings, store, buckets, catalog, recipes, disk, GPU and Airflow. Exit status 1 when a check fails."""
    from lvbag.services.doctor import examine

    failed = False
    for finding in examine(fix):
        typer.echo(json.dumps(asdict(finding)) if as_json else str(finding))
        failed = failed or finding.state == "FAIL"
    if failed:
        raise typer.Exit(1)
