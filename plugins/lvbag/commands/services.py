"""`lvbag up`, `lvbag down`, `lvbag status`: the embedded machine from the shell."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lvbag.settings import home_dir

Port = Annotated[
    int | None, typer.Option(min=1024, max=65535, help="Listen here; else last time's port or a free one.")
]


def up(
    airflow_port: Port = None,
    store_port: Port = None,
    airflow: Annotated[bool, typer.Option(help="Also start Airflow, not only the object store.")] = True,
) -> None:
    """Start the object store and Airflow on this machine (127.0.0.1) and say where they are."""
    from lvbag.services import machine

    running = machine.up(home_dir(), airflow_port=airflow_port, store_port=store_port, airflow=airflow, say=typer.echo)
    typer.echo("")
    typer.echo(f"  home     {running.home}")
    typer.echo(f"  store    {running.store_endpoint}  (S3; the keys stand in {running.home / 'embedded.env'})")
    if running.airflow_url:
        typer.echo(f"  Airflow  {running.airflow_url}  user {running.user}  password {running.password}")
    typer.echo("  `lvbag down` ends it")


def down() -> None:
    """End everything that `lvbag up` started. Data and secrets stay."""
    from lvbag.services import machine

    home = home_dir()
    ended = machine.down(home, typer.echo)
    typer.echo(f"down: {ended} processes ended in {home}" if ended else f"nothing was running in {home}")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Say what runs where. Exit status 1 when nothing runs."""
    from lvbag.services import machine

    found = machine.status(home_dir())
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"up": found.up}, indent=2, default=str))
    else:
        typer.echo(f"home {found.home}: {'up' if found.up else 'down'}")
        for service in found.services:
            state = f"pid {service.pid}" if service.running else "ended"
            port = f"127.0.0.1:{service.port}" if service.port else "-"
            typer.echo(f"  {service.name:22} {state:12} {port:18} {service.log}")
    if not found.up:
        raise typer.Exit(1)
