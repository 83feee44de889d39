"""Secrets are stars in whatever a task says: its log, its rendered fields, and messages that leave the house.

Airflow masks its own secrets. It is told of ours here: those of the settings, also of roles that the
task has not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from lvbag.settings import Settings


def mask_secrets(settings: Settings) -> None:
    """Tell Airflow's masker of every secret in the settings: this process's, and the one that writes its log."""
    from airflow.sdk.log import mask_secret

    for secret in sorted(set(secrets_of(settings))):
        mask_secret(secret)


def secrets_of(value: Any) -> Iterator[str]:
    """The text of every secret that is set, however deep it stands; of an address also its path."""
    if isinstance(value, SecretStr):
        if text := value.get_secret_value():
            yield text
            yield from _path_of(text)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secrets_of(item)


def _path_of(text: str) -> Iterator[str]:
    """Libraries log addresses in halves, and the path of a webhook is what nobody may know."""
    if re.match("https?://", text):
        parts = urlsplit(text)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if len(path) > 1:
            yield path
