"""A message on its way: to a webhook, and by mail through Airflow's `SmtpNotifier`.

One way that fails is logged and keeps no other from being tried; nothing is raised. The log names what was wrong and
never the webhook's address, which is a secret.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Any

from lvbag.notify_settings import NotifySettings
from lvbag.orchestrate.messages import Message

log = logging.getLogger(__name__)

MAIL_SERVER = "AIRFLOW_CONN_SMTP_DEFAULT"

_MAY_PASS = (429, 502, 503, 504)
"""Answers after which it is tried again."""


def send(message: Message, settings: NotifySettings) -> tuple[str, ...]:
    """Send on every way that is set up; returns the ways on which it arrived."""
    ways: dict[str, Callable[[Message, NotifySettings], str | None]] = {}
    if settings.webhook_url.get_secret_value():
        ways["webhook"] = _to_webhook
    if settings.email_to:
        ways["mail"] = _by_mail
    message = _without_secrets(message)
    arrived = []
    for name, way in ways.items():
        why = way(message, settings)
        if why is None:
            log.info("notify.sent event=%s way=%s dag=%s", message.event, name, message.run.dag_id)
            arrived.append(name)
        else:
            log.error("notify.failed event=%s way=%s dag=%s: %s", message.event, name, message.run.dag_id, why)
    return tuple(arrived)


def _without_secrets(message: Message) -> Message:
    """An error's text may quote one."""
    from airflow.sdk.log import redact

    what = tuple(str(redact(line)) for line in message.what)
    return dataclasses.replace(message, title=str(redact(message.title)), what=what)


def _to_webhook(message: Message, settings: NotifySettings) -> str | None:
    """Why it did not arrive. Tried by hand: urllib3's own retries write the address's path into the log."""
    for pause_s in (0.5, 1.0, None):
        answer = _post(message, settings)
        if pause_s is None or not (isinstance(answer, str) or answer in _MAY_PASS):
            break
        time.sleep(pause_s)
    if isinstance(answer, str):
        return f"{answer}; is notify.webhook_url right and reachable from here?"
    return None if 200 <= answer < 300 else f"the webhook answered {answer}; is notify.webhook_url still valid?"


def _post(message: Message, settings: NotifySettings) -> int | str:
    """The answer's status, or what kept it from coming: the names of errors alone, for their texts hold the address."""
    import requests

    try:
        return requests.post(
            settings.webhook_url.get_secret_value(),
            json=message.as_json(),
            timeout=settings.timeout_s,
            allow_redirects=False,
        ).status_code
    except requests.RequestException as error:
        inner = getattr(error.args[0], "reason", None) if error.args else None
        return type(error).__name__ if inner is None else f"{type(error).__name__} ({type(inner).__name__})"


def _by_mail(message: Message, settings: NotifySettings) -> str | None:
    """Why it did not arrive."""
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    # by name, never in the templates themselves: what a message quotes must not be rendered
    notifier: Any = SmtpNotifier(
        to=list(settings.email_to),
        from_email=settings.email_from or None,
        subject="[lvbag] {{ subject_line }}",
        html_content="{{ html_page }}",
    )
    try:
        notifier({"subject_line": message.subject, "html_page": message.as_html()})
    except Exception as error:
        return f"{type(error).__name__}: {error}; the mail server is what {MAIL_SERVER} says"
    return None
