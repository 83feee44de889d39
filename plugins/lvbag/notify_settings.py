"""What people are told of, and by which way. Nothing is sent until an address is set.

The mail server and its password are Airflow's connection `smtp_default`, which the variable `AIRFLOW_CONN_SMTP_DEFAULT`
gives (docs/notifications.md).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from lvbag.setting_types import Group, PositiveFloat


class Event(StrEnum):
    """What people can be told of; a value stands in `notify.events` and in what a webhook gets."""

    FAILED = "failed"
    """A run has ended as failed."""

    QUARANTINED = "quarantined"
    """A source's night was set aside as a whole."""

    LATE = "late"
    """A nightly run has not ended in time."""

    PROMOTED = "promoted"
    """Another version is champion."""

    REFUSED = "refused"
    """The gate has refused a challenger."""

    NOT_UNDERSTOOD = "not_understood"
    """Nothing of a source was understood."""


def _mailbox(value: str) -> str:
    if value and not re.fullmatch(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+", value):
        raise ValueError("must be a mail address such as nights@shop.example")
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]
"""A bare address; may be empty. What could begin a second address or a header is refused."""


class NotifySettings(Group):
    """Who is told what."""

    webhook_url: SecretStr = Field(
        default=SecretStr(""),
        description="gets each message as JSON by POST; whoever knows it can write there: put it into the environment. "
        "Slack, Mattermost and others show its `text`",
    )
    email_to: tuple[Mailbox, ...] = Field(default=(), description="who gets each message as mail; needs a mail server")
    email_from: Mailbox = Field(
        default="", description="the sender; empty takes `from_email` of the mail server's connection"
    )
    events: tuple[Event, ...] = Field(
        default=tuple(Event), description="what is told: failed, quarantined, late, promoted, refused, not_understood"
    )
    late_after_h: PositiveFloat = Field(
        default=12.0,
        description="a nightly run that was queued this long ago and has not ended is late; a shard may take 8 hours",
    )
    timeout_s: PositiveFloat = Field(
        default=10.0, description="of a webhook, to connect and between two reads; it is tried three times"
    )

    @field_validator("webhook_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not re.match(r"https?://[^\s/]", value.get_secret_value()):
            raise ValueError("must be an http(s) address")
        return value

    def tells(self, event: Event) -> bool:
        """Whether anybody is told of it."""
        return event in self.events and bool(self.webhook_url.get_secret_value() or self.email_to)
