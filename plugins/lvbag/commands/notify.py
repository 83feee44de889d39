"""`lvbag notify`: does what people will be told of a night arrive?"""

from __future__ import annotations

import os

import typer

from lvbag.settings import SettingsError, home_dir, load_settings


def notify() -> None:
    """Send a trial message to the webhook and mailboxes of the settings. Exit status 1 where one does not arrive."""
    settings = load_settings().notify
    wanted = [
        name
        for name, there in (("webhook", settings.webhook_url.get_secret_value()), ("mail", settings.email_to))
        if there
    ]
    if not wanted:
        raise SettingsError("nobody is told of anything: set notify.webhook_url or notify.email_to")
    os.environ.setdefault("AIRFLOW_HOME", str(home_dir() / "airflow"))  # else Airflow makes one in the user's home
    from lvbag.orchestrate.messages import trial
    from lvbag.orchestrate.sending import send

    arrived = send(trial(), settings)
    for way in wanted:
        typer.echo(f"{way}: {'sent' if way in arrived else 'failed, see above'}")
    if len(arrived) < len(wanted):
        raise typer.Exit(1)
