"""How long to wait, as pure functions: Retry-After and the back-off between tries."""

from __future__ import annotations

import datetime as dt
import email.utils

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})

_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0


def retry_after_s(value: str | None, now: dt.datetime) -> float | None:
    """Seconds that Retry-After asks for: a number or an HTTP date (RFC 9110 10.2.3); None when it is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    return max(0.0, (at - now).total_seconds())


def backoff_s(attempt: int) -> float:
    """Seconds before try `attempt` + 1 (from 0): 0.5, 1, 2 … up to 30."""
    return min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(attempt, 10))
